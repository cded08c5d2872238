"""Pictures as files of every format and depth, out and in."""

import json
from io import BytesIO
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from app.errors import ComputationError
from app.kinds.fields import BitDepth, PictureFormat
from app.media import inspect_picture, read_recipe
from app.settings import Settings
from worker.contract.steps import Outcome
from worker.media.picture_files import encode_picture
from worker.media.pictures import load_picture, straight
from worker.media.profiles import srgb_profile
from worker.runtime.artifacts import encode

RECIPE = {"kind": "style_transfer", "params": {"size": 256, "style": ["Öl", "油画"]}, "seed": 2**62}
FILES: list[tuple[PictureFormat, BitDepth]] = [
    ("png", 8),
    ("png", 16),
    ("jpeg", 8),
    ("webp", 8),
    ("tiff", 8),
    ("tiff", 16),
]
EXACT = [(format_, depth) for format_, depth in FILES if format_ in ("png", "tiff")]


def ramp(bits: int) -> Tensor:
    """Every value of 8 or 16 bits, (1, 3, H, W)."""
    side = 2 ** (bits // 2)
    values = torch.arange(side**2, dtype=torch.float32).reshape(side, side) / (side**2 - 1)
    return torch.stack([values, values.T, values.flip(0)])[None]


def smooth(channels: int = 3) -> Tensor:
    x, y = torch.meshgrid(torch.linspace(0, 1, 48), torch.linspace(0, 1, 32), indexing="xy")
    return torch.stack([x, y, 1 - x, 0.2 + 0.8 * y][:channels])[None]


@pytest.mark.parametrize(("format", "depth"), EXACT)
def test_every_value_goes_out_and_in_unchanged(format: PictureFormat, depth: BitDepth) -> None:
    data = encode_picture(ramp(depth), None, RECIPE, format, depth)
    loaded = load_picture(BytesIO(data), "image")
    assert torch.equal(loaded.rgb, ramp(depth))
    assert loaded.alpha is None


@pytest.mark.parametrize(("format", "depth"), FILES)
def test_the_service_takes_what_it_makes_and_the_recipe_comes_back(
    format: PictureFormat, depth: BitDepth
) -> None:
    data = encode_picture(smooth(), None, RECIPE, format, depth)
    info = inspect_picture(BytesIO(data), Settings())
    assert (info.media_type, info.width, info.height) == (f"image/{format}", 48, 32)
    assert read_recipe(BytesIO(data)) == RECIPE
    assert torch.allclose(load_picture(BytesIO(data), "image").rgb, smooth(), atol=0.05)


@pytest.mark.parametrize(("format", "depth"), FILES)
def test_every_file_says_that_it_is_srgb(format: PictureFormat, depth: BitDepth) -> None:
    with Image.open(BytesIO(encode_picture(smooth(), None, None, format, depth))) as image:
        image.load()
        assert image.size == (48, 32)
        if format == "png":
            assert image.info["srgb"] == 0
        else:
            assert image.info["icc_profile"] == srgb_profile()


@pytest.mark.parametrize(("format", "depth"), FILES)
def test_the_same_picture_and_recipe_are_the_same_bytes(format: PictureFormat, depth: BitDepth) -> None:
    shuffled = dict(reversed(RECIPE.items()))
    first, second = (encode_picture(smooth(), None, recipe, format, depth) for recipe in (RECIPE, shuffled))
    assert first == second


@pytest.mark.parametrize(("format", "depth"), FILES)
def test_alpha_is_kept_or_the_picture_lies_on_white(format: PictureFormat, depth: BitDepth) -> None:
    data = encode_picture(smooth(4), None, None, format, depth)
    assert encode_picture(smooth(), smooth(4)[:, 3:], None, format, depth) == data
    loaded = load_picture(BytesIO(data), "image")
    rgb, alpha = smooth(), smooth(4)[:, 3:]
    assert torch.allclose(loaded.rgb, rgb * alpha + 1 - alpha, atol=0.05)
    if format == "jpeg":
        assert loaded.alpha is None
    else:
        assert loaded.alpha is not None
        assert torch.allclose(loaded.alpha, alpha, atol=0.5 / (2**depth - 1) + 1e-6)


@pytest.mark.parametrize(("format", "depth"), FILES)
def test_a_transparent_picture_comes_out_as_it_was_painted_on_white(
    format: PictureFormat, depth: BitDepth
) -> None:
    alpha = smooth(4)[:, 3:]
    if (format, depth) in EXACT:
        alpha[..., :8] = 0
    painted = smooth() * alpha + 1 - alpha

    (file,) = encode(Outcome({"image": painted}), alpha, RECIPE, (format, depth))

    assert isinstance(file.data, bytes)
    loaded = load_picture(BytesIO(file.data), "image")
    assert torch.allclose(loaded.rgb, painted, atol=2.01 / 255 if (format, depth) in EXACT else 0.05)
    if (format, depth) in EXACT:
        with Image.open(BytesIO(file.data)) as image:
            seen = torch.from_numpy(np.asarray(image)[..., :3].astype(np.float32) / 255).permute(2, 0, 1)
        opaque = alpha.expand_as(painted) > 0.25
        assert (seen - smooth()[0])[opaque[0]].abs().max() < 4.01 / 255


def test_what_is_darker_than_its_transparency_allows_is_as_dark_as_that() -> None:
    alpha = torch.tensor([0.0, 1e-8, 0.25, 1.0]).view(1, 1, 1, 4)

    (file,) = encode(Outcome({"image": torch.zeros(1, 3, 1, 4)}), alpha, RECIPE)

    assert isinstance(file.data, bytes)
    rgb = load_picture(BytesIO(file.data), "image").rgb
    assert torch.allclose(rgb[0, 0, 0], torch.tensor([1.0, 1.0, 0.75, 0.0]), atol=1.01 / 255)


@pytest.mark.parametrize(("format", "depth"), EXACT)
def test_what_others_read(format: PictureFormat, depth: BitDepth) -> None:
    """Pillow reads 8 of the bits."""
    with Image.open(BytesIO(encode_picture(smooth(4), None, RECIPE, format, depth))) as image:
        assert image.mode == "RGBA"
        seen = np.asarray(image).astype(np.float32) / 255
    assert np.abs(seen - smooth(4)[0].permute(1, 2, 0).numpy()).max() < 1.01 / 255


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize(("format", "depth"), FILES)
def test_what_is_no_number_is_never_a_picture(format: PictureFormat, depth: BitDepth, bad: float) -> None:
    picture = smooth(4)
    picture[0, 1, 3, 3] = bad
    with pytest.raises(ComputationError):
        encode_picture(picture, None, None, format, depth)


def test_a_recipe_that_no_jpeg_has_room_for_is_left_out() -> None:
    recipe = {"kind": "style_transfer", "params": {"style": ["x" * 70_000]}}
    for format_ in get_args(PictureFormat):
        data = encode_picture(smooth(), None, recipe, format_)
        assert read_recipe(BytesIO(data)) == (None if format_ in ("jpeg", "webp") else recipe)


def test_the_text_of_another_program_is_no_recipe() -> None:
    exif: Any = Image.Exif()
    exif[270] = json.dumps([1])
    out = BytesIO()
    Image.new("RGB", (4, 4)).save(out, "JPEG", exif=exif)
    assert read_recipe(out) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 700), st.sampled_from(EXACT), st.sampled_from([3, 4]))
def test_any_size(height: int, width: int, file: tuple[PictureFormat, BitDepth], channels: int) -> None:
    format_, depth = file
    generator = torch.Generator().manual_seed(height * 701 + width)
    levels = torch.randint(0, 2**depth, (1, channels, height, width), generator=generator)
    levels[:, 3:] = 2**depth - 1
    picture = levels.float() / (2**depth - 1)
    loaded = load_picture(BytesIO(encode_picture(picture, None, RECIPE, format_, depth)), "image")
    assert torch.equal(loaded.rgb, picture[:, :3])


def test_paint_that_is_darker_than_its_transparency_keeps_its_hue() -> None:
    painted, alpha = torch.tensor([0.3, 0.8, 0.2]).view(1, 3, 1, 1), torch.full((1, 1, 1, 1), 0.2)
    # On the line from the painted color to (painted - 0.8) / 0.2, where blue is 0.
    expected = torch.tensor([0.3 - 2.8 / 16, 0.8 - 0.8 / 16, 0.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(straight(painted, alpha), expected)
    # What was content over white is the content again.
    torch.testing.assert_close(straight(1 - alpha + alpha * painted, alpha), painted)
