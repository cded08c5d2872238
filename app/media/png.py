"""The structure of PNG files: PNG specification, third edition."""

import zlib
from collections.abc import Iterator

from app.media.errors import damaged, truncated
from app.media.headers import Cicp, Header, count_part

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What pixels and their colors depend on. Anything else is of no use to a decoder, and may be damaged.
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT"})
_COLORS = frozenset({b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM"})
_END = b"\0\0\0\0IEND\xaeB`\x82"
# Bytes of a color profile once it is decompressed; Pillow opens no picture with a larger one.
_MAX_PROFILE = 1 << 20

# Type, content, and the bytes of the whole chunk.
Chunk = tuple[bytes, memoryview, memoryview]


def read_png(data: bytes) -> Header:
    """The header. Raises PictureError if the file is damaged, or its pixels are cut off."""
    header = b""
    has_pixels = has_alpha = ends = False
    frames, exif, cicp = 1, None, None
    for kind, body, _ in _chunks(data):
        if (kind == b"IHDR") == bool(header) or (kind == b"IHDR" and len(body) != 13):
            raise damaged("no proper header")
        match kind:
            case b"IHDR":
                header = bytes(body)
                has_alpha = header[9] in (4, 6)
            case b"tRNS":
                has_alpha = True
            case b"acTL":
                frames = int.from_bytes(body[:4], "big")
            case b"eXIf":
                exif = bytes(body)
            case b"cICP" if len(body) == 4:
                # Primaries, transfer, no matrix, full range: of more weight than a profile, if it is known.
                found = Cicp(body[0], body[1])
                cicp = found if found.is_known else None
            case b"IDAT":
                has_pixels = True
            case b"IEND":
                ends = True
    if not has_pixels:
        raise damaged("no pixels") if ends else truncated()
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    return Header("PNG", width, height, has_alpha, frames, header[8], exif, ends=ends, cicp=cicp)


def pixels_of_png(data: bytes) -> bytes:
    """A PNG of the pixels and their colors alone: without texts, of which decoders have too much, say."""
    chunks, colors = [], set()
    for kind, body, chunk in _chunks(data):
        if kind in _COLORS and kind not in colors:
            # Decoders take the first of each, and a file may have many.
            colors.add(kind)
            if kind != b"iCCP" or _is_usable_profile(body):
                chunks.append(chunk)
        elif kind in _CRITICAL:
            chunks.append(chunk)
    return b"".join([PNG_SIGNATURE, *chunks, _END])


def text_of_png(data: bytes, keyword: str, most: int) -> bytes | None:
    """The international text of a keyword (section 11.3.3.4), UTF-8; None if there is none.

    Of a compressed one that has more, ``most`` bytes and another. Raises ValueError and zlib.error.
    """
    for kind, body, _ in _chunks(data):
        if kind == b"iTXt" and body[: len(keyword) + 1] == keyword.encode() + b"\0":
            # Whether it is compressed, and how; then language and translated keyword, each with a zero.
            rest = bytes(body[len(keyword) + 1 :])
            _, _, text = rest[2:].split(b"\0", 2)
            return zlib.decompressobj().decompress(text, most + 1) if rest[0] else text
    return None


def _is_usable_profile(body: memoryview) -> bool:
    """Whether a color profile can be decompressed: a name, a zero, the method, and a zlib stream."""
    _, _, packed = bytes(body).partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(packed[1:], _MAX_PROFILE)
    except zlib.error:
        return False
    return unpacker.eof


def _chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks up to the end marker (section 5.3), or to where the file ends behind the pixels.

    What is no part of the pixels is left out where its checksum is wrong, as decoders do.
    """
    view = memoryview(data)
    at, parts, has_pixels = len(PNG_SIGNATURE), 0, False
    while True:
        parts = count_part(parts)
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            if has_pixels and (kind != b"IDAT" or at + 8 >= len(data)):
                return
            raise truncated()
        if zlib.crc32(view[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big"):
            yield kind, view[at + 8 : end - 4], view[at:end]
        elif kind in _CRITICAL or (not has_pixels and not _is_ancillary(kind)):
            raise damaged("a checksum is wrong")
        if kind == b"IEND":
            return
        has_pixels = has_pixels or kind == b"IDAT"
        at = end


def _is_ancillary(kind: bytes) -> bool:
    """Whether a decoder may do without chunks of a type: section 5.4."""
    return bool(kind[0] & 0x20)
