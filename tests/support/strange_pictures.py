"""Makers of picture files as people send them: ordinary, unusual and broken. Each returns a whole file."""

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
Color = tuple[int, ...]


def encode(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """A Pillow image as a file."""
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def plain(
    format: str = "PNG",
    size: tuple[int, int] = (24, 16),
    color: Color = (200, 120, 40),
    mode: str = "RGB",
    **options: Any,
) -> bytes:
    """A picture of one colour."""
    return encode(Image.new(mode, size, color if len(color) > 1 else color[0]), format, **options)


def noise(format: str = "PNG", size: tuple[int, int] = (24, 16), seed: int = 0, **options: Any) -> bytes:
    """A picture of independent random pixels, which no format compresses much."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return encode(Image.fromarray(pixels), format, **options)


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with a right checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(
    width: int,
    height: int,
    rows: Sequence[bytes] | bytes,
    *,
    bits: int = 8,
    color_type: int = 2,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG from its rows as stored (without filter bytes), or from a compressed stream.

    ``before`` and ``after`` are chunks before and after the pixels. Colour types: 0 grey, 2 RGB,
    3 palette, 4 grey and alpha, 6 RGBA.
    """
    stream = rows if isinstance(rows, bytes) else zlib.compress(b"".join(b"\0" + row for row in rows))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0))
    return PNG_SIGNATURE + header + before + chunk(b"IDAT", stream) + after + chunk(b"IEND", b"")


def bomb(side: int = 13_000) -> bytes:
    """169 megapixels in 20 kB: a square of 1-bit black."""
    row = b"\0" * (1 + (side + 7) // 8)
    compressor = zlib.compressobj(9)
    stream = b"".join(compressor.compress(row) for _ in range(side)) + compressor.flush()
    return raw_png(side, side, stream, bits=1, color_type=0)


def grey16(levels: Sequence[Sequence[int]], before: bytes = b"") -> bytes:
    """A 16-bit grey PNG of these levels, 0 to 65535."""
    rows = [struct.pack(f">{len(row)}H", *row) for row in levels]
    return raw_png(len(levels[0]), len(levels), rows, bits=16, color_type=0, before=before)


def rgb16(pixels: Sequence[Sequence[Color]], before: bytes = b"") -> bytes:
    """A 16-bit RGB PNG of these pixels."""
    rows = [b"".join(struct.pack(">3H", *pixel) for pixel in row) for row in pixels]
    return raw_png(len(pixels[0]), len(pixels), rows, bits=16, before=before)


def palette_png(alpha: bytes = b"\0\x80\xff") -> bytes:
    """3×1: red, green, blue from a palette, with an opacity for each entry."""
    before = chunk(b"PLTE", b"\xff\0\0\0\xff\0\0\0\xff") + (chunk(b"tRNS", alpha) if alpha else b"")
    return raw_png(3, 1, [b"\0\1\2"], color_type=3, before=before)


def exif(orientation: int) -> bytes:
    """EXIF data that says nothing but an orientation."""
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def rotated(orientation: int, format: str = "PNG", size: tuple[int, int] = (24, 16)) -> bytes:
    """A picture with a red left upper quarter as stored, which EXIF says to turn. Sides are even."""
    image = Image.new("RGB", size, "white")
    image.paste((255, 0, 0), (0, 0, size[0] // 2, size[1] // 2))
    options: dict[str, Any] = {"PNG": {}, "JPEG": {"quality": 100}, "WEBP": {"lossless": True}}[format]
    return encode(image, format, exif=exif(orientation), **options)


def rotated_late(orientation: int) -> bytes:
    """A PNG, 2×1, whose EXIF data comes after the pixels."""
    after = chunk(b"eXIf", exif(orientation).removeprefix(b"Exif\0\0"))
    return raw_png(2, 1, [b"\xff\0\0\0\0\xff"], after=after)


def animated(format: str = "WEBP", frames: int = 3) -> bytes:
    """An animated WebP, PNG or GIF."""
    images = [Image.new("RGB", (24, 16), (80 * index, 0, 0)) for index in range(frames)]
    return encode(images[0], format, save_all=True, append_images=images[1:], duration=100)


def cmyk_jpeg(ink: Color = (255, 0, 0, 0), **options: Any) -> bytes:
    """A JPEG of one mixture of inks, 255 full; stored inverted with an Adobe marker, as Photoshop does."""
    return plain("JPEG", color=ink, mode="CMYK", quality=100, **options)


def with_segment(code: int, body: bytes, data: bytes) -> bytes:
    """A JPEG with a segment more, the first one."""
    return data[:2] + struct.pack(">BBH", 0xFF, code, len(body) + 2) + body + data[2:]


def jpeg_with_thumbnail() -> bytes:
    """A JPEG that carries a whole JPEG, with its own end marker, in its EXIF segment."""
    thumbnail = noise("JPEG", (8, 8))
    body = b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail
    data = noise("JPEG", quality=95)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def two_picture_jpeg() -> bytes:
    """A JPEG in the multi-picture format of many phones: one picture to see, one behind it."""
    first, second = Image.new("RGB", (24, 16), "red"), Image.new("RGB", (12, 8), "blue")
    return encode(first, "MPO", save_all=True, append_images=[second])


def profile(space: str, gamma: float = 1.0, primaries: Sequence[Color] | None = None) -> bytes:
    """An ICC profile (v2, matrix and curves) for ``GRAY`` or ``RGB``.

    ``primaries`` are XYZ of red, green and blue under D50 in units of 1/65536, by default those of
    sRGB.
    """
    white = (63190, 65536, 54061)  # D50
    curve = b"curv" + b"\0" * 4 + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"wtpt": _xyz(white)}
    if space == "GRAY":
        tags[b"kTRC"] = curve
    else:
        srgb = ((28578, 14581, 912), (25238, 46988, 6363), (9374, 3967, 46786))
        for name, primary in zip(b"rgb", primaries or srgb, strict=True):
            tags[bytes([name]) + b"XYZ"] = _xyz(primary)
            tags[bytes([name]) + b"TRC"] = curve
    return _icc(b"mntr", space.encode().ljust(4), b"XYZ ", tags)


def cmyk_profile() -> bytes:
    """An ICC profile for CMYK whose inks do nothing but black: L* is 100 without it and 0 in full."""
    inputs = bytes(range(256)) * 4
    lightness = [0 if corner & 1 else 255 for corner in range(16)]  # the last ink varies fastest
    grid = b"".join(bytes([level, 128, 128]) for level in lightness)
    matrix = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    lut = b"mft1" + b"\0" * 4 + bytes([4, 3, 2, 0]) + matrix + inputs + grid + bytes(range(256)) * 3
    tags = {b"wtpt": _xyz((63190, 65536, 54061)), b"A2B0": lut, b"A2B1": lut}
    return _icc(b"prtr", b"CMYK", b"Lab ", tags)


def _xyz(values: Color) -> bytes:
    return b"XYZ " + b"\0" * 4 + struct.pack(">3i", *values)


def _icc(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": b"desc" + b"\0" * 4 + struct.pack(">I", 5) + b"test\0" + b"\0" * 78, **tags}
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", at + len(body), b"test", 0x02100000, device, space, connection)
    header += struct.pack(">6H4s", 2025, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body
