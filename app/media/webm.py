"""Headers of WebM and Matroska files: RFC 8794 (EBML) and RFC 9559."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite

from app.media.errors import damaged_clip, truncated
from app.media.headers import MAX_PARTS, Header

# Bytes of a number: RFC 8794, section 7.
_MAX_NUMBER = 8
_PIXELS, _UNKNOWN_UNIT = 0, 4


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
    DISPLAY_WIDTH = 0x54B0
    DISPLAY_HEIGHT = 0x54BA
    DISPLAY_UNIT = 0x54B2
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
_SIDES = {
    Element.PIXEL_WIDTH,
    Element.PIXEL_HEIGHT,
    Element.DISPLAY_WIDTH,
    Element.DISPLAY_HEIGHT,
    Element.DISPLAY_UNIT,
}


@dataclass
class _Film:
    """What is known of the first video track, while elements are read."""

    scale: int = 1_000_000
    duration: float = 0.0
    number: int = 0
    video: int = 0
    cluster: int = 0
    latest: int = 0
    frames: int = 0


def read_webm(data: bytes) -> Header:
    """The header of the first video track; counts its blocks.

    Raises PictureError, and IndexError or struct.error where the file ends too early.
    """
    film, sides = _Film(), dict[int, int]()
    for identity, start, stop in _elements(data):
        if identity in _SIDES:
            # Of another video track, those of the first one stay.
            sides.setdefault(identity, _number(data, start, stop))
        else:
            _read(film, data, identity, start, stop)
    # A live recording states no duration; its last frame is taken to last as long as the mean of the others.
    frames = film.frames
    ticks = film.duration or (film.latest * frames / (frames - 1) if frames > 1 else 0)
    width, height = sides.get(Element.PIXEL_WIDTH, 0), sides.get(Element.PIXEL_HEIGHT, 0)
    shown = sides.get(Element.DISPLAY_WIDTH, 0), sides.get(Element.DISPLAY_HEIGHT, 0)
    if all(shown) and sides.get(Element.DISPLAY_UNIT, _PIXELS) != _UNKNOWN_UNIT:
        # Its unit does not matter: only its proportions are those that are shown.
        width = round(height * shown[0] / shown[1])
    return Header("WEBM", width, height, frames=frames, seconds=ticks * film.scale / 1e9)


def _read(film: _Film, data: bytes, identity: int, start: int, stop: int) -> None:
    match identity:
        case Element.TIMESTAMP_SCALE:
            film.scale = _number(data, start, stop)
        case Element.DURATION:
            film.duration = _float(data, start, stop)
        case Element.TRACK_NUMBER:
            film.number = _number(data, start, stop)
        case Element.TRACK_TYPE:
            film.video = film.video or (film.number if data[start] == 1 else 0)
        case Element.TIMESTAMP:
            film.cluster = _number(data, start, stop)
        case Element.SIMPLE_BLOCK | Element.BLOCK:
            if data[start] & 0x7F == film.video:
                film.frames += 1
                film.latest = film.cluster + struct.unpack_from(">h", data, start + 1)[0]


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
    raise damaged_clip(f"it is in more than {MAX_PARTS:,} pieces")


def _variable(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    """A number whose length is given by the leading zeros of its first byte, and its end."""
    length = 9 - data[at].bit_length()
    if length > _MAX_NUMBER:
        raise damaged_clip("a number too long")
    value = int.from_bytes(data[at : at + length], "big")
    if at + length > len(data):
        raise truncated("clip")
    return (value if keep_marker else value & ~(1 << 7 * length)), at + length


def _number(data: bytes, start: int, stop: int) -> int:
    if stop - start > _MAX_NUMBER:
        raise damaged_clip("a number too long")
    return int.from_bytes(data[start:stop], "big")


def _float(data: bytes, start: int, stop: int) -> float:
    if stop - start not in (0, 4, 8):
        raise damaged_clip("a number of a strange length")
    value: float = 0.0
    if stop > start:
        (value,) = struct.unpack(">f" if stop - start == 4 else ">d", data[start:stop])
    if not isfinite(value) or value < 0:
        raise damaged_clip("a length that is no number")
    return value
