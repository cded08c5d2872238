"""Small copies: the same as of all pixels at once, in little memory, and a large picture alone."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from app.images import thumbnails
from app.images.shrinking import shrink
from app.media.stills import read_header
from app.media.webp import first_frame
from tests.support import strange_pictures as strange
from tests.support.tiffs import tiff

# Prints by how many bytes memory grew at most while a small copy was made.
CHILD = """
import resource, sys
from pathlib import Path
import app.images.shrinking as shrinking, app.media.ffmpeg
from app.media.stills import read_header
data = Path(sys.argv[1]).read_bytes()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
shrinking.shrink(data, read_header(data), 320)
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""
SIDE = 4000


def smooth(width: int, height: int, mode: str) -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 4), dtype=np.uint8)
    image = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(4))
    if mode == "RGBA":
        return image
    return image.convert("RGB").convert(mode)


def small(data: bytes, side: int = 160) -> Image.Image:
    return shrink(data, read_header(data), side)


def at_once(data: bytes, mode: str) -> Image.Image:
    """A small copy of all pixels by Pillow alone."""
    with Image.open(BytesIO(data)) as image:
        whole = image.convert(mode)
    scale = min(1, 160 / max(whole.size))
    return whole.resize((round(whole.width * scale), round(whole.height * scale)), reducing_gap=3)


FORMATS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "PNG": ("PNG", "RGB", {}),
    "PNG with alpha": ("PNG", "RGBA", {}),
    "palette": ("PNG", "P", {}),
    "CMYK": ("TIFF", "CMYK", {}),
    "WebP": ("WEBP", "RGB", {"quality": 98}),
    "WebP with alpha": ("WEBP", "RGBA", {"quality": 98}),
    "WebP without loss": ("WEBP", "RGB", {"lossless": True}),
    "WebP without loss, with alpha": ("WEBP", "RGBA", {"lossless": True}),
}


@pytest.mark.parametrize("size", [(1500, 900), (333, 2001), (70, 2240), (100, 50), (97, 51)])
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.medium
def test_it_is_that_of_all_pixels_at_once(kind: str, size: tuple[int, int]) -> None:
    format, mode, options = FORMATS[kind]
    data = strange.encode(smooth(*size, mode), format, **options)
    found, expected = small(data), at_once(data, "RGBA" if mode == "RGBA" else "RGB")
    assert (found.mode, found.size) == (expected.mode, expected.size)
    if mode == "RGBA":
        # What is transparent has any color.
        found, expected = found.convert("RGBa"), expected.convert("RGBa")
    # What FFmpeg decodes of lossy colors differs by a few levels.
    tolerance = 8 if format == "WEBP" else 2
    assert np.abs(np.asarray(found, int) - np.asarray(expected, int)).max() <= tolerance


def animated(first: Image.Image, **options: Any) -> bytes:
    """A WebP of a picture, and of another behind it."""
    return strange.encode(
        first, "WEBP", save_all=True, append_images=[ImageOps.invert(first.convert("RGB"))], **options
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("options", [{"quality": 98}, {"lossless": True}], ids=["lossy", "lossless"])
def test_of_an_animated_webp_the_first_frame_is_taken(mode: str, options: dict[str, Any]) -> None:
    data = animated(smooth(481, 333, mode), **options)
    # A larger picture, of which the first frame is a part.
    larger = bytearray(data)
    larger[24:27] = (560).to_bytes(3, "little")
    for file in (data, bytes(larger)):
        assert read_header(file).frames == 2
        reduced, whole = small(file), at_once(file, mode)
        assert reduced.size == whole.size
        difference = np.asarray(reduced.convert(mode), int) - np.asarray(whole, int)
        assert np.abs(difference).mean() < 2
    assert first_frame(data) is not None and first_frame(bytes(larger)) is None


def test_colors_do_not_bleed_from_where_a_webp_is_transparent() -> None:
    pixels = np.full((1600, 1600, 4), (255, 0, 0, 255), np.uint8)
    pixels[::2] = (0, 0, 255, 0)
    for lossless in (True, False):
        data = strange.encode(
            Image.fromarray(pixels), "WEBP", lossless=lossless, exact=True, quality=100, method=0
        )
        red, _, blue, alpha = small(data).split()
        assert np.asarray(alpha).min() > 120
        if lossless:
            assert np.asarray(red).min() > 250 and np.asarray(blue).max() < 5


def test_a_webp_that_claims_alpha_and_has_none_is_opaque() -> None:
    data = bytearray(strange.plain("WEBP", size=(48, 32), exif=strange.exif(1)))
    assert data[12:16] == b"VP8X"
    data[20] |= 0x10
    assert small(bytes(data)).mode == "RGB"


def test_a_webp_without_its_last_chunk() -> None:
    data = strange.plain("WEBP", size=(48, 32), exif=strange.exif(6))
    cut = data[: data.rindex(b"EXIF") + 12]
    assert not read_header(cut).ends
    assert small(cut).size == (48, 32)
    assert small(data).size == (32, 48)


LARGE: dict[str, Callable[[Image.Image], bytes]] = {
    "PNG": lambda image: strange.encode(image, compress_level=1),
    "PNG with alpha": lambda image: strange.encode(image.convert("RGBA"), compress_level=1),
    "grey of 16 bits": lambda image: strange.encode(
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), compress_level=1
    ),
    "CMYK": lambda image: strange.encode(image.convert("CMYK"), "TIFF", compression="tiff_deflate"),
    "TIFF of 16 bits": lambda image: tiff(np.asarray(image).astype(np.uint16) * 257, deflate=True),
    "WebP": lambda image: strange.encode(image, "WEBP", method=0),
    "WebP without loss": lambda image: strange.encode(
        image.convert("RGBA"), "WEBP", lossless=True, method=0, quality=0
    ),
    "animated WebP": lambda image: animated(image, method=0),
}


@pytest.mark.medium
@pytest.mark.parametrize("kind", LARGE)
def test_no_second_copy_of_all_pixels_is_held(kind: str, tmp_path: Path) -> None:
    """Pillow keeps 4 bytes of a pixel. Decoders and bands take the rest."""
    ramp = np.linspace(0, 255, SIDE).astype(np.uint8)
    pixels = np.empty((SIDE, SIDE, 3), np.uint8)
    pixels[...] = ramp[:, None, None]
    pixels[..., 0] = ramp
    file = tmp_path / "picture"
    file.write_bytes(LARGE[kind](Image.fromarray(pixels)))
    grown = int(subprocess.check_output([sys.executable, "-c", CHILD, str(file)], text=True))
    assert grown < 4 * SIDE * SIDE + 40_000_000


def test_a_large_picture_waits_until_it_is_alone() -> None:
    room = thumbnails._Room(100)
    first, second = room.take(1), room.take(50)
    with ThreadPoolExecutor(1) as thread:
        large = thread.submit(room.take, 1000)
        room.give(first)
        assert not large.done()
        room.give(second)
        assert large.result() == 100


def test_no_more_are_decoded_at_a_time_than_there_is_room_for() -> None:
    room, inside, most = thumbnails._Room(100), list[int](), list[int]()
    together = Barrier(8)

    def decode(pixels: int) -> None:
        together.wait()
        for _ in range(50):
            taken = room.take(pixels)
            inside.append(taken)
            most.append(sum(inside))
            inside.remove(taken)
            room.give(taken)

    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(decode, pixels) for pixels in (1, 20, 50, 60, 90, 100, 200, 5)]:
            each.result()
    assert max(most) <= 100
