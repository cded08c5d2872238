"""Files of every format to be damaged, and the damage: of single bytes, of lengths, of whole parts."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from tests.support import clips, ebml
from tests.support import strange_pictures as strange
from tests.support.heics import heic
from tests.support.mp4s import with_edits
from tests.support.tiffs import tiff

_PIXELS = np.indices((16, 24)).sum(0).astype(np.uint8)[..., None] * np.array([6, 3, 2], np.uint8)

SEEDS: dict[str, Sequence[Callable[[], bytes]]] = {
    "PNG": (
        lambda: strange.noise(icc_profile=strange.profile("RGB"), exif=strange.exif(6)),
        strange.palette_png,
        lambda: strange.rgb16([[(1, 2, 3), (4, 5, 6)]]),
        lambda: strange.animated("PNG"),
    ),
    "JPEG": (
        lambda: strange.noise("JPEG"),
        lambda: strange.noise("JPEG", progressive=True, exif=strange.exif(6)),
        lambda: strange.cmyk_jpeg(icc_profile=strange.cmyk_profile()),
        strange.two_picture_jpeg,
        strange.jpeg_with_thumbnail,
    ),
    "WEBP": (
        lambda: strange.noise("WEBP"),
        lambda: strange.noise("WEBP", lossless=True, exif=strange.exif(6)),
        lambda: clips.webp(3),
    ),
    "TIFF": (
        lambda: strange.noise("TIFF"),
        lambda: strange.encode(Image.fromarray(_PIXELS), "TIFF", compression="tiff_lzw"),
        lambda: tiff(_PIXELS.astype(np.uint16) * 257, ">"),
    ),
    "BMP": (
        lambda: strange.noise("BMP"),
        lambda: strange.encode(Image.fromarray(_PIXELS).convert("P"), "BMP"),
    ),
    "GIF": (lambda: clips.gif(3), lambda: strange.plain("GIF")),
    "AVIF": (
        lambda: strange.encode(Image.fromarray(_PIXELS), "AVIF", exif=strange.exif(6)),
        lambda: strange.plain("AVIF", mode="RGBA", color=(1, 2, 3, 4)),
    ),
    "HEIF": (lambda: heic(_PIXELS, turns=1), lambda: heic(_PIXELS, alpha=_PIXELS[..., 0])),
    "MP4": (lambda: clips.mp4(3), lambda: with_edits(clips.mp4(4), [(100, 12, None), (200, 12, 0.1)])),
    "WEBM": (lambda: clips.webm(3), ebml.webm),
}

_NUMBERS = [0, 1, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


@cache
def _made(format: str) -> list[bytes]:
    return [make() for make in SEEDS[format]]


@st.composite
def damaged(draw: st.DrawFn, format: str) -> bytes:
    """A file of a format with one to six damages."""
    seeds = _made(format)
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        _damage(draw, data, seeds)
    return bytes(data)


def _damage(draw: st.DrawFn, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = draw(st.integers(0, max(0, len(data) - 1)))
    size = draw(st.sampled_from([1, 2, 4, 8, 16, 64, 500]))
    match draw(
        st.sampled_from(["byte", "number", "number", "cut", "drop", "double", "repeat", "splice", "insert"])
    ):
        case "byte" if data:
            data[at] = draw(st.integers(0, 255))
        case "number":
            width = draw(st.sampled_from([1, 2, 4, 8]))
            value = draw(st.sampled_from(_NUMBERS)) & (1 << 8 * width) - 1
            data[at : at + width] = value.to_bytes(width, draw(st.sampled_from(["big", "little"])))
        case "cut":
            del data[at:]
        case "drop":
            del data[at : at + size]
        case "double":
            data[at:at] = data[at : at + size]
        case "repeat":
            data[at:at] = data[at : at + min(size, 64)] * draw(st.integers(2, 300))
        case "splice":
            other = draw(st.sampled_from(seeds))
            start = draw(st.integers(0, len(other) - 1))
            data[at : at + size] = other[start : start + size]
        case "insert":
            data[at:at] = draw(st.binary(max_size=16))
