"""TIFF files, built by hand."""

import struct
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

# Types of values: SHORT and LONG, and bytes as UNDEFINED.
SHORT, LONG, UNDEFINED = 3, 4, 7
_CODES = {SHORT: "H", LONG: "I"}

Value = int | tuple[int, ...] | bytes


def tiff(
    pixels: NDArray[np.unsignedinteger],
    order: str = "<",
    *,
    tags: Mapping[int, Value | None] | None = None,
    predictor: int = 1,
    deflate: bool = False,
    rows: int | None = None,
) -> bytes:
    """A TIFF of pixels (H, W, C): grey, grey and alpha, RGB, or RGB and alpha, in strips of ``rows``.

    ``tags`` replace those that it would have, or are left out (None).
    """
    height, width, channels = pixels.shape
    size = pixels.dtype.itemsize
    rows = rows or height
    strips = []
    for top in range(0, height, rows):
        part = pixels[top : top + rows].copy()
        if predictor == 2:
            part[:, 1:] -= part[:, :-1].copy()
        data = part.astype(f"{order}u{size}").tobytes()
        strips.append(zlib.compress(data) if deflate else data)
    starts = np.cumsum([8, *(len(strip) for strip in strips)]).tolist()
    found: dict[int, Value | None] = {
        256: width,
        257: height,
        258: (8 * size,) * channels,
        259: 8 if deflate else 1,
        262: 1 if channels < 3 else 2,
        273: tuple(starts[:-1]),
        277: channels,
        278: rows,
        279: tuple(len(strip) for strip in strips),
        317: predictor,
        338: 2 if channels in (2, 4) else None,
        **(tags or {}),
    }
    return file(found, b"".join(strips), order)


def file(tags: Mapping[int, Value | None], data: bytes, order: str = "<") -> bytes:
    """A file of one directory of ``tags`` (None: left out) behind ``data``, which starts at byte 8."""
    entries = sorted((tag, value) for tag, value in tags.items() if value is not None)
    directory = 8 + len(data)
    behind = directory + 2 + 12 * len(entries) + 4
    rows, values = b"", b""
    for tag, value in entries:
        kind, count, packed = _packed(tag, value, order)
        if len(packed) > 4:
            place = struct.pack(order + "I", behind + len(values))
            values += packed
        else:
            place = packed.ljust(4, b"\0")
        rows += struct.pack(order + "HHI", tag, kind, count) + place
    magic = b"II" if order == "<" else b"MM"
    header = magic + struct.pack(order + "HI", 42, directory)
    return header + data + struct.pack(order + "H", len(entries)) + rows + b"\0" * 4 + values


def _packed(tag: int, value: Value, order: str) -> tuple[int, int, bytes]:
    if isinstance(value, bytes):
        return UNDEFINED, len(value), value
    numbers = (value,) if isinstance(value, int) else value
    kind = LONG if tag in (256, 257, 273, 278, 279, 324, 325) else SHORT
    return kind, len(numbers), struct.pack(f"{order}{len(numbers)}{_CODES[kind]}", *numbers)
