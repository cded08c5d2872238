"""New losses of both forms that tiles can evaluate, each in a few lines."""

import pytest
import torch
from torch import Tensor

from models.network import Network
from tests.support.loss_sums import rand
from worker.losses.base import AdditiveLoss, GatheredLoss, Loss, Part
from worker.losses.loss_sum import LossSum
from worker.losses.total_variation import TotalVariation
from worker.optim.tiling.tiles import BUDGET, Tiling

LAYERS = ["relu1", "conv3"]


class MomentLoss(AdditiveLoss):
    """``sum((mean - m)**2) + sum((std - s)**2)``: the mean and standard deviation of each channel.

    Li, Wang, Liu, Hou, "Demystifying neural style transfer", IJCAI 2017, section 4.2 (batch normalisation).
    """

    def __init__(self, layer: str, target: Tensor) -> None:
        self.target = target
        super().__init__(f"moments.{layer}", layer, float(target.square().sum()))

    def statistic(self, features: Tensor, part: Part) -> Tensor:
        return power_sums(features)

    def value(self, collected: Tensor, positions: int) -> Tensor:
        return (mean_and_std(collected, positions) - self.target).square().sum()


def power_sums(features: Tensor) -> Tensor:
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    return torch.stack([features.sum((0, 2, 3)), features.square().sum((0, 2, 3))])


def mean_and_std(sums: Tensor, positions: int) -> Tensor:
    mean, square = sums / positions
    return torch.stack([mean, (square - mean.square()).clamp_min(0).add(1e-9).sqrt()])


class SlicedWassersteinLoss(GatheredLoss):
    """The mean over directions of the squared distance of sorted projections, of equally many positions.

    Heitz, Vanhoey, Chambon, Belcour, "A sliced Wasserstein loss for neural texture synthesis", CVPR 2021.
    """

    def __init__(self, layer: str, target: Tensor) -> None:
        generator = torch.Generator().manual_seed(3)
        directions = torch.randn(16, target.shape[1], generator=generator, dtype=torch.float64)
        self.directions = directions / directions.norm(dim=1, keepdim=True)
        self.sorted = self.projected(target)
        super().__init__(f"sliced.{layer}", layer, float(self.sorted.square().mean()))

    def projected(self, features: Tensor) -> Tensor:
        return (self.directions @ features[0].flatten(1).double()).sort(dim=1).values

    def value(self, collected: Tensor, positions: int) -> Tensor:
        return (self.projected(collected) - self.sorted).square().mean()


def objectives(network: Network, form: type[Loss], margin: int) -> tuple[LossSum, LossSum]:
    """The sum of a loss of some form and total variation, whole and in tiles, for pictures of 61 by 83."""
    found = []
    for budget in (BUDGET, 400_000 if network.dtype == torch.float64 else 100_000):
        tiling = Tiling(61, 83, network, LAYERS, margin=margin, budget=budget)
        style = rand(61, 83, 2)
        losses: list[Loss] = [TotalVariation(0.3, "relative")]
        if form is MomentLoss:
            sums = tiling.sums(style, LAYERS, power_sums)
            losses += [MomentLoss(layer, mean_and_std(*sums[layer])) for layer in LAYERS]
        else:
            features = tiling.all_features(style, LAYERS)
            losses += [SlicedWassersteinLoss(layer, features[layer]) for layer in LAYERS]
        found.append(LossSum(losses, tiling))
    return found[0], found[1]


@pytest.mark.parametrize("margin", [0, 12])
@pytest.mark.parametrize("form", [MomentLoss, SlicedWassersteinLoss])
def test_tiles_change_nothing(exact_network: Network, form: type[Loss], margin: int) -> None:
    whole, tiled = objectives(exact_network, form, margin)
    picture = rand(61, 83, 10)

    expected, found = whole(picture), tiled(picture)

    assert len(whole.tiling.tiles) == 1
    assert len(tiled.tiling.tiles) >= 3
    assert [*found.terms] == [loss.name for loss in tiled.losses]
    for name, term in expected.terms.items():
        assert float(term) > 0
        assert float(found.terms[name]) == pytest.approx(float(term), rel=1e-10), name
    assert (found.gradient - expected.gradient).norm() < 1e-10 * expected.gradient.norm()


@pytest.mark.parametrize("tiles", [False, True])
@pytest.mark.parametrize("form", [MomentLoss, SlicedWassersteinLoss])
def test_the_gradient_is_that_of_the_losses(exact_network: Network, form: type[Loss], tiles: bool) -> None:
    objective = objectives(exact_network, form, 4)[tiles]
    picture, along = rand(61, 83, 11), rand(61, 83, 12) - 0.5

    step = 1e-6
    up, down = (objective(picture + sign * step * along).total for sign in (1, -1))

    slope = float((objective(picture).gradient * along).sum())
    # Within the step some features pass the kink of the ReLU, and some projections change places.
    assert slope == pytest.approx(float(up - down) / (2 * step), rel=1e-3)


@pytest.mark.parametrize("form", [MomentLoss, SlicedWassersteinLoss])
def test_features_of_bfloat16_do(rough_network: Network, form: type[Loss]) -> None:
    picture = rand(61, 83, 10, torch.float32)
    whole, tiled = (objective(picture) for objective in objectives(rough_network, form, 4))

    assert float(tiled.total) == pytest.approx(float(whole.total), rel=0.02)
    assert (tiled.gradient - whole.gradient).norm() < 0.1 * whole.gradient.norm()
