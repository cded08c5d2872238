"""Pictures are taken whose pixels are there, whatever else the file has too much, or lacks."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from app.errors import InputError
from app.media import inspect_upload, read_recipe
from app.settings import Settings
from tests.support import strange_pictures as strange
from tests.support.heics import heic
from tests.support.loading import levels, load
from worker.media.pictures import encode_png

SOFT = np.indices((48, 64)).sum(0).astype(np.uint8)[..., None] * np.array([2, 1, 1], np.uint8)
IMAGE = Image.fromarray(SOFT)
MUCH = "x" * 2_000_000


def png_with_text() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", MUCH, zip=True)
    return strange.encode(IMAGE, pnginfo=info)


def jpeg_with_segments() -> bytes:
    data = strange.encode(IMAGE, "JPEG", quality=95)
    segment = b"\xff\xef" + struct.pack(">H", 60_002) + b"x" * 60_000
    return data[:2] + segment * 40 + data[2:]


def described(format: str) -> bytes:
    """A picture with 2 MB in its EXIF data."""
    data = Image.Exif()
    data[0x010E] = MUCH
    return strange.encode(IMAGE, format, exif=data)


LOADED: dict[str, Callable[[], bytes]] = {
    "PNG": png_with_text,
    "PNG with a profile of 2 MB": lambda: strange.encode(IMAGE, icc_profile=b"\0" * 2_000_000),
    "JPEG": jpeg_with_segments,
    "WebP": lambda: described("WEBP"),
    "AVIF": lambda: described("AVIF"),
    "TIFF": lambda: strange.encode(IMAGE, "TIFF", description=MUCH),
    "HEIC": lambda: heic(SOFT, exif=b"MM\0*\0\0\0\x08\0\0\0\0\0\0" + MUCH.encode()),
    "GIF": lambda: strange.encode(IMAGE, "GIF", comment=b"x" * 2_000_000),
}


@pytest.mark.medium
@pytest.mark.parametrize("format", LOADED)
def test_much_text_does_not_matter(format: str) -> None:
    data = LOADED[format]()
    assert inspect_upload(BytesIO(data), Settings()).width == 64
    torch.testing.assert_close(levels(load(data)), torch.from_numpy(SOFT).float(), rtol=0, atol=12)


def test_the_recipe_is_found_beside_much_text() -> None:
    data = encode_png(torch.zeros(1, 3, 8, 8), recipe={"kind": "deep_dream"})
    text = strange.chunk(b"zTXt", b"workflow\0\0" + zlib.compress(MUCH.encode()))
    assert read_recipe(BytesIO(data[:33] + text + data[33:])) == {"kind": "deep_dream"}


def test_a_damaged_text_does_not_matter() -> None:
    text = strange.chunk(b"tEXt", b"a\0b")
    data = strange.raw_png(1, 1, [b"\5\6\7"], before=text[:-1] + b"!")
    assert levels(load(data)).flatten().round().tolist() == [5, 6, 7]


ENDS = {
    "PNG": (strange.encode(IMAGE), 13),
    "JPEG": (strange.encode(IMAGE, "JPEG", quality=95), 3),
    "progressive JPEG": (strange.encode(IMAGE, "JPEG", quality=95, progressive=True), 3),
    "WEBP": (strange.encode(IMAGE, "WEBP", quality=95, exif=strange.exif(1)), 10),
    "GIF": (strange.encode(IMAGE, "GIF"), 1),
    "TIFF": (strange.encode(IMAGE, "TIFF") + b"\0" * 40, 40),
    "BMP": (strange.encode(IMAGE, "BMP") + b"\0" * 40, 40),
}


@pytest.mark.parametrize("format", ENDS)
def test_an_end_that_is_missing_does_not_matter(format: str) -> None:
    data, most = ENDS[format]
    expected = levels(load(data))
    for cut in range(1, most):
        assert inspect_upload(BytesIO(data[:-cut]), Settings()).width == 64
        torch.testing.assert_close(levels(load(data[:-cut])), expected, rtol=0, atol=1)


@pytest.mark.medium
@pytest.mark.parametrize("format", ENDS)
def test_no_picture_comes_out_with_pixels_missing(format: str) -> None:
    data, most = ENDS[format]
    expected = levels(load(data))
    for length in range(0, len(data) - most, 7):
        try:
            seen = levels(load(data[:length]))
        except InputError as error:
            assert error.detail
            continue
        wrong = ((seen - expected).abs() > 1).any(-1)
        # Of the last block of a JPEG details may be missing, also where it meets others; of a progressive one
        # bits of the last pass.
        if format == "progressive JPEG":
            assert (seen - expected).abs().max() < 24, length
        else:
            assert wrong.sum() <= (320 if format == "JPEG" else 0), length
