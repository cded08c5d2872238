"""Pictures as people send them, decoded as they are meant to be seen. Values are known by hand."""

import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.errors import InputError
from tests.support import strange_pictures as strange
from tests.support.loading import assert_color, levels, load
from worker.media.pictures import load_picture

RED, WHITE = (255, 0, 0), (255, 255, 255)


@pytest.mark.parametrize(("format", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_every_8_bit_value_is_exact(format: str, options: dict[str, bool]) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = np.stack([ramp, ramp.T, 255 - ramp], axis=-1)
    picture = load(strange.encode(Image.fromarray(pixels), format, **options))
    assert picture.rgb.dtype == torch.float32
    assert picture.rgb.shape == (1, 3, 16, 16)
    assert picture.rgb.is_contiguous()
    assert picture.alpha is None
    assert torch.equal(picture.rgb[0].permute(1, 2, 0), torch.from_numpy(pixels).float() / 255)


def test_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(strange.plain(color=(1, 2, 3)))
    assert_color(load_picture(path, "content"), (1, 2, 3))
    with pytest.raises(FileNotFoundError):
        load_picture(tmp_path / "none.png", "content")


def test_one_pixel() -> None:
    assert_color(load(strange.plain(size=(1, 1), color=(5, 6, 7)), side=512), (5, 6, 7))


# Where the red quarter, stored at the left of the upper half, is seen (EXIF 2.32, section 4.6.4).
CORNERS = {
    1: "upper left",
    2: "upper right",
    3: "lower right",
    4: "lower left",
    5: "upper left",
    6: "upper right",
    7: "lower right",
    8: "lower left",
}


@pytest.mark.parametrize("side", [None, 8])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int, format: str, side: int | None) -> None:
    picture = load(strange.rotated(orientation, format, size=(48, 32)), side)
    long, short = (48, 32) if side is None else (8, 5)
    height, width = (short, long) if orientation < 5 else (long, short)
    assert picture.rgb.shape == (1, 3, height, width)
    seen = levels(picture)
    for corner, pixel in {
        "upper left": seen[0, 0],
        "upper right": seen[0, -1],
        "lower left": seen[-1, 0],
        "lower right": seen[-1, -1],
    }.items():
        expected = RED if corner == CORNERS[orientation] else WHITE
        torch.testing.assert_close(pixel, torch.tensor(expected).float(), rtol=0, atol=12)


@pytest.mark.parametrize(
    ("orientation", "pixels"),
    [
        (2, [[2, 1], [4, 3], [6, 5]]),
        (3, [[6, 5], [4, 3], [2, 1]]),
        (4, [[5, 6], [3, 4], [1, 2]]),
        (5, [[1, 3, 5], [2, 4, 6]]),
        (6, [[5, 3, 1], [6, 4, 2]]),
        (7, [[6, 4, 2], [5, 3, 1]]),
        (8, [[2, 4, 6], [1, 3, 5]]),
    ],
)
def test_orientation_of_every_pixel(orientation: int, pixels: list[list[int]]) -> None:
    stored = Image.fromarray(np.array([[1, 2], [3, 4], [5, 6]], dtype=np.uint8))
    picture = load(strange.encode(stored, exif=strange.exif(orientation)))
    torch.testing.assert_close(levels(picture)[..., 0], torch.tensor(pixels).float())


def test_a_png_may_be_turned_behind_its_pixels() -> None:
    picture = load(strange.rotated_late(6))
    assert levels(picture).round().tolist() == [[[255, 0, 0]], [[0, 0, 255]]]


@pytest.mark.parametrize("side", [1, 7, 100, 101])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_reduced_to_the_long_side_and_never_enlarged(format: str, side: int) -> None:
    picture = load(strange.plain(format, size=(100, 40)), side)
    width = min(side, 100)
    assert picture.rgb.shape == (1, 3, max(1, round(0.4 * width)), width)
    assert_color(picture, (200, 120, 40), 5)


def test_a_strip_is_reduced_to_no_less_than_a_pixel() -> None:
    assert load(strange.plain(size=(64, 2)), side=8).rgb.shape == (1, 3, 1, 8)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_reduction_is_antialiased(format: str) -> None:
    """A fine chequerboard becomes its mean, not stripes."""
    board = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    picture = load(strange.encode(Image.fromarray(board), format), side=30)
    inner = levels(picture)[2:-2, 2:-2]
    assert (inner - 127.5).abs().max() < 3


def test_a_reduced_jpeg_is_much_like_the_whole_one_reduced() -> None:
    y, x = np.indices((400, 600)) / 100
    smooth = np.stack([np.sin(x) * np.cos(y), np.cos(2 * x), np.sin(x + y)], axis=-1) * 100 + 128
    image = Image.fromarray(smooth.astype(np.uint8))
    by_jpeg = load(strange.encode(image, "JPEG", quality=95, subsampling=0), side=60)
    by_png = load(strange.encode(image), side=60)
    assert ((by_jpeg.rgb - by_png.rgb) * 255).abs().max() < 4


@pytest.mark.parametrize(
    ("data", "colors", "alpha"),
    [
        (strange.palette_png(), [(255, 255, 255), (127, 255, 127), (0, 0, 255)], [0, 128, 255]),
        (strange.palette_png(b"\0"), [(255, 255, 255), (0, 255, 0), (0, 0, 255)], [0, 255, 255]),
        (
            strange.raw_png(2, 1, [b"\x0a\x00\x64\x80"], color_type=4),
            [(255, 255, 255), (177, 177, 177)],
            [0, 128],
        ),
        (
            strange.raw_png(2, 1, [b"\x01\x02\x03\x00\x01\x02\x03\xff"], color_type=6),
            [(255, 255, 255), (1, 2, 3)],
            [0, 255],
        ),
        (
            strange.raw_png(
                2, 1, [b"\x01\x02\x03\x01\x02\x04"], before=strange.chunk(b"tRNS", b"\0\1\0\2\0\3")
            ),
            [(255, 255, 255), (1, 2, 4)],
            [0, 255],
        ),
        (
            strange.raw_png(2, 1, [b"\x07\x08"], color_type=0, before=strange.chunk(b"tRNS", b"\0\7")),
            [(255, 255, 255), (8, 8, 8)],
            [0, 255],
        ),
        (
            strange.raw_png(4, 1, [b"\x1b"], bits=2, color_type=0, before=strange.chunk(b"tRNS", b"\0\2")),
            [(0, 0, 0), (85, 85, 85), (255, 255, 255), (255, 255, 255)],
            [255, 255, 0, 255],
        ),
        (
            strange.raw_png(2, 1, [b"\x40"], bits=1, color_type=0, before=strange.chunk(b"tRNS", b"\0\0")),
            [(255, 255, 255), (255, 255, 255)],
            [0, 255],
        ),
        (
            strange.grey16([[1000, 257 * 9]], before=strange.chunk(b"tRNS", (1000).to_bytes(2, "big"))),
            [(255, 255, 255), (9, 9, 9)],
            [0, 255],
        ),
        (
            strange.rgb16(
                [[(1000, 2000, 3000), (257, 514, 771)]],
                before=strange.chunk(b"tRNS", b"\x03\xe8\x07\xd0\x0b\xb8"),
            ),
            [(255, 255, 255), (1, 2, 3)],
            [0, 255],
        ),
    ],
    ids=["palette", "short-tRNS", "LA", "RGBA", "RGB-key", "grey-key", "2-bit", "1-bit", "grey16", "rgb16"],
)
def test_transparency(data: bytes, colors: list[tuple[int, ...]], alpha: list[int]) -> None:
    """Colours come over white, alpha beside them."""
    picture = load(data)
    assert picture.alpha is not None
    assert picture.alpha.shape == (1, 1, 1, len(colors))
    torch.testing.assert_close(levels(picture)[0], torch.tensor(colors).float(), rtol=0, atol=0.01)
    torch.testing.assert_close(picture.alpha.flatten() * 255, torch.tensor(alpha).float())


def test_an_opaque_alpha_channel_is_none() -> None:
    assert load(strange.plain(mode="RGBA", color=(1, 2, 3, 255))).alpha is None


def test_transparent_pixels_do_not_bleed_when_reduced() -> None:
    """Green lies under the transparent half: none of it may show, only white."""
    image = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 30, 64))
    picture = load(strange.encode(image), side=16)
    assert picture.alpha is not None
    seen = levels(picture)
    # Over white, red turns into white with green and blue alike; green from below would part them.
    torch.testing.assert_close(seen[..., 1], seen[..., 2], rtol=0, atol=0.01)
    assert (seen[..., 0] > 254).all()
    torch.testing.assert_close(seen[..., 1] / 255, 1 - picture.alpha[0, 0], rtol=0, atol=0.006)


def test_alpha_is_turned_with_the_picture() -> None:
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((0, 0), (10, 20, 30, 51))
    picture = load(strange.encode(image, exif=strange.exif(6)))
    assert picture.alpha is not None
    torch.testing.assert_close(picture.alpha[0, 0], torch.tensor([[0.2], [1.0]]))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"text", "not a picture"),
        (strange.bomb(13_400), "179.6 megapixels"),
        (strange.plain("TGA"), "TGA"),
        (strange.animated(), "animated"),
        (strange.noise("JPEG")[:-20], "cut off"),
        (strange.noise()[:-20], "cut off"),
        (strange.noise("WEBP")[:-20], "cut off"),
        # Whole in structure: only the decoder can tell.
        (strange.raw_png(4, 4, b"\x78\x9crubbish"), "damaged"),
        (strange.raw_png(4, 4, zlib.compress(b"\0" * 52)[:-4] + b"oops"), "damaged"),
        (strange.noise("JPEG").replace(b"\xff\xdb", b"\xff\xfe"), "damaged"),
    ],
)
def test_what_cannot_be_decoded_names_field_and_remedy(data: bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_picture(BytesIO(data), "style", 64)
    assert caught.value.field == "style"
    assert said in caught.value.detail
    assert caught.value.detail.count(". ") + caught.value.detail.count(": ") >= 1


@pytest.mark.medium
@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(
        [
            strange.noise("JPEG", size=(20, 12)),
            strange.noise("JPEG", size=(20, 12), progressive=True),
            strange.noise("WEBP", size=(20, 12)),
            strange.noise("WEBP", size=(20, 12), lossless=True),
            strange.noise(size=(20, 12), icc_profile=strange.profile("RGB")),
            strange.cmyk_jpeg(icc_profile=strange.cmyk_profile()),
            strange.rotated(6, "JPEG"),
            strange.palette_png(),
        ]
    ),
    st.data(),
)
def test_any_damage_gives_a_picture_or_an_input_error(whole: bytes, data: st.DataObject) -> None:
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(broken)))
    try:
        picture = load(bytes(broken[:cut] if data.draw(st.booleans()) else broken), side=16)
    except InputError as error:
        assert error.field == "content"
        return
    assert picture.rgb.isfinite().all()
    assert picture.rgb.min() >= 0
    assert picture.rgb.max() <= 1


@settings(deadline=None, max_examples=200)
@given(st.binary(min_size=1, max_size=60), st.integers(0, 3))
def test_any_pixel_stream_gives_a_picture_or_an_input_error(stream: bytes, color: int) -> None:
    """PNGs whose structure and checksums are right and whose pixels are anything."""
    color_type = (0, 2, 4, 6)[color]
    for pixels in (stream, zlib.compress(stream)):
        try:
            load(strange.raw_png(3, 2, pixels, color_type=color_type))
        except InputError as error:
            assert "damaged" in error.detail
