"""What the header of a picture or a clip says, and what readers of headers have in common."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple

from app.media.errors import Noun, damaged

Format = Literal["PNG", "JPEG", "WEBP", "TIFF", "BMP", "HEIF", "AVIF", "GIF", "MP4", "WEBM"]

# Real files have a few thousand at most; the limit bounds the time.
MAX_PARTS = 200_000
# Browsers show GIF and WebP frames of 0.01 s or less for 0.1 s.
_SHORTEST, _INSTEAD = 0.011, 0.1


class Transfer(IntEnum):
    """Transfer characteristics of ITU-T H.273, table 3, that are not shown by the curve of sRGB."""

    GAMMA_22 = 4
    GAMMA_28 = 5
    LINEAR = 8
    PQ = 16
    HLG = 18


class Primaries(IntEnum):
    """Primaries of ITU-T H.273, table 2, that are not those of sRGB, but have its white."""

    BT2020 = 9
    P3 = 12


class Cicp(NamedTuple):
    """Code points of colors: primaries and transfer characteristics."""

    primaries: int
    transfer: int

    @property
    def is_known(self) -> bool:
        """Whether both code points are known here, those that are shown as sRGB included."""
        return self.primaries in (1, *Primaries) and self.transfer in (1, 6, 13, 14, 15, *Transfer)

    @property
    def is_srgb(self) -> bool:
        """Whether colors are shown as those of sRGB, which all are taken for that are not known here."""
        return self.primaries not in set(Primaries) and self.transfer not in set(Transfer)


@dataclass(frozen=True)
class Header:
    """The header of a picture or a clip.

    ``width`` and ``height`` are as stored, before any rotation, but as displayed for a clip; ``bits`` are
    those of a sample. ``exif`` is set for a PNG only, where Pillow would decode the pixels to find it.
    ``premultiplied``: colors are stored multiplied by alpha. ``seconds`` is the length of a clip; 0: not
    stated. ``cicp`` are code points that count in the place of a profile; None: sRGB, or the profile.
    Without ``ends`` what comes behind the pixels is missing, or some of the last ones are.
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
    ends: bool = True
    cicp: Cicp | None = None


def count_part(parts: int, noun: Noun = "picture") -> int:
    """One part more. Raises PictureError if that is more than a file may have."""
    if parts >= MAX_PARTS:
        raise damaged(f"it is in more than {MAX_PARTS:,} pieces", noun)
    return parts + 1


def shown_seconds(seconds: float) -> float:
    """How long browsers show a frame of a GIF or a WebP that asks for ``seconds``."""
    return seconds if seconds >= _SHORTEST else _INSTEAD
