"""Tensors as files, and the recipe inside."""

import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from app.errors import ComputationError
from app.kinds.style_transfer import StyleTransferParams
from app.media import read_recipe
from app.media.recipe_text import MAX_RECIPE_BYTES, RECIPE_KEY, dump_recipe
from tests.support import strange_pictures as strange
from tests.support.fake_device import DEVICE, FakeDevice
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Source
from worker.media.pictures import Picture, encode_png, encode_preview, load_picture, resize
from worker.runtime.recipes import make_recipe

RECIPE = {"kind": "style_transfer", "params": {"size": 256, "style": ["Öl", "油画"]}, "seed": 2**62}


def ramp() -> torch.Tensor:
    """Every 8-bit value, (1, 3, 16, 16)."""
    values = torch.arange(256).reshape(16, 16)
    return torch.stack([values, values.T, 255 - values])[None].float() / 255


def pixels(data: bytes) -> torch.Tensor:
    with Image.open(BytesIO(data)) as image:
        channels = len(image.getbands())
        return torch.tensor(list(image.tobytes())).reshape(image.height, image.width, channels)


def test_every_8_bit_value_goes_out_and_in_unchanged() -> None:
    data = encode_png(ramp(), None, None)
    assert torch.equal(load_picture(BytesIO(data), "image").rgb, ramp())


def test_to_the_nearest_level_half_to_even_and_clipped() -> None:
    levels = torch.tensor([-9.0, 0.4, 0.5, 0.6, 1.5, 2.5, 254.4, 254.6, 300.0], dtype=torch.float64)
    rgb = (levels / 255).expand(1, 3, 1, -1)
    assert (levels / 255 * 255 == levels).all(), "the halves must survive the division"
    # In float32, as the encoder computes.
    assert pixels(encode_png(rgb))[0, :, 0].tolist() == [0, 0, 0, 1, 2, 2, 254, 255, 255]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_never_a_picture(bad: float) -> None:
    rgb = ramp()
    rgb[0, 1, 3, 3] = bad
    with pytest.raises(ComputationError):
        encode_png(rgb)
    with pytest.raises(ComputationError):
        encode_preview(rgb)


def test_strided_double_and_graph_carrying_tensors_are_fine() -> None:
    rgb = ramp().double().transpose(2, 3).requires_grad_()
    assert torch.equal(pixels(encode_png(rgb)), pixels(encode_png(ramp().transpose(2, 3).contiguous())))


def test_alpha_beside_or_as_fourth_channel() -> None:
    alpha = torch.linspace(0, 1, 256).reshape(1, 1, 16, 16)
    beside = encode_png(ramp(), alpha)
    assert beside == encode_png(torch.cat([ramp(), alpha], dim=1))
    assert torch.equal(pixels(beside)[..., 3].flatten(), torch.arange(256))
    assert torch.equal(pixels(beside)[..., :3], pixels(encode_png(ramp())))


def test_alpha_is_resized_to_the_picture() -> None:
    alpha = torch.zeros(1, 1, 64, 64)
    alpha[..., :32] = 1
    seen = pixels(encode_png(ramp(), alpha))[..., 3]
    assert seen.shape == (16, 16)
    assert (seen[:, :6] == 255).all()
    assert (seen[:, 10:] == 0).all()


@pytest.mark.medium
@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_resizing_keeps_the_range_and_constants(h: int, w: int, height: int, width: int) -> None:
    picture = torch.rand(1, 1, h, w, generator=torch.Generator().manual_seed(h * 41 + w))
    resized = resize(picture, (height, width))
    assert resized.shape == (1, 1, height, width)
    assert picture.min() - 1e-6 <= resized.min()
    assert resized.max() <= picture.max() + 1e-6
    constant = resize(torch.full_like(picture, 0.25), (height, width))
    torch.testing.assert_close(constant, torch.full_like(constant, 0.25))


def test_it_says_that_it_is_srgb_and_reads_as_a_plain_8_bit_png() -> None:
    data = encode_png(ramp(), None, RECIPE)
    with Image.open(BytesIO(data)) as image:
        assert image.mode == "RGB"
        assert image.info["srgb"] == 0
        assert json.loads(image.info[RECIPE_KEY]) == RECIPE
    assert data.index(b"sRGB") < data.index(b"iTXt") < data.index(b"IDAT")


def test_the_same_picture_and_recipe_are_the_same_bytes() -> None:
    shuffled = dict(reversed(RECIPE.items()))
    assert encode_png(ramp(), None, RECIPE) == encode_png(ramp(), None, shuffled)


def test_a_recipe_comes_back_without_a_look_at_the_pixels() -> None:
    data = encode_png(ramp(), None, RECIPE)
    assert read_recipe(BytesIO(data)) == RECIPE
    assert read_recipe(BytesIO(data[: data.index(b"IDAT") + 20])) == RECIPE


@pytest.mark.medium
@settings(deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_any_json_survives(value: Any) -> None:
    recipe = {"params": value}
    assert read_recipe(BytesIO(encode_png(torch.zeros(1, 3, 1, 1), None, recipe))) == recipe


def test_a_recipe_with_a_number_that_is_none_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_recipe({"loss": float("nan")})


def png_with_text(text: str, zip: bool = False) -> BytesIO:
    info = PngImagePlugin.PngInfo()
    info.add_itxt(RECIPE_KEY, text, zip=zip)
    return BytesIO(strange.encode(Image.new("RGB", (2, 2)), pnginfo=info))


def test_the_largest_recipe_that_is_read() -> None:
    recipe = {"a": "x" * (MAX_RECIPE_BYTES - len('{"a": ""}'))}
    assert read_recipe(png_with_text(json.dumps(recipe), zip=True)) == recipe


@pytest.mark.parametrize(
    "file",
    [
        BytesIO(b""),
        BytesIO(b"text"),
        BytesIO(strange.plain()),
        BytesIO(strange.plain("JPEG")),
        png_with_text("not json"),
        png_with_text("[1, 2]"),
        png_with_text('{"loss": NaN}'),
        png_with_text("[" * 100_000),
        png_with_text(json.dumps({"a": "x" * MAX_RECIPE_BYTES}), zip=True),
        png_with_text(json.dumps({"a": "x" * 60_000_000}), zip=True),
        BytesIO(strange.plain(pnginfo=None).replace(b"IDAT", b"IDAX")),
    ],
    ids=["empty", "text", "png", "jpeg", "no-json", "list", "nan", "deep", "large", "bomb", "damaged"],
)
def test_no_recipe_that_can_be_read(file: BytesIO) -> None:
    assert read_recipe(file) is None


@pytest.mark.parametrize(
    ("size", "seen"), [((100, 60), (100, 60)), ((1024, 600), (512, 300)), ((4, 1024), (2, 512))]
)
def test_a_preview_is_a_small_jpeg(size: tuple[int, int], seen: tuple[int, int]) -> None:
    rgb = torch.tensor([200, 120, 40]).reshape(1, 3, 1, 1).expand(1, 3, size[1], size[0]) / 255
    data = encode_preview(rgb)
    with Image.open(BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert image.size == seen
        color = image.getpixel((0, 0))
    assert isinstance(color, tuple)
    assert max(abs(a - b) for a, b in zip(color, (200, 120, 40), strict=True)) <= 3


def test_a_preview_shows_what_the_picture_shows() -> None:
    rgb = torch.nn.functional.interpolate(ramp(), (1000, 1200), mode="bicubic").clamp(0, 1)
    with Image.open(BytesIO(encode_png(rgb))) as whole, Image.open(BytesIO(encode_preview(rgb))) as preview:
        expected, found = (
            np.asarray(image.resize((60, 50), Image.Resampling.BOX), dtype=float)
            for image in (whole, preview)
        )
    assert np.abs(found - expected).mean() < 2


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_one_value_that_is_no_number_is_found_in_a_large_picture(bad: float) -> None:
    for place in range(4):
        rgb = torch.full((1, 3, 1024, 1300), 0.5)
        rgb[0, 1, 511 + place, 640 + place] = bad
        with pytest.raises(ComputationError):
            encode_preview(rgb)


def test_a_preview_copies_no_more_than_it_shows() -> None:
    with FakeDevice() as device:
        encode_preview(torch.empty(1, 3, 3072, 4096, device=DEVICE))
    assert device.copied == 384 * 512 * 3


def test_a_recipe_says_what_made_the_picture() -> None:
    params = StyleTransferParams(content="a", style=["b", "c"], seed=7)
    hashes = {"content": ["11"], "style": ["22", "33"]}
    picture = Picture(torch.zeros(1, 3, 8, 8))
    inputs = Inputs({param: [Source(each, lambda: picture) for each in own] for param, own in hashes.items()})
    recipe = make_recipe(params, inputs, None, Compute(torch.device("cpu"), torch.bfloat16))
    assert recipe["kind"] == "style_transfer"
    assert StyleTransferParams(**recipe["params"]) == params
    assert recipe["inputs"] == hashes
    assert (recipe["seed"], recipe["device"], recipe["dtype"]) == (7, "cpu", "bfloat16")
    assert recipe["threads"] == torch.get_num_threads()
    assert recipe["torch"] == torch.__version__
    assert json.loads(dump_recipe(recipe)) == recipe


def float32_of(compute: Compute) -> dict[str, str] | None:
    params = StyleTransferParams(content="a", style=["b"])
    found: dict[str, str] | None = make_recipe(params, Inputs(), None, compute)["float32"]
    return found


def test_a_recipe_says_how_a_gpu_multiplies_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Compute(torch.device("cuda", 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn.conv  # type: ignore[attr-defined]
    defaults = matmul.fp32_precision, convolution.fp32_precision
    assert float32_of(gpu) == {"matmul": "ieee", "convolution": "tf32"}

    try:
        matmul.fp32_precision, convolution.fp32_precision = "tf32", "ieee"
        assert float32_of(gpu) == {"matmul": "tf32", "convolution": "ieee"}
    finally:
        matmul.fp32_precision, convolution.fp32_precision = defaults


def test_a_recipe_of_a_cpu_has_no_such_settings() -> None:
    assert float32_of(Compute(torch.device("cpu"))) is None
