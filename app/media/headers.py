"""Headers of PNG, JPEG, WebP and TIFF files, read from their structure without decoding a pixel.

The whole structure is read, to the end marker, so that a truncated file is recognised, and in a PNG a wrong
checksum.
"""

import re
import zlib
from dataclasses import dataclass
from typing import Literal

from app.media.errors import PictureError, damaged, truncated
from app.media.magic import name_of
from app.media.tiff import TIFF_SIGNATURES, read_tiff

Format = Literal["PNG", "JPEG", "WEBP", "TIFF", "GIF", "MP4", "WEBM"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Real files have a few thousand at most; the limit bounds the time.
MAX_PARTS = 200_000
# Any marker except the stuffed zero, the restart markers and a fill byte.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Browsers show GIF and WebP frames of 0.01 s or less for 0.1 s.
_SHORTEST, _INSTEAD = 0.011, 0.1


@dataclass(frozen=True)
class Header:
    """The header of a picture or a clip.

    ``width`` and ``height`` are as stored, before any rotation, but as displayed for a clip; ``bits`` are
    those of a sample. ``exif`` is set for a PNG only, where Pillow would decode the pixels to find it.
    ``premultiplied``: colors are stored multiplied by alpha. ``seconds`` is the length of a clip; 0: not
    stated.
    """

    format: Format
    width: int
    height: int
    has_alpha: bool = False
    frames: int = 1
    bits: int = 8
    exif: bytes | None = None
    premultiplied: bool = False
    seconds: float = 0.0


def read_header(data: bytes) -> Header:
    """Read the structure of a whole file. Raises PictureError if it is unsupported, truncated or damaged."""
    if not data:
        raise PictureError("The file is empty (0 bytes). Was it sent completely?", "empty")
    if data.startswith(PNG_SIGNATURE):
        header = _read_png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        header = _read_jpeg(data)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        header = _read_webp(data)
    elif data.startswith(TIFF_SIGNATURES):
        found = read_tiff(data)
        header = Header(
            "TIFF",
            found.width,
            found.height,
            found.alpha != "none",
            bits=found.bits,
            premultiplied=found.alpha == "premultiplied",
        )
    else:
        raise _refusal(data)
    if header.width == 0 or header.height == 0:
        raise damaged(f"{header.width}×{header.height} pixels")
    return header


def shown_seconds(seconds: float) -> float:
    """How long browsers show a frame of a GIF or a WebP that asks for ``seconds``."""
    return seconds if seconds >= _SHORTEST else _INSTEAD


def _refusal(data: bytes) -> PictureError:
    name = name_of(data)
    if name is None:
        return PictureError("This is not a picture. Send a JPEG, PNG, WebP or TIFF file.", "not_a_picture")
    return PictureError(
        f"This is {name}, which is not supported: convert it to JPEG or PNG.", "unsupported_format"
    )


def _count(parts: int) -> int:
    if parts >= MAX_PARTS:
        raise damaged(f"it is in more than {MAX_PARTS:,} pieces")
    return parts + 1


def _read_png(data: bytes) -> Header:
    """Chunks of (length, type, data, CRC): PNG specification, third edition, section 5.3."""
    view = memoryview(data)
    at, parts = len(PNG_SIGNATURE), 0
    header = b""
    has_pixels = has_alpha = False
    frames, exif = 1, None
    while True:
        parts = _count(parts)
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise truncated()
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise damaged("a checksum is wrong")
        body = view[at + 8 : end - 4]
        if (kind == b"IHDR") == bool(header) or (kind == b"IHDR" and length != 13):
            raise damaged("no proper header")
        if kind == b"IHDR":
            header = bytes(body)
            has_alpha = header[9] in (4, 6)
        elif kind == b"tRNS":
            has_alpha = True
        elif kind == b"acTL":
            frames = int.from_bytes(body[:4], "big")
        elif kind == b"eXIf":
            exif = bytes(body)
        elif kind == b"IDAT":
            has_pixels = True
        elif kind == b"IEND":
            break
        at = end
    if not has_pixels:
        raise damaged("no pixels")
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    return Header("PNG", width, height, has_alpha, frames, header[8], exif)


def _read_jpeg(data: bytes) -> Header:
    """Segments up to the end marker that follows a scan: ITU-T T.81, annex B.

    A thumbnail inside the EXIF segment has an end marker of its own, which is skipped with its segment. What
    phones append after the end (a video, a gain map) is ignored.
    """
    at, parts = 2, 0
    width = height = 0
    bits = 0
    has_scan = False
    while True:
        parts = _count(parts)
        marker = _JPEG_MARKER.search(data, at)
        if marker is None:
            raise truncated()
        code, at = marker[1][0], marker.end()
        if code == 0xD9:
            if not has_scan:
                raise damaged("no pixels")
            if bits != 8:
                raise PictureError(
                    f"This JPEG has {bits} bits a colour, which is not supported: save it with 8.",
                    "unsupported_format",
                )
            return Header("JPEG", width, height)
        if code in (0x01, 0xD8):
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if at + max(length, 2) > len(data):
            raise truncated()
        if code in _JPEG_SIZES:
            bits = data[at + 2]
            height = int.from_bytes(data[at + 3 : at + 5], "big")
            width = int.from_bytes(data[at + 5 : at + 7], "big")
        has_scan = has_scan or code == 0xDA
        at += max(length, 2)


def _read_webp(data: bytes) -> Header:
    """RIFF chunks: RFC 9649, section 2; the frame headers VP8 (RFC 6386, section 9.1) and VP8L."""
    stop = 8 + _little(data[4:8])
    if stop > len(data):
        raise truncated()
    at, parts, frames, seconds = 12, 0, 0, 0.0
    size: tuple[int, int] | None = None
    has_pixels = has_alpha = False
    while at + 8 <= stop:
        parts = _count(parts)
        kind, length = data[at : at + 4], _little(data[at + 4 : at + 8])
        head = data[at + 8 : at + 18]
        if at + 8 + length > stop:
            raise damaged("a chunk is longer than the file")
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
        at += 8 + length + (length & 1)
    if size is None or not has_pixels:
        raise damaged("no pixels")
    return Header("WEBP", *size, has_alpha=has_alpha, frames=max(frames, 1), seconds=seconds)


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
