"""Pictures are taken whose pixels are there, whatever else the file has too much, or lacks."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from app.errors import InputError
from app.images.shrinking import shrink
from app.media import inspect_upload, read_recipe
from app.media.stills import read_header
from app.settings import Settings
from tests.support import strange_pictures as strange
from tests.support.heics import heic
from tests.support.loading import levels, load
from tests.support.tiffs import tiff
from worker.media.clips import open_clip
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


def described(format: str, text: str = MUCH, **options: Any) -> bytes:
    """A picture with a text, by default of 2 MB, in its EXIF data."""
    data = Image.Exif()
    data[0x010E] = text
    return strange.encode(IMAGE, format, exif=data, **options)


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


def exif_of_half_a_resolution(orientation: int) -> bytes:
    """EXIF data whose resolution is one byte, of which Pillow reads the second."""
    entries = [struct.pack(">HHII", 0x112, 3, 1, orientation << 16), struct.pack(">HHII", 0x11A, 1, 1, 0)]
    entries.append(struct.pack(">HHII", 0x128, 3, 1, 2 << 16))
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 3) + b"".join(entries) + bytes(4)


# Segments that end where Pillow reads on.
CUT = [
    *((0xE0, b"JFIF\0\1"[:length]) for length in (4, 5, 6)),
    *((0xEE, b"Adobe\0"[:length]) for length in (5, 6)),
    *((0xE2, b"ICC_PROFILE\0\1"[:length]) for length in (12, 13)),
    (0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed"),
    (0xED, b"Photoshop 3.0\0" + b"8BIM\x04"),
]
WHOLE_JPEGS = {
    "baseline": strange.encode(IMAGE, "JPEG", quality=95),
    "progressive": strange.encode(IMAGE, "JPEG", quality=95, progressive=True),
    "without an end": strange.encode(IMAGE, "JPEG", quality=95)[:-2],
    "turned": strange.rotated(6, "JPEG"),
    "with a profile": strange.plain("JPEG", icc_profile=strange.profile("RGB")),
    "RGB": strange.encode(IMAGE, "JPEG", quality=95, keep_rgb=True),
    "CMYK": strange.cmyk_jpeg(),
    "of two pictures": strange.two_picture_jpeg(),
}


@pytest.mark.parametrize("kind", WHOLE_JPEGS)
@pytest.mark.parametrize(("code", "body"), CUT)
def test_a_segment_that_is_cut_does_not_matter(kind: str, code: int, body: bytes) -> None:
    whole = WHOLE_JPEGS[kind]
    data = strange.with_segment(code, body, whole)
    info = inspect_upload(BytesIO(data), Settings())
    before = inspect_upload(BytesIO(whole), Settings())
    assert (info.width, info.height, info.orientation) == (before.width, before.height, before.orientation)
    torch.testing.assert_close(levels(load(data)), levels(load(whole)), rtol=0, atol=0)
    small, expected = (shrink(each, read_header(each), 16) for each in (data, whole))
    assert (small.size, small.tobytes()) == (expected.size, expected.tobytes())
    assert small.info == expected.info


def test_a_picture_is_turned_whatever_else_its_exif_data_lack() -> None:
    data = strange.with_segment(0xE1, exif_of_half_a_resolution(6), strange.plain("JPEG", size=(24, 16)))
    assert inspect_upload(BytesIO(data), Settings()).orientation == 6
    assert load(data).sides == (24, 16)
    assert shrink(data, read_header(data), 24).size == (16, 24)


LONG = (1,) * 20


def lacking(tag: int, data: bytes, kind: int = 3, count: int = len(LONG)) -> bytes:
    """A TIFF whose tag of so many values of a kind, by default of LONG, has them outside of the file."""
    entry = struct.pack("<HHI", tag, kind, count)
    at = data.rindex(entry) + len(entry)
    return data[:at] + struct.pack("<I", 10**9) + data[at + 4 :]


@pytest.mark.parametrize("tag", [270, 274, 282, 305, 34675])
@pytest.mark.parametrize("options", [{}, {"deflate": True, "predictor": 2}], ids=["plain", "deflate"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_tag_of_a_tiff_outside_of_the_file_does_not_matter(
    tag: int, options: dict[str, Any], bits: int, channels: int
) -> None:
    pixels = np.tile(SOFT, 2)[..., :channels].astype(f"u{bits // 8}")
    whole, data = tiff(pixels, **options), lacking(tag, tiff(pixels, tags={tag: LONG}, **options))
    info = inspect_upload(BytesIO(data), Settings())
    assert (info.width, info.height, info.orientation, info.has_alpha) == (64, 48, 1, channels == 4)
    found, expected = load(data), load(whole)
    torch.testing.assert_close(found.rgb, expected.rgb, rtol=0, atol=0)
    assert (found.alpha is None) == (expected.alpha is None) == (channels == 3)
    assert shrink(data, read_header(data), 16).tobytes() == shrink(whole, read_header(whole), 16).tobytes()


RECIPE = '{"kind": "deep_dream"}'
DESCRIBED_TIFF = strange.encode(IMAGE, "TIFF", description=RECIPE, software="x" * 19)
DAMAGED = {
    **{
        f"JPEG with half of {code:x}, {len(body)} bytes": strange.with_segment(
            code, body, described("JPEG", RECIPE)
        )
        for code, body in CUT
    },
    "JPEG without its last rows": described("JPEG", RECIPE)[:-100],
    "WebP without its end": described("WEBP", RECIPE, xmp=b"x" * 30)[:-10],
    "TIFF with a tag outside of the file": lacking(305, DESCRIBED_TIFF, 2, 20),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_the_recipe_is_found_in_a_damaged_file(name: str) -> None:
    assert read_recipe(BytesIO(DAMAGED[name])) == {"kind": "deep_dream"}


@pytest.mark.parametrize("bits", [8, 16])
def test_numbers_in_the_place_of_a_profile_do_not_matter(bits: int) -> None:
    pixels = SOFT.astype(f"u{bits // 8}")
    data = tiff(pixels, tags={34675: LONG})
    torch.testing.assert_close(load(data).rgb, load(tiff(pixels)).rgb, rtol=0, atol=0)
    assert shrink(data, read_header(data), 16).info == {"icc_profile": None}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_small_copy_needs_no_exif_data(format: str) -> None:
    for exif in (b"Exif\0\0rubbish", strange.exif(6)[:-8]):
        data = strange.plain(format, exif=exif)
        assert inspect_upload(BytesIO(data), Settings()).orientation == 1
        assert shrink(data, read_header(data), 24).size == (24, 16)


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


def test_an_animation_needs_nothing_behind_its_frames() -> None:
    frames = [Image.new("RGB", (24, 16), (80 * number, 0, 0)) for number in range(3)]
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "lossless": True}
    whole = strange.encode(frames[0], "WEBP", exif=strange.exif(1), **options)
    for data in (whole, whole[:-10]):
        assert inspect_upload(BytesIO(data), Settings()).frames == 3
        reds = [frame[0, 0].mean().item() for frame in open_clip(data, "clip").frames()]
        assert reds == pytest.approx([0, 80 / 255, 160 / 255])
        assert shrink(data, read_header(data), 12).size == (12, 8)


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
