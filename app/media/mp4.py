"""Headers of MP4 and QuickTime files: ISO/IEC 14496-12."""

import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice, repeat

from app.media.boxes import Boxes
from app.media.errors import PictureError, damaged_clip, truncated
from app.media.headers import MAX_PARTS, Header

_HOLDERS = frozenset({b"edts", b"mdia", b"minf", b"stbl"})


@dataclass
class _Track:
    """What the boxes of a track say: sections 8.3.2, 8.4.2, 8.4.3, 8.5.2, 8.6.1, 8.6.6 and 8.7.3.

    ``edits`` are (duration in units of the movie, start in units of the track; below 0: nothing is shown);
    ``runs`` are (frames, time of each) and ``shifts`` (frames, how much later each is shown).
    """

    is_video: bool = False
    width: int = 0
    height: int = 0
    scale: int = 0
    duration: int = 0
    frames: int = 0
    edits: list[tuple[int, int]] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)
    shifts: list[tuple[int, int]] = field(default_factory=list)

    def header(self, movie_scale: int) -> Header:
        """The header of a clip whose picture this track is."""
        frames, seconds = self.frames, self.duration / self.scale if self.scale else 0.0
        shown = [edit for edit in self.edits if edit[1] >= 0]
        if shown and movie_scale and self.scale:
            lasts = [duration / movie_scale for duration, _ in shown]
            seconds = sum(lasts) or seconds
            # Where tables contradict each other, the decoder decides.
            frames = self._frames_within(shown, lasts) or frames
        return Header("MP4", self.width, self.height, frames=frames, seconds=seconds)

    def _frames_within(self, edits: list[tuple[int, int]], lasts: list[float]) -> int:
        """How many frames the edits show, one that several show as often."""
        if self.frames > MAX_PARTS:
            raise damaged_clip(f"more than {MAX_PARTS:,} frames")
        starts = accumulate(chain([0], _repeated(self.runs)))
        shifts = chain(_repeated(self.shifts), repeat(0))
        times = sorted(
            start + shift for start, shift in zip(islice(starts, self.frames), shifts, strict=False)
        )
        count = 0
        for (duration, first), seconds in zip(edits, lasts, strict=True):
            # An edit of no length lasts to the end.
            stop = bisect_left(times, first + seconds * self.scale) if duration else len(times)
            count += max(0, stop - bisect_left(times, first))
        return count


def _repeated(runs: list[tuple[int, int]]) -> Iterator[int]:
    return chain.from_iterable(repeat(value, count) for count, value in runs)


def read_mp4(data: bytes) -> Header:
    """The header of the first video track: as displayed, and of the frames that its edit list shows.

    Raises PictureError, and IndexError or struct.error where the file ends too early.
    """
    boxes = Boxes(data)
    movie = _movie(data, boxes)
    movie_scale = 0
    for kind, start, stop in boxes.between(*movie):
        if kind == b"mvhd":
            (movie_scale,) = struct.unpack_from(">I", data, start + (20 if data[start] else 12))
        elif kind == b"trak":
            track = _read_track(data, boxes, start, stop)
            if track.is_video:
                return track.header(movie_scale)
    raise damaged_clip("no video in it")


def _movie(data: bytes, boxes: Boxes) -> tuple[int, int]:
    """Start and end of the first movie box, in a file whose movie and frames are whole."""
    movie = None
    for kind, start, stop in boxes.between(0, len(data)):
        if stop > len(data) and (movie is None or kind in (b"moov", b"mdat")):
            raise truncated("clip")
        if kind == b"moov":
            movie = movie or (start, stop)
        elif kind == b"moof":
            raise PictureError(
                "This MP4 is in fragments, as streams are: save it as an ordinary file.", "unsupported_format"
            )
    if movie is None:
        raise truncated("clip")
    return movie


def _read_track(data: bytes, boxes: Boxes, start: int, stop: int) -> _Track:
    track = _Track()
    for kind, at, end in boxes.between(start, stop, _HOLDERS):
        match kind:
            case b"tkhd":
                # Fixed-point numbers of 32 bits, at the end of a box of one of two lengths. Before them is
                # the display matrix, whose diagonal is 0 for a rotation by 90 degrees.
                sides = at + (88 if data[at] else 76)
                width, height = (side >> 16 for side in struct.unpack_from(">II", data, sides))
                is_turned = struct.unpack_from(">I", data, sides - 36)[0] == 0
                track.width, track.height = (height, width) if is_turned else (width, height)
            case b"mdhd":
                layout, offset = (">IQ", 20) if data[at] else (">II", 12)
                track.scale, track.duration = struct.unpack_from(layout, data, at + offset)
            case b"hdlr":
                track.is_video = track.is_video or data[at + 8 : at + 12] == b"vide"
            case b"stsz" | b"stz2":
                (track.frames,) = struct.unpack_from(">I", data, at + 8)
            case b"elst":
                entry = ">QqI" if data[at] else ">IiI"
                track.edits = _pairs(data, boxes, entry, at, end)
            case b"stts":
                track.runs = _pairs(data, boxes, ">II", at, end)
            case b"ctts":
                track.shifts = _pairs(data, boxes, ">Ii", at, end)
    return track


def _pairs(data: bytes, boxes: Boxes, entry: str, at: int, end: int) -> list[tuple[int, int]]:
    """The first two numbers of each entry of a table: version and flags, the number of entries, and these."""
    (count,) = struct.unpack_from(">I", data, at + 4)
    boxes.spend(count)
    stop = at + 8 + count * struct.calcsize(entry)
    if stop > min(end, len(data)):
        raise damaged_clip("a table longer than its box")
    return [(first, second) for first, second, *_ in struct.iter_unpack(entry, data[at + 8 : stop])]
