"""The structure of TIFF files: TIFF, revision 6.0 (Adobe, 1992), and its technical notes.

A TIFF is a chain of directories of tags, one for each picture. The first picture of a file counts: others are
its pages, or smaller copies. Sections are those of the specification.
"""

import struct
from dataclasses import dataclass
from typing import Literal

from app.media.errors import PictureError, damaged, truncated

# Little and big endian. What camera makers and BigTIFF changed in it is refused by name.
TIFF_SIGNATURES = (b"II*\0", b"MM\0*")

Alpha = Literal["none", "straight", "premultiplied"]

# Bytes of a value by its type, section 2; all but these are not numbers that are needed here.
_FORMATS = {1: "B", 3: "H", 4: "I"}
# How many bytes such a value takes, of all types that there are.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
# A strip each row of the largest picture, or tiles of 16 by 16 pixels of a smaller one.
_MAX_NUMBERS = 200_000
# How many times the bytes of a file its strips may have, since some writers store equal ones once.
_MOST_SHARED = 8

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _STRIP_BYTES, _PLANAR, _PREDICTOR = 273, 277, 279, 284, 317
_TILES, _TILE_BYTES, _SUB_DIRECTORIES, _EXTRA, _SAMPLE_FORMAT = 324, 325, 330, 338, 339
_SUBFILE, _DNG_VERSION = 254, 50706
# Colors by photometric interpretation: names, and samples a pixel.
_COLORS = {0: ("grey", 1), 1: ("grey", 1), 2: ("RGB", 3), 3: ("palette", 1), 5: ("CMYK", 4), 6: ("YCbCr", 3)}
_SENSORS = (32803, 34892)
# none, fax (1-bit), LZW, JPEG, Deflate (two numbers), PackBits
_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
_EXACT = {1, 5, 8, 32773, 32946}
_DEPTHS = {"grey": {1, 2, 4, 8, 16}, "palette": {1, 2, 4, 8}, "RGB": {8, 16}, "CMYK": {8}, "YCbCr": {8}}


@dataclass(frozen=True)
class Tiff:
    """The first picture of a TIFF file: pixels as stored, bits of a sample, and how alpha is stored."""

    width: int
    height: int
    bits: int
    alpha: Alpha


def read_tiff(data: bytes) -> Tiff:
    """Read the first directory of a file, and check that it can be decoded and that its pixels are there.

    Raises PictureError if it is damaged, truncated, or of a kind that is not read.
    """
    tags = _Tags(data)
    if data[8:10] == b"CR" or tags.has(_DNG_VERSION) or tags.one(_PHOTOMETRIC, 0) in _SENSORS:
        raise _raw()
    if tags.has(_SUB_DIRECTORIES) and tags.one(_SUBFILE, 0) & 1:
        # First a small copy, as NEF and ARW have it, with the sensor's data in a directory below.
        raise _raw()
    width, height = tags.one(_WIDTH), tags.one(_HEIGHT)
    if not width or not height:
        raise damaged(f"{width}×{height} pixels")
    bits, alpha = _samples(tags)
    _require_pixels(tags, len(data))
    return Tiff(width, height, bits, alpha)


def reachable_tiff(data: bytes) -> bytes:
    """A TIFF whose tags with values outside of the file have a type that readers skip: 0.

    Pillow reads nothing behind the first one. For files that :func:`read_tiff` reads, which needs none of
    them: they may be a text, or the orientation.
    """
    places = _Tags(data).out_of_reach()
    if not places:
        return data
    whole = bytearray(data)
    for place in places:
        whole[place + 2 : place + 4] = bytes(2)
    return bytes(whole)


def _samples(tags: "_Tags") -> tuple[int, Alpha]:
    """Bits of a sample, and alpha, if what the picture is made of can be decoded."""
    photometric = tags.one(_PHOTOMETRIC)
    name, colors = _COLORS.get(photometric, ("", 0))
    if not name:
        raise _unsupported(f"colors of kind {photometric}", "in RGB")
    samples = tags.one(_SAMPLES, 1)
    if samples < colors:
        raise damaged(f"{samples} channels for {name}")
    if samples > colors + 1:
        raise _unsupported(f"{samples} channels", "with RGB and at most one alpha channel")
    depths = set(tags.numbers(_BITS, 8) or [1])
    bits = max(depths)
    if len(depths) > 1 or bits not in _DEPTHS[name]:
        raise _unsupported(f"{'/'.join(map(str, sorted(depths)))} bits a channel", "with 8 or 16")
    if set(tags.numbers(_SAMPLE_FORMAT, 8) or [1]) != {1}:
        raise _unsupported("numbers that are signed or have fractions", "with 8 or 16 bits a channel")
    compression = tags.one(_COMPRESSION, 1)
    if compression not in (_EXACT if bits == 16 else _COMPRESSIONS):
        raise _unsupported(f"compression {compression}", "with LZW, Deflate or no compression")
    if bits == 16:
        _require_plain(tags, name, photometric)
    if samples == colors:
        return bits, "none"
    kinds: dict[int, Alpha] = {1: "premultiplied", 2: "straight"}
    return bits, kinds.get(tags.one(_EXTRA, 0), "none")


def _require_plain(tags: "_Tags", name: str, photometric: int) -> None:
    """With 16 bits fewer layouts are decoded: strips of whole pixels."""
    if tags.has(_TILES):
        raise _unsupported("tiles of 16-bit pixels", "in strips (without tiles)")
    if name == "grey" and tags.one(_SAMPLES, 1) > 1:
        raise _unsupported("16-bit grey with transparency", "in RGB")
    if name == "RGB" and tags.one(_PLANAR, 1) != 1:
        raise _unsupported("a plane for each 16-bit channel", "with channels pixel by pixel (interleaved)")
    if tags.one(_PREDICTOR, 1) not in (1, 2):
        raise _unsupported("a predictor of fractions", "with LZW, Deflate or no compression")
    if photometric == 0:
        raise _unsupported("16-bit grey whose zero is white", "with black as zero")


def _require_pixels(tags: "_Tags", size: int) -> None:
    """Check that each strip or tile lies within a file of ``size`` bytes."""
    offsets, counts = (_TILES, _TILE_BYTES) if tags.has(_TILES) else (_STRIPS, _STRIP_BYTES)
    starts, lengths = tags.numbers(offsets, _MAX_NUMBERS), tags.numbers(counts, _MAX_NUMBERS)
    if not starts or len(starts) != len(lengths) or not all(lengths):
        raise damaged("no pixels")
    if any(start + length > size for start, length in zip(starts, lengths, strict=True)):
        raise truncated()
    if sum(lengths) > _MOST_SHARED * size:
        # Each is read in full: 200,000 that are the whole file would take hours.
        raise damaged("its strips or tiles lie one over the other")


class _Tags:
    """The tags of the first directory of a file: entries of (tag, type, count, value or its offset)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data.startswith(b"II") else ">"
        at = self._unpack("I", 4)[0]
        count = self._unpack("H", at)[0]
        self._entries = range(at + 2, at + 2 + 12 * count, 12)
        # Where a tag is there twice, the first one counts, as for libtiff.
        self._places: dict[int, int] = {}
        for place in self._entries:
            self._places.setdefault(self._unpack("HHI", place)[0], place)

    def has(self, tag: int) -> bool:
        """Whether the tag is there."""
        return tag in self._places

    def one(self, tag: int, default: int | None = None) -> int:
        """The first number of a tag. Without a ``default`` the tag is required: PictureError."""
        numbers = self.numbers(tag, _MAX_NUMBERS)
        if numbers:
            return numbers[0]
        if default is None:
            raise damaged(f"tag {tag} is missing")
        return default

    def numbers(self, tag: int, most: int) -> tuple[int, ...]:
        """The numbers of a tag; none if it is not there. PictureError for more than ``most``."""
        at = self._places.get(tag)
        if at is None:
            return ()
        _, kind, count = self._unpack("HHI", at)
        if kind not in _FORMATS or count > most:
            raise damaged(f"tag {tag} has {count} values of type {kind}")
        values = f"{count}{_FORMATS[kind]}"
        inline = struct.calcsize(self._order + values) <= 4
        return self._unpack(values, at + 8 if inline else self._unpack("I", at + 8)[0])

    def out_of_reach(self) -> list[int]:
        """Where the entries are whose values do not lie within the file."""
        found = []
        for place in self._entries:
            _, kind, count = self._unpack("HHI", place)
            size = _SIZES.get(kind, 0) * count
            if size > 4 and self._unpack("I", place + 8)[0] + size > len(self._data):
                found.append(place)
        return found

    def _unpack(self, values: str, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self._order + values, self._data, at)
        except struct.error:
            raise truncated() from None


def _raw() -> PictureError:
    return _refused(
        "This is a camera's raw file, which is not supported: develop it, and send a TIFF or a JPEG."
    )


def _unsupported(what: str, how: str) -> PictureError:
    return _refused(f"This TIFF has {what}, which is not supported: save it {how}, or as a PNG.")


def _refused(detail: str) -> PictureError:
    return PictureError(detail, "unsupported_format")
