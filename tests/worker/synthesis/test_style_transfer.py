import json
from typing import get_args

import pytest
import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.style_presets import PRESETS, StyleLossName
from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from models.registry import load_network
from tests.support.style_runs import CPU, make_params, run
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import run_steps
from worker.optim.color import grey, to_oklab
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis.style_transfer import style_transfer, style_transfer_loss

presets_and_optimizers = pytest.mark.parametrize(
    ("preset", "optimizer"),
    [
        *((name, preset.optimizer) for name, preset in PRESETS.items()),
        ("impasto", "adam"),
        ("crowson-2021", "lbfgs"),
    ],
)


def test_a_run_from_step_to_outcome(network: Network, content: Tensor, style: Tensor) -> None:
    outcome, seen = run(make_params(size=192), network, content, style)

    steps = [step for step, _, _, _ in seen]
    assert [step.done for step in steps] == list(range(1, 13))
    assert {step.total for step in steps} == {12}
    # Three scales of four steps each, the last of the size asked for.
    assert [tuple(picture.shape[2:]) for _, picture, _, _ in seen][::4] == [(72, 96), (102, 136), (144, 192)]
    for _, picture, losses, _ in seen:
        assert picture.dtype == torch.float32
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
        assert losses.keys() == {"content.relu2", "style.relu1", "style.relu3", "tv", "total"}
        assert losses["total"] == pytest.approx(sum(losses.values()) - losses["total"])

    assert outcome.images["image"].shape == (1, 3, 144, 192)
    result = json.loads(json.dumps(outcome.result))
    assert (result["width"], result["height"]) == (192, 144)
    assert result["dtype"] == "float32"
    assert result["rollbacks"] == 0
    assert [scale["steps"] for scale in result["scales"]] == [4, 4, 4]
    assert result["losses"]["total"] == pytest.approx(min(losses["total"] for _, _, losses, _ in seen[8:]))


@pytest.mark.slow
def test_the_defaults_on_the_default_network(content: Tensor, style: Tensor) -> None:
    params = StyleTransferParams(content="c", style=["s"], size=64, steps=10).resolve(SHIPPED)
    compute = Compute(CPU.device, torch.bfloat16)
    network = load_network(params.network, params.pooling).prepared(compute.device, compute.dtype)
    totals: list[float] = []

    outcome = run_steps(
        style_transfer(params, Inputs.of({"content": [content], "style": [style]}), network, compute),
        lambda step: totals.append(step.losses()["total"]),
    )

    assert outcome.images["image"].shape == (1, 3, 48, 64)
    assert outcome.result["dtype"] == "bfloat16"
    assert min(totals) < 0.7 * totals[0]


@pytest.mark.medium
def test_the_loss_falls_and_the_picture_changes(network: Network, content: Tensor, style: Tensor) -> None:
    outcome, seen = run(make_params(steps=60), network, content, style)

    assert outcome.result["losses"]["total"] < 0.5 * seen[0][2]["total"]
    start = torch.nn.functional.interpolate(content, (96, 128), mode="bicubic", antialias=True)
    assert float((outcome.images["image"] - start).abs().mean()) > 0.02


@pytest.mark.medium
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("precision", ["network", "rough_network"])
def test_the_same_recipe_gives_the_same_picture(
    request: pytest.FixtureRequest, optimizer: str, precision: str, content: Tensor, style: Tensor
) -> None:
    network = request.getfixturevalue(precision)
    params = make_params(optimizer=optimizer, init="noise", seed=5)
    torch.manual_seed(1)
    first, _ = run(params, network, content, style)
    torch.manual_seed(2)
    second, _ = run(params, network, content, style)
    other, _ = run(make_params(optimizer=optimizer, init="noise", seed=6), network, content, style)

    assert torch.equal(first.images["image"], second.images["image"])
    assert first.result == second.result
    assert not torch.equal(first.images["image"], other.images["image"])


@pytest.mark.medium
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("precision", ["network", "rough_network"])
@pytest.mark.parametrize("after", [1, 5, 6, 7, 11, 12])
def test_resume_gives_the_same_picture(
    request: pytest.FixtureRequest,
    optimizer: str,
    precision: str,
    after: int,
    content: Tensor,
    style: Tensor,
) -> None:
    network = request.getfixturevalue(precision)
    params = make_params(optimizer=optimizer, init="noise")
    whole, seen = run(params, network, content, style)

    state = from_bytes(to_bytes(seen[after - 1][3]))
    outcome, rest = run(params, network, content, style, resume=state)

    assert [step.done for step, _, _, _ in rest] == list(range(after + 1, 13))
    assert torch.equal(outcome.images["image"], whole.images["image"])
    assert outcome.result == whole.result
    for (_, picture, losses, later), (_, expected, expected_losses, expected_state) in zip(
        rest, seen[after:], strict=True
    ):
        assert torch.equal(picture, expected)
        assert losses == expected_losses
        assert later.values == expected_state.values
        assert later.tensors.keys() == expected_state.tensors.keys()
        for name, tensor in expected_state.tensors.items():
            assert torch.equal(later.tensors[name], tensor), name


def test_a_state_can_be_kept_while_the_run_goes_on(network: Network, content: Tensor, style: Tensor) -> None:
    _, seen = run(make_params(), network, content, style)

    for _, _, _, state in seen:
        json.dumps(state.values, allow_nan=False)
        for tensor in state.tensors.values():
            assert tensor.device.type == "cpu"
            assert tensor.is_contiguous()
            assert torch.isfinite(tensor).all()


@pytest.mark.medium
@presets_and_optimizers
def test_every_preset_descends(
    network: Network, preset: str, optimizer: str, content: Tensor, style: Tensor
) -> None:
    params = make_params(preset=preset, optimizer=optimizer, steps=40)

    outcome, seen = run(params, network, content, style)

    last_scale = [losses["total"] for step, picture, losses, _ in seen if picture.shape[3] == 128]
    assert outcome.result["losses"]["total"] < 0.9 * last_scale[0]
    assert outcome.result["rollbacks"] == 0


@pytest.mark.medium
@pytest.mark.parametrize("style_loss", get_args(StyleLossName))
def test_every_style_loss_descends(network: Network, style_loss: str, content: Tensor, style: Tensor) -> None:
    params = make_params(style_loss=style_loss, steps=40)

    outcome, seen = run(params, network, content, style)

    last_scale = [losses["total"] for step, picture, losses, _ in seen if picture.shape[3] == 128]
    assert outcome.result["losses"]["total"] < 0.9 * last_scale[0]
    assert outcome.result["rollbacks"] == 0


@presets_and_optimizers
@pytest.mark.medium
def test_a_factor_of_all_weights_changes_nothing(
    network: Network, preset: str, optimizer: str, content: Tensor, style: Tensor
) -> None:
    one = make_params(preset=preset, optimizer=optimizer, size=64, steps=12)
    expected, _ = run(one, network, content, style)
    # Powers of two, with which every product is exact.
    for factor in (2.0**-40, 2.0**33):
        weights = ("content_weight", "style_weight", "tv_weight")
        other = one.model_copy(update={name: factor * getattr(one, name) for name in weights})
        found, _ = run(other, network, content, style)
        assert torch.equal(found.images["image"], expected.images["image"])


@pytest.mark.medium
def test_blended_styles_lie_between(network: Network, content: Tensor, style: Tensor) -> None:
    other = 1 - style
    red = [
        float(
            run(make_params(style=["a", "b"], style_weights=shares), network, content, style, other)[0]
            .images["image"][0, 0]
            .mean()
        )
        for shares in ([1, 0], [1, 1], [0, 1])
    ]

    assert min(red[0], red[2]) < red[1] < max(red[0], red[2])


def test_only_the_ratio_of_style_weights_matters(network: Network, content: Tensor, style: Tensor) -> None:
    pictures = [
        run(make_params(style=["a", "b"], style_weights=shares), network, content, style, 1 - style)[0]
        for shares in ([0.25, 0.75], [2, 6])
    ]

    assert torch.equal(pictures[0].images["image"], pictures[1].images["image"])


def grain(picture: Tensor) -> float:
    """The squared differences of neighbours, relative to the variance: less for larger strokes."""
    grey = picture.mean(1)
    down, across = grey.diff(dim=1).square().mean(), grey.diff(dim=2).square().mean()
    return float((down + across) / (2 * grey.var()))


@pytest.mark.medium
def test_style_scale_enlarges_the_strokes(network: Network, content: Tensor) -> None:
    squares = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    style = torch.nn.functional.interpolate(squares, (256, 256))
    fine, plain, coarse = (
        grain(run(make_params(style_scale=scale, steps=40), network, content, style)[0].images["image"])
        for scale in (0.5, 1.0, 2.0)
    )

    assert fine > 1.2 * plain
    assert plain > 1.2 * coarse


@pytest.mark.medium
def test_a_small_style_is_not_blurred(network: Network, content: Tensor) -> None:
    """What is asked for of a style of 48 pixels is what it has, not what its enlargement has."""
    style = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(3))
    params = make_params(preset="neural-style", init="content", content_weight=0.0, tv_weight=0.0, steps=40)

    outcome, _ = run(params, network, content, style)

    loss = style_transfer_loss(params, network, outcome.images["image"], [style])
    terms = loss(outcome.images["image"]).terms
    assert sum(float(term) for term in terms.values()) == pytest.approx(outcome.result["losses"]["total"])


@pytest.mark.medium
def test_colors_of_the_content(network: Network, content: Tensor, style: Tensor) -> None:
    # A preset that moves no colors.
    params = make_params(preset="neural-style", size=60, steps=20)
    plain, _ = run(params, network, content, style)
    kept, seen = run(params.model_copy(update={"color": "content"}), network, content, style)

    image = kept.images["image"]
    ours, painted, theirs = (to_oklab(each) for each in (image, plain.images["image"], content))
    assert torch.allclose(ours[:, 0], painted[:, 0], atol=2e-3)
    assert float(torch.cosine_similarity(ours[:, 1:], theirs[:, 1:], dim=1).median()) > 0.999
    assert torch.equal(seen[-1][1], image)


def chroma(picture: Tensor) -> float:
    """Standard deviation of RGB less its mean over channels."""
    return float((picture - picture.mean(1, keepdim=True)).square().mean().sqrt())


def test_a_grey_style_makes_a_grey_picture(network: Network, content: Tensor, style: Tensor) -> None:
    outcome, seen = run(make_params(size=60), network, content, grey(style))

    assert chroma(outcome.images["image"]) < 1e-4
    assert chroma(seen[3][1]) < 1e-4


def test_the_sources_presets_leave_colors_as_painted(
    network: Network, content: Tensor, style: Tensor
) -> None:
    params = make_params(preset="gatys-2016", size=60, init="content", steps=3)

    outcome, _ = run(params, network, content, grey(style))

    assert chroma(outcome.images["image"]) > 0.01


def test_luminance_alone_is_painted(network: Network, content: Tensor, style: Tensor) -> None:
    params = make_params(size=60, color="luminance")
    outcome, _ = run(params, network, content, style)
    other, _ = run(params, network, content, grey(style))

    image = outcome.images["image"]
    assert torch.allclose(image, other.images["image"], atol=0.02)
    ours, theirs = to_oklab(image)[:, 1:], to_oklab(content)[:, 1:]
    assert float(torch.cosine_similarity(ours, theirs, dim=1).median()) > 0.999


def test_luminance_has_no_colors_to_match() -> None:
    with pytest.raises(InputError) as caught:
        make_params(color="luminance", color_match="pca")

    assert caught.value.field == "color_match"


def test_starting_from_a_picture(network: Network, content: Tensor, style: Tensor) -> None:
    start = torch.zeros(1, 3, 10, 80)
    # A preset that moves no colors.
    params = make_params(preset="neural-style", init_image="x", steps=1)

    _, seen = run(params, network, content, style, start=start)

    assert params.init == "image"
    assert torch.equal(seen[0][1], torch.zeros(1, 3, 96, 128))


def test_starting_from_the_content_without_style_stays_there(network: Network, content: Tensor) -> None:
    # A preset of one scale: it is not blurred on the way.
    params = make_params(preset="neural-style", init="content", style_weight=0.0, tv_weight=0.0, size=60)

    outcome, _ = run(params, network, content, content)

    assert torch.equal(outcome.images["image"], content)
    assert outcome.result["losses"]["total"] == 0


@pytest.mark.medium
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_flat_pictures(network: Network, level: float, optimizer: str, style: Tensor) -> None:
    flat = torch.full((1, 3, 1, 1), level)

    for content, painting in ((flat, style), (style, flat), (flat, flat)):
        outcome, _ = run(make_params(optimizer=optimizer), network, content, painting)
        assert torch.isfinite(outcome.images["image"]).all()
        assert max(outcome.images["image"].shape) == 128


def test_scales_too_small_for_the_layers_are_left_out(network: Network, style: Tensor) -> None:
    narrow = torch.rand(1, 3, 5, 150, generator=torch.Generator().manual_seed(1))

    outcome, _ = run(make_params(size=192), network, narrow, style)

    # At 96 pixels it would be 3 high.
    assert [(scale["height"], scale["width"]) for scale in outcome.result["scales"]] == [(5, 136), (6, 192)]


def test_a_picture_too_narrow_names_the_size_that_works(network: Network, style: Tensor) -> None:
    narrow = torch.rand(1, 3, 1, 32, generator=torch.Generator().manual_seed(1))

    with pytest.raises(InputError) as caught:
        run(make_params(size=64), network, narrow, style)

    assert caught.value.field == "size"
    assert "At size 64 the result is only 2 px across; the layers need 4 px." in caught.value.detail
    size = int(caught.value.detail.split()[-1].strip("."))
    outcome, _ = run(make_params(size=size, steps=1), network, narrow, style)
    assert outcome.images["image"].shape == (1, 3, 4, size)
    with pytest.raises(InputError):
        run(make_params(size=size - 1), network, narrow, style)


def test_a_picture_too_narrow_at_any_size(network: Network, style: Tensor) -> None:
    line = torch.zeros(1, 3, 1, 16_000)

    with pytest.raises(InputError, match="less narrow"):
        run(make_params(), network, line, style)
