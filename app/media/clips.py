"""Headers of clips: GIF, animated WebP, MP4 (and QuickTime), WebM (and Matroska).

Only the structure is read, without decoding a frame, which is quick and needs no memory: tables of samples
and headers of blocks are counted, and their contents skipped.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum

from app.media.errors import PictureError, damaged, truncated
from app.media.headers import MAX_PARTS, Format, Header, read_header, shown_seconds
from app.media.magic import BRANDS

# Bytes at the start of a file that are enough to recognise a clip.
CLIP_HEAD = 32


def is_clip_type(media_type: str) -> bool:
    """Whether files of a media type are always clips."""
    return media_type.startswith("video/") or media_type == "image/gif"


def clip_format(data: bytes) -> Format | None:
    """The format of a clip by its first bytes; None for a still picture or anything else."""
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[4:8] == b"ftyp" and data[8:12] not in BRANDS:
        return "MP4"
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return "WEBM"
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and len(data) > 20 and data[20] & 0x02:
        return "WEBP"
    return None


def read_clip_header(data: bytes) -> Header:
    """Read the structure of a whole clip. Raises PictureError if it is no clip, truncated or damaged."""
    # Those of an animated WebP are as for any WebP.
    readers = {"GIF": _read_gif, "WEBP": read_header, "MP4": _read_mp4, "WEBM": _read_webm}
    format = clip_format(data)
    if format is None:
        raise PictureError(
            "This is not a clip. Send an MP4, WebM, GIF or animated WebP file.", "not_a_picture"
        )
    try:
        header = readers[format](data)
    except (struct.error, IndexError):
        # The readers index into the file, so reading past its end means that it is truncated.
        raise truncated("clip") from None
    if header.width == 0 or header.height == 0 or header.frames == 0:
        raise damaged_clip("no frames")
    return header


def damaged_clip(what: str) -> PictureError:
    """The error for a clip with a damaged structure; ``what`` says where."""
    return damaged(what, "clip")


def _read_gif(data: bytes) -> Header:
    """Blocks up to the trailer: GIF89a specification, sections 18 to 27."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _color_table(flags)
    frames, delay, seconds = 0, 0.0, 0.0
    for _ in range(MAX_PARTS):
        match data[at]:
            case 0x3B:
                return Header("GIF", width, height, frames=frames, seconds=seconds)
            case 0x21:
                if data[at + 1] == 0xF9:
                    delay = struct.unpack_from("<H", data, at + 4)[0] / 100
                at = _after_sub_blocks(data, at + 2)
            case 0x2C:
                frames += 1
                seconds += shown_seconds(delay)
                delay = 0.0
                at = _after_sub_blocks(data, at + 11 + _color_table(data[at + 9]))
            case _:
                raise damaged_clip("an unknown block")
    raise damaged_clip("too many pieces")


def _color_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, at: int) -> int:
    while length := data[at]:
        at += 1 + length
    return at + 1


def _read_mp4(data: bytes) -> Header:
    """Boxes: ISO/IEC 14496-12, sections 4.2, 8.3.2, 8.4.2, 8.4.3 and 8.7.3."""
    movie = None
    for kind, start, stop in _boxes(data, 0, len(data)):
        if stop > len(data):
            raise truncated("clip")
        if kind == b"moov":
            movie = (start, stop)
        elif kind == b"moof":
            raise PictureError(
                "This MP4 is in fragments, as streams are: save it as an ordinary file.", "unsupported_format"
            )
    if movie is None:
        raise truncated("clip")
    for kind, start, stop in _boxes(data, *movie):
        if kind == b"trak" and (found := _video_track(data, start, stop)) is not None:
            return found
    raise damaged_clip("no video in it")


def _video_track(data: bytes, start: int, stop: int) -> Header | None:
    """The header of a video track; None for another track."""
    width = height = frames = 0
    seconds, is_video = 0.0, False
    for kind, at, _ in _inside(data, start, stop):
        match kind:
            case b"tkhd":
                # Fixed-point numbers of 32 bits, at the end of a box of one of two lengths. Before them is
                # the display matrix, whose diagonal is 0 for a rotation by 90 degrees.
                sides = at + (88 if data[at] else 76)
                width, height = (side >> 16 for side in struct.unpack_from(">II", data, sides))
                if struct.unpack_from(">I", data, sides - 36)[0] == 0:
                    width, height = height, width
            case b"mdhd":
                layout, offset = (">IQ", 20) if data[at] else (">II", 12)
                scale, duration = struct.unpack_from(layout, data, at + offset)
                seconds = duration / scale if scale else 0.0
            case b"hdlr":
                is_video = is_video or data[at + 8 : at + 12] == b"vide"
            case b"stsz" | b"stz2":
                (frames,) = struct.unpack_from(">I", data, at + 8)
    return Header("MP4", width, height, frames=frames, seconds=seconds) if is_video else None


def _inside(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """All boxes within a track, nested ones too."""
    for kind, at, end in _boxes(data, start, stop):
        yield kind, at, end
        if kind in (b"mdia", b"minf", b"stbl"):
            yield from _inside(data, at, end)


def _boxes(data: bytes, at: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Boxes between two offsets: kind, and the start and end of the content."""
    for _ in range(MAX_PARTS):
        if at + 8 > stop:
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = at + length if length else stop
        if end < start:
            raise damaged_clip("a box shorter than its own header")
        yield kind, start, end
        at = end
    raise damaged_clip("too many pieces")


class Element(IntEnum):
    """The ids of Matroska elements that are read here: RFC 9559, section 5.1."""

    SEGMENT = 0x18538067
    INFO = 0x1549A966
    TIMESTAMP_SCALE = 0x2AD7B1
    DURATION = 0x4489
    TRACKS = 0x1654AE6B
    TRACK_ENTRY = 0xAE
    TRACK_NUMBER = 0xD7
    TRACK_TYPE = 0x83
    VIDEO = 0xE0
    PIXEL_WIDTH = 0xB0
    PIXEL_HEIGHT = 0xBA
    CLUSTER = 0x1F43B675
    TIMESTAMP = 0xE7
    SIMPLE_BLOCK = 0xA3
    BLOCK_GROUP = 0xA0
    BLOCK = 0xA1


# These are entered rather than skipped, since live recordings do not state their lengths.
_HOLDERS = {
    Element.SEGMENT,
    Element.INFO,
    Element.TRACKS,
    Element.TRACK_ENTRY,
    Element.VIDEO,
    Element.CLUSTER,
    Element.BLOCK_GROUP,
}


def _read_webm(data: bytes) -> Header:
    """Elements of EBML (RFC 8794, section 6); counts the blocks of the first video track."""
    scale, duration, latest, cluster = 1_000_000, 0.0, 0, 0
    width = height = frames = 0
    number, video = 0, 0
    for identity, start, stop in _elements(data):
        match identity:
            case Element.TIMESTAMP_SCALE:
                scale = int.from_bytes(data[start:stop], "big")
            case Element.DURATION:
                (duration,) = struct.unpack(">f" if stop - start == 4 else ">d", data[start:stop])
            case Element.TRACK_NUMBER:
                number = int.from_bytes(data[start:stop], "big")
            case Element.TRACK_TYPE:
                video = video or (number if data[start] == 1 else 0)
            case Element.PIXEL_WIDTH:
                width = width or int.from_bytes(data[start:stop], "big")
            case Element.PIXEL_HEIGHT:
                height = height or int.from_bytes(data[start:stop], "big")
            case Element.TIMESTAMP:
                cluster = int.from_bytes(data[start:stop], "big")
            case Element.SIMPLE_BLOCK | Element.BLOCK:
                if data[start] & 0x7F == video:
                    frames += 1
                    latest = cluster + struct.unpack_from(">h", data, start + 1)[0]
    # A live recording states no duration; its last frame is taken to last as long as the mean of the others.
    ticks = duration or (latest * frames / (frames - 1) if frames > 1 else 0)
    return Header("WEBM", width, height, frames=frames, seconds=ticks * scale / 1e9)


def _elements(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Elements in order, parents before children: id, and the start and end of the content."""
    at = 0
    for _ in range(MAX_PARTS):
        if at >= len(data):
            return
        identity, start = _variable(data, at, keep_marker=True)
        size, start = _variable(data, start, keep_marker=False)
        if identity in _HOLDERS:
            at = start
            continue
        if start + size > len(data):
            raise truncated("clip")
        yield identity, start, start + size
        at = start + size
    raise damaged_clip("too many pieces")


def _variable(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    """A number whose length is given by the leading zeros of its first byte, and its end."""
    length = 9 - data[at].bit_length()
    if length > 8:
        raise damaged_clip("a number too long")
    value = int.from_bytes(data[at : at + length], "big")
    if at + length > len(data):
        raise truncated("clip")
    return (value if keep_marker else value & ~(1 << 7 * length)), at + length
