"""Color profiles (ICC.1:2022): the one of sRGB, and colors with more than 8 bits through those of others.

Little CMS converts 8 bits in Pillow. The profiles that pictures with 16 bits have are nearly all of the kind
with three curves and a matrix, which is computed here in floating point.
"""

import struct
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

Floats = NDArray[np.float32]

# Bytes of a header's date, which would make every profile another one.
_DATE = slice(24, 36)


@cache
def srgb_profile() -> bytes:
    """The profile of sRGB, always the same bytes."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[_DATE] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(data)


@dataclass(frozen=True)
class MatrixProfile:
    """A curve for each channel, and the matrix (3, 3) from linear RGB to XYZ relative to D50."""

    curves: tuple["Curve", "Curve", "Curve"]
    matrix: NDArray[np.float64]

    def to_srgb(self, colors: Floats) -> Floats:
        """Colors (..., 3) in [0, 1] as sRGB; those outside its range are clipped (relative colorimetric)."""
        linear = np.stack([curve(colors[..., place]) for place, curve in enumerate(self.curves)], axis=-1)
        to_linear_srgb = np.linalg.inv(_srgb_matrix()) @ self.matrix
        linear = np.clip(linear @ to_linear_srgb.T.astype(np.float32), 0, 1)
        curved = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
        return curved.astype(np.float32)


@dataclass(frozen=True)
class Curve:
    """Values in [0, 1] to linear light: a table in even distances, or a parametric curve of section 10.18."""

    table: tuple[float, ...] = ()
    kind: int = 0
    params: tuple[float, ...] = (1.0,)

    def __call__(self, values: Floats) -> Floats:
        """The curve at each of the values, in [0, 1]."""
        if self.table:
            return np.interp(values, np.linspace(0, 1, len(self.table)), self.table).astype(np.float32)
        g, a, b, c, d, e, f = _seven(self.kind, self.params)
        power = np.clip(a * values + b, 0, None) ** g + e
        return np.clip(np.where(values >= d, power, c * values + f), 0, 1).astype(np.float32)


def read_matrix_profile(data: bytes) -> MatrixProfile | None:
    """A profile of three curves and a matrix; None if it is of another kind, or damaged."""
    try:
        tags = _tags(data)
        if data[16:24] != b"RGB XYZ " or b"A2B0" in tags or b"A2B1" in tags:
            return None
        red, green, blue = (_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
        columns = [_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    except (KeyError, IndexError, ValueError, struct.error):
        return None
    return MatrixProfile((red, green, blue), np.array(columns).T)


@cache
def _srgb_matrix() -> NDArray[np.float64]:
    tags = _tags(srgb_profile())
    return np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T


def _tags(data: bytes) -> dict[bytes, bytes]:
    """The data of each tag by its signature: section 7.3. ValueError if one is not in the file."""
    (count,) = struct.unpack_from(">I", data, 128)
    found = {}
    for place in range(min(count, 100)):
        name, at, size = struct.unpack_from(">4sII", data, 132 + 12 * place)
        if at + size > len(data):
            raise ValueError("a tag ends behind the profile")
        found[name] = data[at : at + size]
    return found


def _xyz(tag: bytes) -> tuple[float, ...]:
    if tag[:4] != b"XYZ ":
        raise ValueError("no XYZ")
    return _fixed(tag, 8, 3)


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        values = struct.unpack_from(f">{count}H", tag, 12)
        if count < 2:
            # One number is a gamma in 256ths, none the identity.
            return Curve(params=tuple(value / 256 for value in values) or (1.0,))
        return Curve(table=tuple(value / 65535 for value in values))
    if tag[:4] != b"para":
        raise ValueError("no curve")
    (kind,) = struct.unpack_from(">H", tag, 8)
    return Curve(kind=kind, params=_fixed(tag, 12, (1, 3, 4, 5, 7)[kind]))


def _fixed(tag: bytes, at: int, count: int) -> tuple[float, ...]:
    """Numbers of type s15Fixed16."""
    return tuple(value / 65536 for value in struct.unpack_from(f">{count}i", tag, at))


def _seven(kind: int, params: tuple[float, ...]) -> tuple[float, ...]:
    """The params g, a, b, c, d, e and f of the most general parametric curve: table 68."""
    g, a, b, c, d, e, f = (*params, *(0.0,) * (7 - len(params)))
    match kind:
        case 0:
            return g, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
        case 1:
            return g, a, b, 0.0, -b / a, 0.0, 0.0
        case 2:
            return g, a, b, 0.0, -b / a, c, c
        case 3:
            return g, a, b, c, d, 0.0, 0.0
        case _:
            return g, a, b, c, d, e, f
