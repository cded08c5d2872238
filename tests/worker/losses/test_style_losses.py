"""Every loss of style that a job may choose: what all of them promise."""

import pytest
import torch
from torch import Tensor

from models.network import Network
from tests.support.loss_sums import rand
from worker.losses.base import AdditiveLoss, FeatureLoss, Part
from worker.losses.choices import STYLE_LOSSES
from worker.losses.loss_sum import LossSum
from worker.losses.sources import Styles
from worker.optim.tiling.tiles import BUDGET, Tiling

LAYERS = {"relu1": 1.0, "conv3": 3.0}
# Those that compare single positions, not distributions, keep other promises: test_losses_of_positions.py.
OF_POSITIONS = {"nearest_neighbors", "relaxed_emd"}
every_loss = pytest.mark.parametrize("name", [name for name in STYLE_LOSSES if name not in OF_POSITIONS])


def whole(features: object) -> Tensor:
    """The part of a tile that owns everything."""
    assert isinstance(features, Tensor)
    return features


def value(loss: FeatureLoss, features: Tensor, part: Part = whole) -> Tensor:
    collected = loss.statistic(features, part) if isinstance(loss, AdditiveLoss) else features
    return loss.value(collected, features[0, 0].numel())


def losses_of(
    name: str, network: Network, *styles: Tensor, shares: tuple[float, ...] = ()
) -> list[FeatureLoss]:
    source = Styles(network, styles, shares or (1.0,) * len(styles), LAYERS, seed=7)
    losses = STYLE_LOSSES[name].losses(source)  # type: ignore[index]
    assert all(isinstance(loss, FeatureLoss) for loss in losses)
    return losses  # type: ignore[return-value]


@every_loss
@pytest.mark.parametrize(("height", "width", "margin"), [(61, 83, 0), (97, 33, 12)])
def test_tiles_change_nothing(
    exact_network: Network, name: str, height: int, width: int, margin: int
) -> None:
    picture, styles = rand(height, width, 10), [rand(height, width, 9), rand(31, 70, 8)]

    objectives = []
    for budget in (BUDGET, 400_000):
        tiling = Tiling(height, width, exact_network, LAYERS, margin=margin, budget=budget)
        source = Styles(exact_network, styles, [2.0, 1.0], LAYERS, margin=margin, budget=budget)
        objectives.append(LossSum(STYLE_LOSSES[name].losses(source), tiling))  # type: ignore[index]
    expected, found = (objective(picture) for objective in objectives)

    assert len(objectives[0].tiling.tiles) == 1
    assert len(objectives[1].tiling.tiles) >= 3
    assert [*found.terms] == ["style.relu1", "style.conv3"]
    for layer, term in expected.terms.items():
        assert float(term) > 0
        assert float(found.terms[layer]) == pytest.approx(float(term), rel=1e-10), layer
    assert (found.gradient - expected.gradient).norm() < 1e-10 * expected.gradient.norm()


@every_loss
def test_the_style_itself_costs_nothing(exact_network: Network, name: str) -> None:
    style = rand(21, 34, 3)
    features = exact_network.features(style, LAYERS)

    for loss in losses_of(name, exact_network, style, style):
        assert float(value(loss, features[loss.layer])) == pytest.approx(0, abs=1e-12)


@every_loss
def test_features_of_nothing_cost_the_weight(exact_network: Network, name: str) -> None:
    style = rand(21, 34, 3)
    nothing = {layer: torch.zeros_like(each) for layer, each in exact_network.features(style, LAYERS).items()}

    for loss in losses_of(name, exact_network, style):
        assert loss.magnitude == pytest.approx(LAYERS[loss.layer])
        assert float(value(loss, nothing[loss.layer])) == pytest.approx(LAYERS[loss.layer], rel=1e-9)


@every_loss
def test_the_number_of_positions_does_not_matter(exact_network: Network, name: str) -> None:
    style, picture = rand(24, 40, 3), rand(24, 40, 4)
    features = exact_network.features(picture, LAYERS)

    for loss in losses_of(name, exact_network, style):
        once = features[loss.layer]
        several = float(value(loss, once.repeat(1, 1, 2, 3)))
        assert several == pytest.approx(float(value(loss, once)), rel=0.02)


@every_loss
def test_of_several_styles_the_shares_count(exact_network: Network, name: str) -> None:
    first, second = rand(24, 40, 3), rand(17, 22, 4) * 0.5
    features = exact_network.features(rand(24, 40, 5), LAYERS)

    def found(*styles: Tensor, shares: tuple[float, ...] = ()) -> list[float]:
        losses = losses_of(name, exact_network, *styles, shares=shares)
        return [float(value(loss, features[loss.layer])) for loss in losses]

    assert found(first, second, shares=(2.0, 0.0)) == pytest.approx(found(first), rel=1e-9)
    assert found(first, first, shares=(2.0, 1.0)) == pytest.approx(found(first), rel=1e-3)
    both = found(first, second, shares=(2.0, 1.0))
    assert both != pytest.approx(found(first), rel=1e-3) and both != pytest.approx(found(second), rel=1e-3)
    assert found(second, first, shares=(1.0, 2.0)) == pytest.approx(both, rel=1e-9)


@every_loss
def test_the_gradient_is_that_of_the_loss(exact_network: Network, name: str) -> None:
    style, picture = rand(12, 17, 3), rand(8, 8, 4)
    features = exact_network.features(picture, LAYERS)

    for loss in losses_of(name, exact_network, style):
        found = features[loss.layer][..., :2, :2].detach()
        # No two values of a channel are the same, as zeros after a ReLU are.
        found = (found + 0.1 * torch.randn(found.shape, generator=torch.Generator().manual_seed(1))).double()
        assert torch.autograd.gradcheck(lambda each, loss=loss: value(loss, each), found.requires_grad_())


@every_loss
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_pictures_and_styles_give_finite_gradients(network: Network, name: str, level: float) -> None:
    flat, noise = torch.full((1, 3, 16, 24), level), rand(16, 24, 1).float()
    tiling = Tiling(16, 24, network, LAYERS)

    for picture, style in ((flat, noise), (noise, flat), (flat, flat)):
        losses = STYLE_LOSSES[name].losses(Styles(network, [style], [1.0], LAYERS))  # type: ignore[index]
        evaluation = LossSum(losses, tiling)(picture)
        assert torch.isfinite(evaluation.total)
        assert torch.isfinite(evaluation.gradient).all()


@every_loss
def test_bfloat16_is_near_float32(network: Network, rough_network: Network, name: str) -> None:
    picture, style = rand(45, 60, 11).float(), rand(40, 50, 12).float().square()
    tilings = [Tiling(45, 60, each, LAYERS) for each in (network, rough_network)]

    fine, rough = (
        LossSum(
            STYLE_LOSSES[name].losses(Styles(tiling.network, [style], [1.0], LAYERS)),  # type: ignore[index]
            tiling,
        )(picture)
        for tiling in tilings
    )

    assert rough.gradient.dtype == torch.float32
    assert float(rough.total) == pytest.approx(float(fine.total), rel=0.02)
    assert (rough.gradient - fine.gradient).norm() < 0.1 * fine.gradient.norm()
