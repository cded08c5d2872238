"""Pictures with 16 bits a channel, and TIFFs. Values are known by hand."""

import struct
import zlib
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from app.errors import InputError
from tests.support import strange_pictures as strange
from tests.support.loading import assert_color, levels, load
from tests.support.tiffs import tiff
from worker.media.profiles import read_matrix_profile, srgb_profile


def ramp(channels: int = 3) -> NDArray[np.uint16]:
    """Every 16-bit value in each channel, (256, 256, C)."""
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    return np.stack([values, values.T, values[::-1], values][:channels], axis=-1)


def assert_levels(data: bytes, expected: NDArray[np.uint16]) -> None:
    """Assert that a file has exactly these levels."""
    wanted = torch.from_numpy(expected.astype(np.float32) / np.float32(65535))
    assert torch.equal(load(data).rgb[0].permute(1, 2, 0), wanted.expand(*wanted.shape[:2], 3))


def by_ffmpeg(pixels: NDArray[np.uint16], compression: str) -> bytes:
    """A TIFF as FFmpeg writes it."""
    encoder: Any = av.CodecContext.create("tiff", "w")
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt, encoder.time_base = "rgb48le", Fraction(1)
    encoder.options = {"compression_algo": compression}
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb48le")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("deflate", "predictor"), [(False, 1), (True, 1), (True, 2)])
def test_every_16_bit_value_of_a_tiff_is_exact(order: str, deflate: bool, predictor: int) -> None:
    assert_levels(tiff(ramp(), order, deflate=deflate, predictor=predictor, rows=100), ramp())


@pytest.mark.parametrize("compression", ["raw", "lzw", "packbits", "deflate"])
def test_compressions_of_other_programs(compression: str) -> None:
    assert_levels(by_ffmpeg(ramp(), compression), ramp())


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_16_bit_value_of_a_grey_tiff_is_exact(order: str) -> None:
    assert_levels(tiff(ramp(1), order), ramp(1))


def test_every_16_bit_value_of_a_png_is_exact() -> None:
    pixels = ramp()[:64]
    assert_levels(strange.rgb16([[tuple(map(int, pixel)) for pixel in row] for row in pixels]), pixels)


def test_8_bit_tiffs_are_exact() -> None:
    pixels = (ramp() >> 8).astype(np.uint8)
    for data in (tiff(pixels), tiff(pixels, ">", deflate=True, predictor=2, rows=7)):
        assert torch.equal(levels(load(data)).round().byte(), torch.from_numpy(pixels))


@pytest.mark.parametrize(("kind", "over_white"), [(2, 0.25 * 0.5 + 0.5), (1, 0.25 + 0.5), (0, 0.25)])
def test_alpha_straight_premultiplied_and_a_channel_that_is_none(kind: int, over_white: float) -> None:
    pixels = np.full((3, 5, 4), 16384, np.uint16)
    pixels[..., -1] = 32768

    picture = load(tiff(pixels, tags={338: kind}))

    assert float(picture.rgb.mean()) == pytest.approx(over_white, abs=2e-5)
    if kind:
        assert picture.alpha is not None
        assert torch.allclose(picture.alpha, torch.full((1, 1, 3, 5), 32768 / 65535))
    else:
        assert picture.alpha is None


def test_alpha_that_is_opaque_everywhere_is_none() -> None:
    pixels = ramp(4)
    pixels[..., 3] = 65535
    picture = load(tiff(pixels))
    assert picture.alpha is None
    assert_levels(tiff(pixels), pixels[..., :3])


# Where the red quarter, stored at the upper left, is seen (TIFF 6.0, Orientation).
CORNERS = {
    1: (slice(0, 2), slice(0, 3)),
    2: (slice(0, 2), slice(3, 6)),
    3: (slice(2, 4), slice(3, 6)),
    4: (slice(2, 4), slice(0, 3)),
    5: (slice(0, 3), slice(0, 2)),
    6: (slice(0, 3), slice(2, 4)),
    7: (slice(3, 6), slice(2, 4)),
    8: (slice(3, 6), slice(0, 2)),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("most", [255, 65535])
def test_orientation(orientation: int, most: int) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8 if most == 255 else np.uint16)
    pixels[:2, :3, 0] = most

    red = load(tiff(pixels, tags={274: orientation})).rgb[0, 0]

    assert float(red.sum()) == 6
    assert bool((red[CORNERS[orientation]] == 1).all())


@pytest.mark.parametrize("most", [255, 65535])
def test_reduced_to_a_side_and_turned(most: int) -> None:
    pixels = np.full((40, 80, 3), most // 5, np.uint8 if most == 255 else np.uint16)
    picture = load(tiff(pixels, tags={274: 6}), side=20)
    assert picture.rgb.shape == (1, 3, 20, 10)
    assert torch.allclose(picture.rgb, torch.full_like(picture.rgb, 0.2), atol=1e-5)


def test_edges_stay_in_range() -> None:
    pixels = np.zeros((64, 64, 3), np.uint16)
    pixels[:, 32:] = 65535
    rgb = load(tiff(pixels), side=24).rgb
    assert 0 <= float(rgb.min()) <= float(rgb.max()) <= 1


@pytest.mark.parametrize("cut", [10, 300])
def test_a_strip_that_ends_too_early_is_damaged(cut: int) -> None:
    pixels = ramp()[:32]
    data = tiff(pixels, deflate=True, tags={279: len(zlib.compress(pixels.tobytes())) - cut})
    with pytest.raises(InputError, match="damaged"):
        load(data)


def test_a_second_size_in_a_file_allocates_nothing() -> None:
    """FFmpeg goes by the last of two tags of a number."""
    data = bytearray(tiff(ramp()[:8, :8]))
    # The tag of the number of channels becomes a second width.
    at = data.index(struct.pack("<HHI", 277, 3, 1))
    data[at : at + 12] = struct.pack("<HHII", 256, 4, 1, 60_000)
    with pytest.raises(InputError, match="damaged"):
        load(bytes(data))


def test_16_bits_through_a_profile_keep_their_steps() -> None:
    """A linear profile with sRGB's primaries: 1/65535 above black is 12.92 times that."""
    profile = strange.profile("RGB ", gamma=1.0)
    pixels = np.array([[[0, 0, 0], [1, 1, 1], [2, 2, 2], [65535, 65535, 65535]]], np.uint16)
    seen = load(tiff(pixels, tags={34675: profile})).rgb[0, 0, 0]
    expected = torch.tensor([0, 12.92 / 65535, 2 * 12.92 / 65535, 1])
    assert torch.allclose(seen, expected, atol=3e-5)
    assert float(seen[2] - seen[1]) > 0


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("wide", [False, True])
def test_matrix_profiles_are_those_of_little_cms(gamma: float, wide: bool) -> None:
    # Of Adobe RGB (1998).
    primaries = [(39957, 20388, 1278), (13455, 41006, 3991), (9778, 4142, 48799)]
    icc = strange.profile("RGB ", gamma, primaries if wide else None)
    generator = np.random.default_rng(0)
    colors = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    profile = read_matrix_profile(icc)
    assert profile is not None

    ours = profile.to_srgb(colors.astype(np.float32) / 255)

    theirs = ImageCms.profileToProfile(
        Image.fromarray(colors), ImageCms.ImageCmsProfile(BytesIO(icc)), ImageCms.createProfile("sRGB")
    )
    difference = np.abs(ours * 255 - np.asarray(theirs, dtype=np.float32))
    # Little CMS rounds to 8 bits between its steps, which shows in dark tones.
    assert np.percentile(difference, 95) < 1
    assert difference.max() < 6


def test_srgb_through_its_own_profile_is_itself() -> None:
    profile = read_matrix_profile(srgb_profile())
    assert profile is not None
    colors = np.linspace(0, 1, 3000, dtype=np.float32).reshape(-1, 3)
    assert np.allclose(profile.to_srgb(colors), colors, atol=3e-5)


@pytest.mark.medium
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_profile_is_none_or_works(data: st.DataObject) -> None:
    broken = bytearray(srgb_profile())
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    profile = read_matrix_profile(bytes(broken[: data.draw(st.integers(0, len(broken)))]))
    if profile is not None:
        assert np.isfinite(profile.to_srgb(np.full((1, 3), 0.5, np.float32))).all()


def test_a_profile_that_is_rubbish_is_ignored() -> None:
    pixels = np.full((2, 2, 3), 30000, np.uint16)
    assert_color(load(tiff(pixels, tags={34675: b"rubbish" * 10})), (30000 / 257,) * 3)


@pytest.mark.medium
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_is_refused_or_decoded_into_range(data: st.DataObject) -> None:
    pixels = ramp(data.draw(st.sampled_from([1, 3, 4])))[:9, :11]
    whole = bytearray(tiff(pixels, data.draw(st.sampled_from("<>")), deflate=True, predictor=2, rows=4))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(8, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = load(bytes(whole), side=64)
    except InputError as error:
        assert error.field == "content"
        return
    assert torch.isfinite(picture.rgb).all()
    assert 0 <= float(picture.rgb.min()) <= float(picture.rgb.max()) <= 1
