"""Modes, inks and color profiles of pictures as people send them. Values are known by hand."""

import logging
import zlib

import numpy as np
import pytest
import torch

from tests.support import strange_pictures as strange
from tests.support.loading import assert_color, levels, load


def with_profile(png: bytes, profile: bytes) -> bytes:
    """A PNG (signature and header are 33 bytes) with a colour profile put in."""
    return png[:33] + strange.chunk(b"iCCP", b"test\0\0" + zlib.compress(profile)) + png[33:]


def srgb(linear: float) -> float:
    """IEC 61966-2-1, in units of 1/255."""
    return 255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(
    ("data", "color", "tolerance"),
    [
        (strange.plain("JPEG", quality=100), (200, 120, 40), 1.5),
        (strange.plain("JPEG", mode="L", color=(77,)), (77, 77, 77), 1),
        (strange.plain(mode="L", color=(77,)), (77, 77, 77), 0),
        (strange.plain(mode="1", color=(1,)), (255, 255, 255), 0),
        (strange.raw_png(3, 1, [b"\x6c"], bits=2, color_type=0), None, 0),
        (strange.rgb16([[(65535, 32896, 257)]]), (255, 128, 1), 0),
        (strange.two_picture_jpeg(), (254, 0, 0), 0.1),
    ],
    ids=["jpeg", "grey-jpeg", "grey", "1-bit", "2-bit", "rgb16", "two-pictures"],
)
def test_modes(data: bytes, color: tuple[int, ...] | None, tolerance: float) -> None:
    if color is None:
        assert levels(load(data))[0, :, 0].tolist() == [85, 170, 255]
    else:
        assert_color(load(data), color, tolerance + 1e-4)


@pytest.mark.parametrize(
    ("ink", "color"),
    [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 255, 0, 0), (255, 0, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0, 0, 0, 128), (127, 127, 127)),
        ((128, 0, 0, 128), (63, 127, 127)),
    ],
)
def test_inks_without_a_profile(ink: tuple[int, ...], color: tuple[int, ...]) -> None:
    """(1 - ink) (1 - black)."""
    assert_color(load(strange.cmyk_jpeg(ink)), color, 1.5)


@pytest.mark.parametrize(("black", "level"), [(0, 255), (255, 0), (128, 118)])
def test_inks_by_their_profile(black: int, level: int) -> None:
    """L* falls from 100 to 0 with black; L* 50 is sRGB 119 (118.9)."""
    data = strange.cmyk_jpeg((255, 0, 0, black), icc_profile=strange.cmyk_profile())
    assert_color(load(data), (level,) * 3, 1.5)


def test_16_bit_grey_keeps_its_precision() -> None:
    row = [0, 1, 255, 256, 257, 32767, 65534, 65535]
    picture = load(strange.grey16([row]))
    expected = torch.tensor(row, dtype=torch.float32) / 65535
    assert torch.equal(picture.rgb[0, :, 0], expected.expand(3, -1))


def test_16_bit_grey_is_reduced_without_losing_precision() -> None:
    picture = load(strange.grey16([[1001] * 64] * 64), side=16)
    torch.testing.assert_close(picture.rgb, torch.full((1, 3, 16, 16), 1001 / 65535), rtol=1e-5, atol=0)


def test_16_bit_grey_stays_in_range_next_to_edges() -> None:
    picture = load(strange.grey16([[0] * 32 + [65535] * 32] * 64), side=24)
    assert picture.rgb.min() >= 0
    assert picture.rgb.max() <= 1


@pytest.mark.parametrize("level", [0, 3, 20, 64, 128, 200, 255])
@pytest.mark.parametrize("space", ["RGB", "GRAY"])
def test_a_linear_profile_is_honoured(space: str, level: int) -> None:
    mode, color = ("RGB", (level,) * 3) if space == "RGB" else ("L", (level,))
    data = strange.plain(mode=mode, color=color, icc_profile=strange.profile(space, gamma=1.0))
    assert_color(load(data), (srgb(level / 255),) * 3, 0.6)


def test_a_linear_profile_is_honoured_in_16_bits() -> None:
    row = [0, 771, 25700, 25701, 25800, 65535]  # 771 = 3 × 257, 25700 = 100 × 257
    picture = load(with_profile(strange.grey16([row]), strange.profile("GRAY", gamma=1.0)))
    seen = levels(picture)[0, :, 0]
    expected = torch.tensor([srgb(level / 65535) for level in row])
    torch.testing.assert_close(seen, expected, rtol=0, atol=0.6)
    assert seen[2] < seen[3] < seen[4]


# XYZ under D50 in units of 1/65536, of red, green and blue.
SRGB_PRIMARIES = ((28578, 14581, 912), (25238, 46988, 6363), (9374, 3967, 46786))
P3_PRIMARIES = ((33756, 15810, -69), (19154, 45339, 2751), (10280, 4387, 51379))


@pytest.mark.parametrize("color", [(200, 100, 100), (100, 128, 100), (40, 60, 220), (128, 128, 128)])
def test_wide_primaries_are_honoured(color: tuple[int, int, int]) -> None:
    """Display P3's primaries with gamma 2.2: to XYZ and back with sRGB's matrix and curve."""
    data = strange.plain(color=color, icc_profile=strange.profile("RGB", 2.2, P3_PRIMARIES))
    to_xyz, from_xyz = np.array(P3_PRIMARIES).T, np.linalg.inv(np.array(SRGB_PRIMARIES).T)
    linear = from_xyz @ to_xyz @ (np.array(color) / 255) ** (563 / 256)
    assert_color(load(data), tuple(srgb(value) for value in linear), 1.01)


def test_an_rgb_profile_on_a_grey_picture() -> None:
    data = strange.plain(mode="L", color=(128,), icc_profile=strange.profile("RGB", gamma=1.0))
    assert_color(load(data), (srgb(128 / 255),) * 3, 0.6)


@pytest.mark.parametrize(
    "profile",
    [b"rubbish", strange.profile("RGB")[:-100], strange.profile("GRAY"), strange.cmyk_profile()],
    ids=["rubbish", "cut-off", "of-grey", "of-inks"],
)
def test_a_profile_of_no_use_is_ignored_with_a_warning(
    profile: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert_color(load(strange.plain(color=(9, 99, 199), icc_profile=profile)), (9, 99, 199))
    assert "profile" in caplog.text
