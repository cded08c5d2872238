"""The structure of WebP files: RFC 9649, section 2, with frames of VP8 (RFC 6386, section 9.1) and VP8L."""

from collections.abc import Iterator

from app.media.errors import damaged, truncated
from app.media.headers import Header, count_part, shown_seconds

_FIRST = 12
# Bytes of a frame before its chunks.
_FRAME = 16
# The chunks of a frame's pixels.
_PIXELS = (b"ALPH", b"VP8 ", b"VP8L")


def read_webp(data: bytes) -> Header:
    """The header. Raises PictureError if the file is damaged, or its pixels are cut off."""
    header, _ = _read(data)
    return header


def ended_webp(data: bytes) -> bytes:
    """A WebP whose end is missing, with its whole chunks alone."""
    _, stop = _read(data)
    whole = data[:stop] + b"\0" * (stop % 2)
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]


def first_frame(data: bytes) -> bytes | None:
    """The first frame of an animation as a file of its own; None if it is not as large as the whole.

    For files whose header :func:`read_webp` reads.
    """
    sides = b""
    for kind, chunk in _chunks(data, _FIRST, len(data)):
        if kind == b"VP8X":
            sides = chunk[4:10]
        elif kind == b"ANMF":
            if chunk[:6] != bytes(6) or chunk[6:12] != sides:
                return None
            parts = [(kind, part) for kind, part in _chunks(chunk, _FRAME, len(chunk)) if kind in _PIXELS]
            if not parts:
                return None
            # Without it a decoder does not look for the alpha channel.
            flags = bytes([0x10 if parts[0][0] == b"ALPH" else 0, 0, 0, 0])
            parts.insert(0, (b"VP8X", flags + sides))
            body = b"".join(kind + _bytes(len(part)) + part + b"\0" * (len(part) % 2) for kind, part in parts)
            return b"RIFF" + _bytes(4 + len(body)) + b"WEBP" + body
    return None


def _chunks(data: bytes, at: int, stop: int) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the whole chunks of some bytes."""
    for start, end in _places(data, at, stop):
        yield data[start : start + 4], data[start + 8 : end]


def _places(data: bytes, at: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where the whole chunks of some bytes start and end."""
    while at + 8 <= stop:
        end = at + 8 + _little(data[at + 4 : at + 8])
        if end > stop:
            return
        yield at, end
        at = end + end % 2


def _read(data: bytes) -> tuple[Header, int]:
    """The header, and the end of the last whole chunk."""
    stop = 8 + _little(data[4:8])
    ends = stop <= len(data)
    at, parts, frames, seconds = _FIRST, 0, 0, 0.0
    size: tuple[int, int] | None = None
    has_pixels = has_alpha = False
    while at + 8 <= min(stop, len(data)):
        parts = count_part(parts)
        kind, length = data[at : at + 4], _little(data[at + 4 : at + 8])
        head = data[at + 8 : at + 18]
        if at + 8 + length > min(stop, len(data)):
            if ends:
                raise damaged("a chunk is longer than the file")
            if kind in (b"VP8 ", b"VP8L", b"ALPH", b"ANMF") or not has_pixels:
                raise truncated()
            break
        if kind == b"VP8X":
            has_alpha = bool(head[0] & 0x10) if head else False
            size = size or (_little(head[4:7]) + 1, _little(head[7:10]) + 1)
        elif kind == b"VP8 ":
            has_pixels = True
            size = size or (_little(head[6:8]) & 0x3FFF, _little(head[8:10]) & 0x3FFF)
        elif kind == b"VP8L":
            fields = _little(head[1:5])
            has_pixels = True
            has_alpha = has_alpha or bool(fields >> 28 & 1)
            size = size or ((fields & 0x3FFF) + 1, (fields >> 14 & 0x3FFF) + 1)
        elif kind == b"ANMF":
            has_pixels = True
            frames += 1
            seconds += shown_seconds(_little(data[at + 20 : at + 23]) / 1000)
            # Its pixels are chunks again, which first_frame reads.
            for _ in _places(data, at + 8 + _FRAME, at + 8 + length):
                parts = count_part(parts)
        at += 8 + length + (length & 1)
    if size is None or not has_pixels:
        raise damaged("no pixels") if ends else truncated()
    header = Header("WEBP", *size, has_alpha=has_alpha, frames=max(frames, 1), seconds=seconds, ends=ends)
    return header, min(at, len(data))


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _bytes(number: int) -> bytes:
    return number.to_bytes(4, "little")
