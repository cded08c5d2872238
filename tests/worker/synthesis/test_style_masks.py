"""Style transfers with masks: where each style is painted, where the content stays, where it counts more."""

from functools import partial
from io import BytesIO
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from app.errors import InputError
from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from tests.support import strange_pictures
from tests.worker.conftest import drawn
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Source
from worker.contract.steps import Outcome, StepState, run_steps
from worker.media.pictures import Picture, load_picture
from worker.runtime.artifacts import encode
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis.style_masks import Masks, load_masks
from worker.synthesis.style_transfer import style_transfer, style_transfer_loss

LEFT = (torch.arange(60) < 30).float().expand(1, 3, 45, 60)
SOFT = torch.linspace(0, 1, 60).expand(1, 3, 45, 60)


def make_params(**values: Any) -> ResolvedStyleTransfer:
    given = {"content": "c", "style": ["s"], "size": 60, "steps": 8, **values}
    layers = {"content_layers": {"relu2": 1.0}, "style_layers": {"relu1": 1.0, "conv3": 1.0}}
    return StyleTransferParams.model_validate(given).resolve(SHIPPED).model_copy(update=layers)


def run(
    network: Network,
    params: ResolvedStyleTransfer,
    pictures: dict[str, list[Tensor]],
    resume: StepState | None = None,
) -> tuple[Outcome, list[tuple[Tensor, dict[str, float], StepState]]]:
    """The outcome; and of each step its picture, losses and state."""
    seen: list[tuple[Tensor, dict[str, float], StepState]] = []
    steps = style_transfer(
        params, Inputs.of(pictures), network, Compute(torch.device("cpu"), network.dtype), resume
    )
    outcome = run_steps(steps, lambda step: seen.append((step.image(), step.losses(), step.state())))  # type: ignore[misc]
    return outcome, seen


def test_a_fine_style_is_painted_where_styles_are_alone(network: Network) -> None:
    params = make_params(fine_style="f", content_weight=0, tv_weight=0, views=["picture"])
    left = (torch.arange(64) < 24).float().expand(1, 1, 32, 64)
    content, style, fine, picture = (drawn(32, 64, seed) for seed in range(4))

    loss = style_transfer_loss(params, network, content, [style], fine, masks=Masks(styles=[left]))

    gradient = loss(picture).gradient
    assert bool(gradient[..., :24].any())
    assert not bool(gradient[..., 48:].any())


@pytest.fixture
def pictures(content: Tensor, style: Tensor) -> dict[str, list[Tensor]]:
    return {"content": [content], "style": [style, drawn(40, 40, 7)]}


def test_each_style_has_losses_of_its_own(network: Network, pictures: dict[str, list[Tensor]]) -> None:
    params = make_params(style=["s", "t"], style_masks=["a", "b"], style_weights=[1.0, 3.0])

    outcome, _ = run(network, params, {**pictures, "style_masks": [LEFT, 1 - LEFT]})

    names = [f"style.{place}.{layer}" for place in (0, 1) for layer in ("relu1", "conv3")]
    assert [*outcome.result["losses"]] == ["content.relu2", *names, "tv", "total"]


def test_one_white_mask_is_as_none(network: Network, pictures: dict[str, list[Tensor]]) -> None:
    one = {"content": pictures["content"], "style": pictures["style"][:1]}
    white = torch.ones(1, 3, 45, 60)
    plain, seen = run(network, make_params(), one)
    masked, found = run(network, make_params(style_masks=["m"]), {**one, "style_masks": [white]})
    within, _ = run(network, make_params(content_mask="m"), {**one, "content_mask": [white]})

    for (picture, losses, _), (other, own, _) in zip(seen, found, strict=True):
        assert torch.allclose(picture, other, atol=1e-4)
        assert own["total"] == pytest.approx(losses["total"], rel=1e-4)
    for outcome in (masked, within):
        assert torch.allclose(outcome.images["image"], plain.images["image"], atol=1e-4)


def test_a_style_without_a_share_is_left_out(network: Network, pictures: dict[str, list[Tensor]]) -> None:
    params = make_params(style=["s", "t"], style_masks=["a", "b"], style_weights=[0.0, 2.0], steps=1)

    outcome, _ = run(network, params, {**pictures, "style_masks": [LEFT, 1 - LEFT]})

    assert not [name for name in outcome.result["losses"] if name.startswith("style.0.")]


@pytest.mark.parametrize("color", ["style", "content", "luminance"])
def test_what_is_protected_stays_as_it_is(
    network: Network, pictures: dict[str, list[Tensor]], color: str
) -> None:
    params = make_params(style=["s", "t"], content_mask="m", color=color, init="noise")

    outcome, seen = run(network, params, {**pictures, "content_mask": [LEFT]})

    (content,) = pictures["content"]
    for picture in (seen[-1][0], outcome.images["image"]):
        assert torch.equal(picture[..., 30:], content[..., 30:])
        assert float((picture[..., :30] - content[..., :30]).abs().mean()) > 0.02


def test_colors_are_matched_where_it_is_painted_alone(
    network: Network, pictures: dict[str, list[Tensor]]
) -> None:
    params = make_params(style=["s", "t"], content_mask="m", color_match="pca", steps=2)

    outcome, _ = run(network, params, {**pictures, "content_mask": [LEFT]})

    assert torch.equal(outcome.images["image"][..., 30:], pictures["content"][0][..., 30:])


@pytest.mark.medium
@pytest.mark.parametrize("after", [3, 4, 7])
def test_resume_gives_the_same_picture(
    network: Network, pictures: dict[str, list[Tensor]], after: int
) -> None:
    params = make_params(
        size=128,
        style=["s", "t"],
        style_masks=["a", "b"],
        content_mask="m",
        content_weight_map="w",
        init="noise",
    )
    given = {
        **pictures,
        "style_masks": [SOFT, 1 - SOFT],
        "content_mask": [SOFT.flip(2)],
        "content_weight_map": [LEFT],
    }
    whole, seen = run(network, params, given)

    outcome, rest = run(network, params, given, from_bytes(to_bytes(seen[after - 1][2])))

    assert len(rest) == 8 - after
    assert torch.equal(outcome.images["image"], whole.images["image"])
    assert outcome.result == whole.result


@pytest.mark.medium
def test_each_side_takes_the_colors_of_its_style(network: Network, content: Tensor) -> None:
    red, blue = (
        drawn(45, 60, seed) * torch.tensor(color).view(1, 3, 1, 1)
        for seed, color in ((3, (1.0, 0.1, 0.1)), (4, (0.1, 0.1, 1.0)))
    )
    params = make_params(style=["s", "t"], style_masks=["a", "b"], content_weight=0.1, steps=40)

    outcome, _ = run(
        network, params, {"content": [content], "style": [red, blue], "style_masks": [LEFT, 1 - LEFT]}
    )

    left, right = outcome.images["image"].split(30, dim=3)
    assert float((left[:, 0] - left[:, 2]).mean()) > 0.1
    assert float((right[:, 2] - right[:, 0]).mean()) > 0.1


@pytest.mark.medium
def test_the_map_keeps_content_where_it_is_light(network: Network, pictures: dict[str, list[Tensor]]) -> None:
    params = make_params(style=["s", "t"], content_weight_map="m", steps=30)

    image = run(network, params, {**pictures, "content_weight_map": [LEFT]})[0].images["image"]

    left, right = (image - pictures["content"][0]).abs().split(30, dim=3)
    assert float(left.mean()) < 0.8 * float(right.mean())


def load(size: tuple[int, int] = (45, 60), **masks: Any) -> Any:
    pictures = {"content": [drawn(45, 60, 1)], **{name: [each] for name, each in masks.items()}}
    return load_masks(make_params(**dict.fromkeys(masks, "m")), Inputs.of(pictures), size)


@pytest.mark.parametrize("field", ["style_masks", "content_mask", "content_weight_map"])
def test_a_mask_has_the_proportions_of_the_content(field: str) -> None:
    with pytest.raises(InputError) as refused:
        load(**{field: torch.ones(1, 3, 45, 45)})

    assert refused.value.field == field
    assert "45×45" in str(refused.value) and "60×45" in str(refused.value)


@pytest.mark.parametrize(("height", "width"), [(90, 120), (3, 4), (3, 3), (10, 14), (44, 60), (1, 1)])
def test_a_rounded_mask_fits(height: int, width: int) -> None:
    assert load(content_mask=torch.ones(1, 3, height, width)).painted.shape == (1, 1, 45, 60)


@pytest.mark.parametrize("field", ["style_masks", "content_mask", "content_weight_map"])
def test_a_black_mask_is_refused(field: str) -> None:
    with pytest.raises(InputError) as refused:
        load(**{field: torch.zeros(1, 3, 45, 60)})

    assert refused.value.field == field
    assert "black" in str(refused.value)


def test_masks_that_do_not_meet_are_refused(pictures: dict[str, list[Tensor]]) -> None:
    params = make_params(style=["s", "t"], style_masks=["a", "b"], content_mask="m")
    given = {**pictures, "style_masks": [LEFT, 1 - LEFT], "content_mask": [LEFT]}

    with pytest.raises(InputError) as refused:
        load_masks(params, Inputs.of(given), (45, 60))

    assert refused.value.field == "style_masks.1"


def test_masks_that_overlap_share_the_place(pictures: dict[str, list[Tensor]]) -> None:
    given = {**pictures, "style_masks": [torch.ones(1, 3, 45, 60), LEFT]}
    params = make_params(style=["s", "t"], style_masks=["a", "b"])

    found = load_masks(params, Inputs.of(given), (45, 60)).styles

    torch.testing.assert_close(found[0], 1 - LEFT[:, :1] / 2)
    torch.testing.assert_close(found[1], LEFT[:, :1] / 2)


def test_there_is_a_mask_for_each_style() -> None:
    with pytest.raises(InputError) as refused:
        make_params(style=["s", "t"], style_masks=["m"])

    assert refused.value.field == "style_masks"
    assert "1 masks for 2 style pictures" in str(refused.value)


def test_what_is_protected_is_as_transparent_as_it_was(
    network: Network, pictures: dict[str, list[Tensor]]
) -> None:
    file = BytesIO(strange_pictures.plain(size=(60, 45), mode="RGBA", color=(200, 80, 40, 128)))
    opened = load_picture(file, "content")
    sources = {
        name: [Source("", partial(Picture, each)) for each in several] for name, several in pictures.items()
    }
    sources |= {
        "content": [Source("", lambda: opened)],
        "style": sources["style"][:1],
        "content_mask": [Source("", lambda: Picture(LEFT))],
    }
    params = make_params(content_mask="m", steps=1)
    compute = Compute(torch.device("cpu"), network.dtype)

    outcome = run_steps(style_transfer(params, Inputs(sources), network, compute))

    (image,) = encode(outcome, opened.alpha, {})
    assert isinstance(image.data, bytes)
    with Image.open(BytesIO(image.data)) as result:
        assert result.getpixel((55, 20)) == pytest.approx((200, 80, 40, 128), abs=2)


def test_what_is_transparent_is_black() -> None:
    alpha = LEFT[:, :1] * 0.5
    # Light grey over white, as pictures are decoded.
    picture = Picture(0.8 * alpha + (1 - alpha).expand(1, 3, 45, 60), alpha)
    inputs = Inputs(
        {
            "content": [Source("", lambda: Picture(drawn(45, 60, 1)))],
            "content_mask": [Source("", lambda: picture)],
        }
    )

    found = load_masks(make_params(content_mask="m"), inputs, (45, 60)).painted

    assert found is not None and torch.allclose(found, 0.8 * alpha, atol=1e-6)


def test_black_on_transparency_is_black_at_soft_edges_too() -> None:
    alpha = Image.new("L", (400, 300))
    ImageDraw.Draw(alpha).ellipse((80, 60, 240, 240), fill=255)
    drawing, file = Image.new("RGBA", alpha.size), BytesIO()
    drawing.putalpha(alpha.filter(ImageFilter.GaussianBlur(8)))
    drawing.save(file, "PNG")
    # Color and transparency are rounded apart when it is reduced.
    opened = load_picture(BytesIO(file.getvalue()), "content_mask", 60)
    inputs = Inputs(
        {
            "content": [Source("", lambda: Picture(drawn(45, 60, 1)))],
            "content_mask": [Source("", lambda: opened)],
        }
    )

    with pytest.raises(InputError, match="black everywhere"):
        load_masks(make_params(content_mask="m"), inputs, (45, 60))
