import pytest
import torch
from torch import Tensor, nn

from app.kinds.work import KEPT_BYTES
from models.network import Network, Pooling
from models.registry import load_network
from models.relu import ReLU
from tests.support.loss_sums import make_loss_sum, rand
from worker.losses.distance import Variant
from worker.optim.tiling.tiles import BUDGET

CONTENT = {"relu2": 0.5, "relu3": 2.0}
STYLE = {"relu1": 1.0, "conv3": 3.0}
VARIANTS: list[Variant] = ["relative", "gatys-2016", "neural-style"]


@pytest.mark.parametrize("margin", [0, 4])
@pytest.mark.parametrize("budget", [1 << 30, 20_000])
def test_the_gradient_is_that_of_the_losses(exact_network: Network, margin: int, budget: int) -> None:
    content, style = rand(21, 18, 5), rand(12, 9, 6)
    objective = make_loss_sum(
        exact_network, content, [style], CONTENT, STYLE, 0.2, margin=margin, budget=budget
    )
    picture = rand(21, 18, 7)

    class Total(torch.autograd.Function):
        @staticmethod
        def forward(ctx, picture):  # type: ignore[no-untyped-def]
            with torch.enable_grad():
                evaluation = objective(picture)
            ctx.save_for_backward(evaluation.gradient)
            return evaluation.total

        @staticmethod
        def backward(ctx, along):  # type: ignore[no-untyped-def]
            return along * ctx.saved_tensors[0]

    assert (len(objective.tiling.tiles) > 1) == (budget == 20_000)
    assert torch.autograd.gradcheck(Total.apply, picture.requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("margin", [0, 4, 12])
@pytest.mark.parametrize(("height", "width"), [(61, 83), (40, 96), (97, 33)])
@pytest.mark.parametrize("variant", ["relative", "neural-style", "crowson-2021"])
def test_tiles_change_nothing(
    exact_network: Network, margin: int, height: int, width: int, variant: Variant
) -> None:
    content, style, picture = rand(height, width, 8), rand(width, height, 9), rand(height, width, 10)

    whole, tiled = (
        make_loss_sum(
            exact_network, content, [style], CONTENT, STYLE, 0.2, variant, margin=margin, budget=budget
        )
        for budget in (BUDGET, 400_000)
    )
    expected, found = whole(picture), tiled(picture)

    assert len(whole.tiling.tiles) == 1
    assert len(tiled.tiling.tiles) >= 3
    for name, term in expected.terms.items():
        assert float(found.terms[name]) == pytest.approx(float(term), rel=1e-10), name
    assert (found.gradient - expected.gradient).norm() < 1e-10 * expected.gradient.norm()


@pytest.mark.parametrize(("content_layers", "style_layers"), [(CONTENT, {}), ({}, STYLE)])
def test_tiles_change_nothing_of_either_loss_alone(
    exact_network: Network, content_layers: dict[str, float], style_layers: dict[str, float]
) -> None:
    content, picture = rand(61, 83, 8), rand(61, 83, 10)

    expected, found = (
        make_loss_sum(exact_network, content, [content], content_layers, style_layers, budget=budget)(picture)
        for budget in (BUDGET, 400_000)
    )

    assert float(found.total) == pytest.approx(float(expected.total), rel=1e-10)
    assert (found.gradient - expected.gradient).norm() < 1e-10 * expected.gradient.norm()


@pytest.mark.medium
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_tiles_of_a_vgg_change_nothing(pooling: Pooling) -> None:
    network = load_network("vgg19-random", pooling).prepared(torch.device("cpu"), torch.float64)
    layers = {"relu1_1": 1.0, "relu3_1": 1.0}
    content, style, picture = rand(75, 90, 1), rand(40, 61, 2), rand(75, 90, 3)

    whole, tiled = (
        make_loss_sum(network, content, [style], {"relu4_1": 1.0}, layers, 0.1, margin=16, budget=budget)
        for budget in (BUDGET, 30_000_000)
    )
    expected, found = whole(picture), tiled(picture)

    assert len(tiled.tiling.tiles) >= 4
    assert float(found.total) == pytest.approx(float(expected.total), rel=1e-12)
    assert (found.gradient - expected.gradient).norm() < 1e-12 * expected.gradient.norm()


@pytest.mark.parametrize("budget", [BUDGET, 400_000])
def test_targets_that_are_computed_again_change_no_bit(
    network: Network, rough_network: Network, budget: int
) -> None:
    content, style, picture = (rand(61, 83, seed, torch.float32) for seed in (8, 9, 10))
    for each in (network, rough_network):
        for variant in VARIANTS:
            kept, again = (
                make_loss_sum(
                    each, content, [style], CONTENT, STYLE, 0.2, variant, margin=4, budget=budget, kept=kept
                )
                for kept in (KEPT_BYTES, 0)
            )
            for _ in range(2):
                expected, found = kept(picture), again(picture)
                # The factor is relative to the targets' energy, which is summed in another order.
                assert torch.allclose(found.total, expected.total, rtol=1e-6, atol=0)
                assert (found.gradient - expected.gradient).norm() <= 1e-5 * expected.gradient.norm()
                if variant != "relative":
                    assert torch.equal(found.gradient, expected.gradient)
                    assert all(torch.equal(found.terms[name], term) for name, term in expected.terms.items())


@pytest.mark.parametrize("margin", [0, 4])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("budget", [BUDGET, 400_000])
def test_gradients_are_contiguous(network: Network, margin: int, variant: Variant, budget: int) -> None:
    content, style, picture = (rand(61, 83, seed, torch.float32) for seed in (8, 9, 10))
    for tv in (0.0, 0.2):
        loss = make_loss_sum(
            network, content, [style], CONTENT, STYLE, tv, variant, margin=margin, budget=budget
        )
        assert loss(picture).gradient.is_contiguous()


def test_a_network_off_the_grid_sees_the_picture_as_it_is() -> None:
    stack = nn.ModuleDict(
        {"conv1": nn.Conv2d(3, 4, 5, stride=2), "relu1": ReLU(), "pool1": nn.MaxPool2d(3, 2)}
    )
    network = Network("off", stack, mean=(0.5,) * 3, std=(0.2,) * 3, source="a test")
    layers = {"relu1": 1.0, "pool1": 1.0}
    pictures = [rand(31, 42, seed, torch.float32) for seed in (1, 2, 3)]

    whole = make_loss_sum(network, pictures[0], [pictures[1]], layers, layers, 0.1)
    padded = make_loss_sum(network, pictures[0], [pictures[1]], layers, layers, 0.1, margin=8, budget=1000)

    assert torch.equal(padded(pictures[2]).gradient, whole(pictures[2]).gradient)


def test_a_style_of_itself_costs_nothing(network: Network, style: Tensor) -> None:
    evaluation = make_loss_sum(network, style, [style, style], {}, STYLE)(style)

    assert float(evaluation.total) == pytest.approx(0, abs=1e-10)
    assert evaluation.terms.keys() == {"style.relu1", "style.conv3"}


def test_bfloat16_is_near_float32(
    network: Network, rough_network: Network, content: Tensor, style: Tensor
) -> None:
    picture = rand(45, 60, 11, torch.float32)

    fine, rough = (
        make_loss_sum(each, content, [style], CONTENT, STYLE, 0.1, margin=4)(picture)
        for each in (network, rough_network)
    )

    assert rough.gradient.dtype == torch.float32
    assert float(rough.total) == pytest.approx(float(fine.total), rel=0.01)
    assert (rough.gradient - fine.gradient).norm() < 0.05 * fine.gradient.norm()


@pytest.mark.parametrize("variant", ["relative", "gatys-2016", "neural-style"])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_pictures_give_finite_gradients(network: Network, variant: Variant, level: float) -> None:
    flat = torch.full((1, 3, 16, 16), level)

    evaluation = make_loss_sum(network, flat, [flat], CONTENT, STYLE, 0.1, variant, margin=4)(flat)

    assert torch.isfinite(evaluation.total)
    assert torch.isfinite(evaluation.gradient).all()
