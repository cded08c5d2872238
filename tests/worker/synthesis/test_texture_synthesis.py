import json
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.texture_synthesis import ResolvedTextureSynthesis, TextureSynthesisParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from models.registry import load_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.optim.randomness import noise_like
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis.texture_synthesis import texture_loss, texture_synthesis

LAYERS = {"relu1": 1.0, "relu2": 1.0, "relu3": 1.0}


def texture(height: int = 48, width: int = 60, seed: int = 3) -> Tensor:
    """Slanted stripes of two colors, not quite regular, (1, 3, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.arange(float(height))[:, None], torch.arange(float(width))[None, :]
    wave = torch.sin(0.9 * columns + 0.45 * rows + 0.3 * torch.randn(height, width, generator=generator))
    colors = torch.tensor([[0.8, 0.5, 0.2], [0.1, 0.2, 0.4]])
    share = (0.5 + 0.5 * wave)[None, None]
    return share * colors[0].view(1, 3, 1, 1) + (1 - share) * colors[1].view(1, 3, 1, 1)


def make_params(**values: Any) -> ResolvedTextureSynthesis:
    """Resolved params for the tiny network, whose layers no card knows."""
    layers = values.pop("layers", LAYERS)
    given = {"image": "x", "size": 64, "steps": 9, "tv_weight": 0.0, **values}
    return TextureSynthesisParams.model_validate(given).resolve(SHIPPED).model_copy(update={"layers": layers})


def run(
    params: TextureSynthesisParams, network: Network, picture: Tensor, resume: StepState | None = None
) -> tuple[Outcome, list[tuple[Step, Tensor, dict[str, float], StepState]]]:
    """The outcome, and of every step itself, its picture, its losses and its state."""
    seen: list[tuple[Step, Tensor, dict[str, float], StepState]] = []
    compute = Compute(torch.device("cpu"), network.dtype)
    steps = texture_synthesis(params, Inputs.of({"image": [picture]}), network, compute, resume)
    outcome = run_steps(steps, lambda step: seen.append((step, step.image(), step.losses(), step.state())))
    return outcome, seen


def test_a_run_from_step_to_outcome(network: Network) -> None:
    outcome, seen = run(make_params(size=160, aspect=2.0, tv_weight=0.1), network, texture(60, 80))

    assert [step.done for step, _, _, _ in seen] == list(range(1, 10))
    assert {step.total for step, _, _, _ in seen} == {9}
    # The texture is 40, 57 and 80 pixels wide there, and the result twice as wide.
    assert [tuple(picture.shape[2:]) for _, picture, _, _ in seen][::3] == [(40, 80), (57, 114), (80, 160)]
    for _, picture, losses, _ in seen:
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
        assert losses.keys() == {"style.relu1", "style.relu2", "style.relu3", "tv", "total"}
        assert losses["total"] == pytest.approx(sum(losses.values()) - losses["total"])

    assert list(outcome.images) == ["image"]
    assert outcome.images["image"].shape == (1, 3, 80, 160)
    result = json.loads(json.dumps(outcome.result, allow_nan=False))
    assert (result["width"], result["height"]) == (160, 80)
    assert result["texture"] == {"width": 80, "height": 60}
    assert result["rollbacks"] == 0
    assert [scale["steps"] for scale in result["scales"]] == [3, 3, 3]


@pytest.mark.medium
@pytest.mark.parametrize("seamless", [False, True])
@pytest.mark.parametrize(("size", "aspect"), [(60, 1.25), (96, 0.4), (50, 2.5)])
def test_the_gram_distance_falls_a_hundredfold(
    network: Network, seamless: bool, size: int, aspect: float
) -> None:
    params = make_params(size=size, aspect=aspect, seamless=seamless, steps=120, seed=2)
    picture = texture()
    outcome, _ = run(params, network, picture)

    source = outcome.result["texture"]
    small = torch.nn.functional.interpolate(
        picture, (source["height"], source["width"]), mode="bicubic", antialias=True
    ).clamp(0, 1)
    made = outcome.images["image"]
    objective = texture_loss(params, network, small, (made.shape[2], made.shape[3]))
    before = float(objective(noise_like(picture, *made.shape[2:], 2)).total)
    after = float(objective(made).total)
    assert after < 0.01 * before
    assert after == pytest.approx(outcome.result["losses"]["total"], rel=1e-3)
    # Colors come with it.
    assert torch.allclose(made.mean((2, 3)), picture.mean((2, 3)), atol=0.05)


@pytest.mark.medium
def test_a_texture_is_made_and_not_copied(network: Network) -> None:
    outcome, _ = run(make_params(size=60, aspect=1.25, steps=60), network, texture())

    assert float((outcome.images["image"] - texture()).abs().mean()) > 0.05


def seam(picture: Tensor, dim: int) -> float:
    """The mean absolute difference across the seam, relative to that of neighbours inside."""
    inside = picture.diff(dim=dim).abs().mean()
    across = (picture.select(dim, 0) - picture.select(dim, -1)).abs().mean()
    return float(across / inside)


@pytest.mark.medium
@pytest.mark.parametrize(("size", "aspect"), [(64, 1.0), (50, 1.4)])
def test_a_seamless_texture_has_no_seam(network: Network, size: int, aspect: float) -> None:
    params = make_params(size=size, aspect=aspect, steps=60)
    tile, _ = run(params.model_copy(update={"seamless": True}), network, texture())
    plain, _ = run(params, network, texture())

    for dim in (2, 3):
        assert seam(tile.images["image"], dim) < 1.2
    # Without it there is one to be seen.
    assert max(seam(plain.images["image"], dim) for dim in (2, 3)) > 1.4


@pytest.mark.medium
@pytest.mark.parametrize("seamless", [False, True])
@pytest.mark.parametrize("after", [1, 2, 3, 6, 8, 9])
def test_resume_gives_the_same_picture(network: Network, after: int, seamless: bool) -> None:
    params = make_params(size=128, seamless=seamless)
    picture = texture(60, 80)
    whole, seen = run(params, network, picture)

    outcome, rest = run(params, network, picture, from_bytes(to_bytes(seen[after - 1][3])))

    assert [step.done for step, _, _, _ in rest] == list(range(after + 1, 10))
    assert torch.equal(outcome.images["image"], whole.images["image"])
    assert outcome.result == whole.result
    for (_, image, losses, _), (_, expected, expected_losses, _) in zip(rest, seen[after:], strict=True):
        assert torch.equal(image, expected)
        assert losses == expected_losses


def test_the_seed_decides_and_nothing_else(network: Network) -> None:
    torch.manual_seed(1)
    first, _ = run(make_params(seed=1), network, texture())
    torch.manual_seed(2)
    second, _ = run(make_params(seed=1), network, texture())
    other, _ = run(make_params(seed=2), network, texture())

    assert torch.equal(first.images["image"], second.images["image"])
    assert first.result == second.result
    assert not torch.equal(first.images["image"], other.images["image"])


@pytest.mark.medium
def test_the_size_of_the_texture_decides_how_large_its_pattern_is(network: Network) -> None:
    widths = []
    for source_size in (40, 80):
        params = make_params(size=80, source_size=source_size, steps=120)
        image = run(params, network, texture(40, 40))[0].images["image"]
        centred = image.mean(1) - image.mean()
        power = torch.fft.rfft(centred, dim=2).abs().square().mean((0, 1))[1:]
        widths.append(float(80 * power.sum() / (torch.arange(1, len(power) + 1) * power).sum()))

    assert widths[1] > 1.5 * widths[0]


def test_a_texture_larger_than_the_result_is_made_smaller(network: Network) -> None:
    outcome, _ = run(make_params(size=40), network, texture(90, 120))

    assert outcome.result["texture"] == {"width": 40, "height": 30}


@pytest.mark.medium
@pytest.mark.parametrize("seamless", [False, True])
def test_flat_textures(network: Network, seamless: bool) -> None:
    for level in (0.0, 0.4, 1.0):
        flat = torch.full((1, 3, 40, 40), level)
        outcome, _ = run(make_params(seamless=seamless, steps=20), network, flat)
        assert float((outcome.images["image"] - level).abs().max()) < 0.05


@pytest.mark.medium
def test_rough_activations_do(rough_network: Network) -> None:
    outcome, seen = run(make_params(size=40, steps=60, seamless=True), rough_network, texture(40, 40))

    assert outcome.result["dtype"] == "bfloat16"
    assert outcome.result["losses"]["total"] < 0.1 * seen[0][2]["total"]


@pytest.mark.medium
def test_the_defaults_on_the_default_network() -> None:
    params = TextureSynthesisParams(image="x", size=48, seamless=True, steps=12).resolve(SHIPPED)
    assert list(params.layers or {}) == ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
    network = load_network(params.network, params.pooling)

    outcome, seen = run(params, network, texture(32, 32))

    assert outcome.images["image"].shape == (1, 3, 48, 48)
    assert outcome.result["losses"]["total"] < 0.7 * seen[0][2]["total"]


def test_what_is_too_small_is_named(network: Network) -> None:
    with pytest.raises(InputError, match="The result is 64×2 px, and the layers need 4 px") as caught:
        run(make_params(aspect=32.0), network, texture())
    assert caught.value.field == "size"
    assert "or set size to 112 at least" in caught.value.detail
    with pytest.raises(InputError, match="resized to 60×3 px") as caught:
        run(make_params(), network, texture(3, 60))
    assert caught.value.field == "source_size"
    assert "or set source_size to 70 at least" in caught.value.detail
    with pytest.raises(InputError, match=r"or a less narrow texture\.$"):
        run(make_params(), network, texture(1, 5000))


def test_nothing_is_left_on_the_network(network: Network) -> None:
    def untouched() -> bool:
        hooks = [each for module in network.modules() for each in module._forward_hooks]
        plain = all(not each.requires_grad and each.grad is None for each in network.parameters())
        return plain and not hooks and not network.training

    run(make_params(seamless=True), network, texture())
    assert untouched()
    compute = Compute(torch.device("cpu"))
    steps = texture_synthesis(make_params(), Inputs.of({"image": [texture()]}), network, compute)
    next(steps)
    steps.close()
    assert untouched()
    with pytest.raises(InputError):
        run(make_params(aspect=32.0), network, texture())
    assert untouched()
