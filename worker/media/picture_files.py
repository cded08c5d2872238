"""Writes pictures as PNG, JPEG, WebP and TIFF files, with 8 or 16 bits a channel, in sRGB.

Pillow writes no RGB with 16 bits: such PNGs, and all TIFFs, are written here.
"""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image
from torch import Tensor

from app.kinds.fields import BitDepth, PictureFormat
from app.media.png import PNG_SIGNATURE
from app.media.recipe_text import RECIPE_KEY, dump_recipe
from worker.media.pictures import encode_png, levels_of, require_finite, resize, to_image
from worker.media.profiles import srgb_profile

# Lossy, with the colors of every pixel (4:4:4): no block is seen at this quality.
_QUALITY = 95
# A segment of a JPEG has 64 KiB; a longer recipe stays a file of its own.
_MAX_EXIF = 65_000
# Bytes of rows that are compressed at a time.
_STRIP_BYTES = 1 << 18

Recipe = dict[str, Any] | None


def encode_picture(
    rgb: Tensor,
    alpha: Tensor | None = None,
    recipe: Recipe = None,
    format: PictureFormat = "png",
    bit_depth: BitDepth = 8,
) -> bytes:
    """A picture file in sRGB that carries its recipe; the same bytes for the same picture and recipe.

    ``rgb`` is ``(1, 3, H, W)`` in [0, 1], or ``(1, 4, H, W)`` with alpha last; ``alpha`` is ``(1, 1, h, w)``
    and is resized to fit. Values outside [0, 1] are clipped; ComputationError if any is not finite. A JPEG
    has no alpha: there the picture lies on white. JPEG and WebP have 8 bits a channel.
    """
    if format == "png" and bit_depth == 8:
        return encode_png(rgb, alpha, recipe)
    if alpha is not None:
        alpha = resize(alpha.to(rgb), (rgb.shape[-2], rgb.shape[-1]))
        rgb = torch.cat([rgb[:, :3], alpha], dim=1)
    match format:
        case "jpeg":
            return _with_pillow(_on_white(rgb), recipe, "JPEG", subsampling=0)
        case "webp":
            return _with_pillow(rgb, recipe, "WEBP")
        case "png":
            return _deep_png(levels_of(rgb, 16), recipe)
        case "tiff":
            return _tiff(levels_of(rgb, bit_depth), recipe)


def _on_white(picture: Tensor) -> Tensor:
    if picture.shape[1] == 3:
        return picture
    require_finite(picture)
    rgb, alpha = picture[:, :3].clamp(0, 1), picture[:, 3:].clamp(0, 1)
    return rgb * alpha + (1 - alpha)


def _with_pillow(picture: Tensor, recipe: Recipe, format: str, **options: int) -> bytes:
    exif = b""
    if recipe is not None:
        described = Image.Exif()
        described[ExifTags.Base.ImageDescription] = dump_recipe(recipe, ascii_only=True)
        exif = described.tobytes()
    out = BytesIO()
    to_image(picture).save(
        out,
        format,
        quality=_QUALITY,
        icc_profile=srgb_profile(),
        exif=exif if len(exif) <= _MAX_EXIF else b"",
        **options,
    )
    return out.getvalue()


def _strips(levels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows of a picture (H, W, C), some at a time."""
    rows = max(1, _STRIP_BYTES // levels[0].nbytes)
    for top in range(0, len(levels), rows):
        yield levels[top : top + rows]


def _deep_png(levels: NDArray[Any], recipe: Recipe) -> bytes:
    """A PNG with 16 bits a channel: PNG specification, third edition."""
    height, width, channels = levels.shape
    color_type = 2 if channels == 3 else 6
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)),
        (b"sRGB", b"\0"),  # intent: perceptual
    ]
    if recipe is not None:
        # Keyword, no compression, neither language nor translated keyword, text.
        chunks.append((b"iTXt", RECIPE_KEY.encode() + b"\0\0\0\0\0" + dump_recipe(recipe).encode()))
    packer = zlib.compressobj()
    pixels = [packer.compress(_filtered(rows)) for rows in _strips(levels)]
    chunks += [(b"IDAT", b"".join([*pixels, packer.flush()])), (b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _filtered(rows: NDArray[Any]) -> bytes:
    """Rows of a PNG with the filter Sub (1): each byte less that of the pixel to the left; section 9.2."""
    count, width, channels = rows.shape
    data = np.ascontiguousarray(rows, ">u2").view(np.uint8).reshape(count, width, 2 * channels)
    data[:, 1:] -= data[:, :-1].copy()
    made = np.ones((count, 1 + data[0].size), np.uint8)
    made[:, 1:] = data.reshape(count, -1)
    return made.tobytes()


def _tiff(levels: NDArray[Any], recipe: Recipe) -> bytes:
    """A little-endian TIFF: Deflate with the horizontal predictor, in strips; TIFF 6.0 and its notes."""
    height, width, channels = levels.shape
    size = levels.itemsize
    strips = []
    for rows in _strips(levels):
        differences = rows.astype(f"<u{size}")
        differences[:, 1:] -= rows[:, :-1]
        strips.append(zlib.compress(differences.tobytes()))
    lengths = [len(strip) for strip in strips]
    starts = np.cumsum([8, *lengths]).tolist()
    short, long = "H", "I"
    entries: list[tuple[int, int, bytes, int]] = []

    def add(tag: int, kind: str, *values: int) -> None:
        entries.append(
            (tag, 3 if kind == short else 4, struct.pack(f"<{len(values)}{kind}", *values), len(values))
        )

    def add_bytes(tag: int, kind: int, value: bytes) -> None:
        entries.append((tag, kind, value, len(value)))

    add(256, long, width)
    add(257, long, height)
    add(258, short, *[8 * size] * channels)
    add(259, short, 8)  # Deflate
    add(262, short, 2)  # RGB
    if recipe is not None:
        add_bytes(270, 2, dump_recipe(recipe, ascii_only=True).encode() + b"\0")
    add(273, long, *starts[:-1])
    add(277, short, channels)
    add(278, long, max(1, _STRIP_BYTES // levels[0].nbytes))
    add(279, long, *lengths)
    add(284, short, 1)  # interleaved
    add(317, short, 2)  # horizontal differences
    if channels == 4:
        add(338, short, 2)  # straight alpha
    add_bytes(34675, 7, srgb_profile())
    return _assembled(strips, starts[-1], entries)


def _assembled(strips: list[bytes], end: int, entries: list[tuple[int, int, bytes, int]]) -> bytes:
    """The header, the strips up to ``end``, the directory, and the values that do not fit into it."""
    padding = end % 2
    directory = end + padding
    behind = directory + 2 + 12 * len(entries) + 4
    rows, values = [], []
    for tag, kind, value, count in entries:
        if len(value) <= 4:
            place = value.ljust(4, b"\0")
        else:
            place = struct.pack("<I", behind)
            values.append(value + b"\0" * (len(value) % 2))
            behind += len(values[-1])
        rows.append(struct.pack("<HHI", tag, kind, count) + place)
    return b"".join(
        [
            struct.pack("<2sHI", b"II", 42, directory),
            *strips,
            b"\0" * padding,
            struct.pack("<H", len(entries)),
            *rows,
            b"\0" * 4,
            *values,
        ]
    )
