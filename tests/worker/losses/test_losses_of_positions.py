"""What holds for each loss that compares positions, of the style or of the content."""

from collections.abc import Callable, Mapping, Sequence

import pytest
import torch
from torch import Tensor

from models.network import Network
from tests.support.loss_sums import rand
from worker.losses.base import Loss
from worker.losses.laplacian import laplacian_losses
from worker.losses.loss_sum import LossSum
from worker.losses.nearest_neighbors import nearest_neighbors_losses
from worker.losses.relaxed_emd import relaxed_emd_losses
from worker.losses.self_similarity import self_similarity_losses
from worker.losses.sources import Content, Styles
from worker.optim.tiling.tiles import BUDGET, Tiling

LAYERS = {"relu1": 0.5, "conv3": 2.0}
STYLE = [nearest_neighbors_losses, relaxed_emd_losses]
CONTENT = [self_similarity_losses, laplacian_losses]
ALL = [*STYLE, *CONTENT]
TILES = 400_000

Make = Callable[[Styles], list[Loss]] | Callable[[Content], list[Loss]]


def objective(
    make: Make,
    network: Network,
    pictures: Sequence[Tensor],
    sides: tuple[int, int] = (61, 83),
    *,
    layers: Mapping[str, float] = LAYERS,
    seed: int = 0,
    margin: int = 0,
    budget: int = BUDGET,
) -> LossSum:
    """The losses of ``pictures``, of pictures of some height and width."""
    tiling = Tiling(*sides, network, layers, margin=margin, budget=budget)
    if make in STYLE:
        shares = [1.0] * len(pictures)
        losses = make(Styles(network, pictures, shares, layers, seed=seed, margin=margin, budget=budget))  # type: ignore[arg-type]
    else:
        losses = make(Content(tiling, pictures[0], layers, seed=seed))  # type: ignore[arg-type]
    return LossSum(losses, tiling)


@pytest.mark.parametrize("margin", [0, 12])
@pytest.mark.parametrize("make", ALL)
def test_tiles_change_nothing(exact_network: Network, make: Make, margin: int) -> None:
    pictures = [rand(61, 83, 2), rand(61, 83, 3)]
    whole, tiled = (
        objective(make, exact_network, pictures, margin=margin, budget=budget) for budget in (BUDGET, TILES)
    )
    picture = rand(61, 83, 10)

    expected, found = whole(picture), tiled(picture)

    assert len(whole.tiling.tiles) == 1
    assert len(tiled.tiling.tiles) >= 3
    for name, term in expected.terms.items():
        assert float(term) > 0
        assert float(found.terms[name]) == pytest.approx(float(term), rel=1e-10), name
    assert (found.gradient - expected.gradient).norm() < 1e-10 * expected.gradient.norm()


@pytest.mark.parametrize("budget", [BUDGET, TILES])
@pytest.mark.parametrize("make", ALL)
def test_the_gradient_is_that_of_the_losses(exact_network: Network, make: Make, budget: int) -> None:
    loss = objective(make, exact_network, [rand(61, 83, 2)], margin=4, budget=budget)
    picture, along = rand(61, 83, 11), rand(61, 83, 12) - 0.5

    step = 1e-7
    up, down = (loss(picture + sign * step * along).total for sign in (1, -1))

    slope = float((loss(picture).gradient * along).sum())
    # Within the step some positions change their neighbour.
    assert slope == pytest.approx(float(up - down) / (2 * step), rel=1e-3)


@pytest.mark.parametrize("make", ALL)
def test_a_picture_of_itself_costs_nothing(exact_network: Network, make: Make) -> None:
    # So small that all positions take part, which all have a direction.
    picture, layers = rand(21, 30, 4), {"conv1": 1.0, "conv3": 1.0}

    evaluation = objective(make, exact_network, [picture], (21, 30), layers=layers)(picture)

    for name, term in evaluation.terms.items():
        assert float(term) == pytest.approx(0, abs=1e-10), name


@pytest.mark.parametrize("make", ALL)
def test_a_larger_picture_of_itself_costs_little(exact_network: Network, make: Make) -> None:
    picture = rand(61, 83, 4)
    loss = objective(make, exact_network, [picture])

    assert float(loss(picture).total) < 0.5 * float(loss(rand(61, 83, 5)).total)


@pytest.mark.parametrize("make", ALL)
def test_losses_repeat_bit_for_bit(network: Network, make: Make) -> None:
    pictures = [rand(61, 83, seed, torch.float32) for seed in (2, 3)]
    picture = rand(61, 83, 10, torch.float32)

    first, second = (objective(make, network, pictures, seed=5)(picture) for _ in range(2))

    assert torch.equal(first.total, second.total)
    assert torch.equal(first.gradient, second.gradient)


@pytest.mark.parametrize("make", [*STYLE, self_similarity_losses])
def test_the_seed_chooses_the_positions(network: Network, make: Make) -> None:
    pictures, picture = [rand(61, 83, 2, torch.float32)], rand(61, 83, 10, torch.float32)

    first, second = (objective(make, network, pictures, seed=seed)(picture) for seed in (5, 6))

    assert not torch.equal(first.total, second.total)
    assert float(first.total) == pytest.approx(float(second.total), rel=0.05)


@pytest.mark.parametrize("make", ALL)
def test_bfloat16_is_near_float32(network: Network, rough_network: Network, make: Make) -> None:
    pictures, picture = [rand(61, 83, 2, torch.float32)], rand(61, 83, 10, torch.float32)

    fine, rough = (objective(make, each, pictures, margin=4)(picture) for each in (network, rough_network))

    assert rough.gradient.dtype == torch.float32
    assert float(rough.total) == pytest.approx(float(fine.total), rel=0.02)
    # Some positions have another neighbour.
    assert (rough.gradient - fine.gradient).norm() < 0.5 * fine.gradient.norm()


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_flat_pictures_give_finite_gradients(network: Network, make: Make, level: float) -> None:
    flat, other = torch.full((1, 3, 16, 16), level), rand(16, 16, 1, torch.float32)

    for target, picture in ((flat, other), (other, flat), (flat, flat)):
        evaluation = objective(make, network, [target], (16, 16), margin=4)(picture)
        assert torch.isfinite(evaluation.total)
        assert torch.isfinite(evaluation.gradient).all()


@pytest.mark.parametrize("make", ALL)
def test_the_size_of_the_picture_changes_little(network: Network, make: Make) -> None:
    small, large = (
        objective(make, network, [_tiled(2, times)], (32 * times, 32 * times))(_tiled(3, times))
        for times in (1, 3)
    )

    # The edges, with zeros around them, are a smaller part of the larger one.
    assert float(large.total) == pytest.approx(float(small.total), rel=0.25)


def _tiled(seed: int, times: int) -> Tensor:
    """The same noise of 32 by 32 pixels, repeated so many times in both directions."""
    return rand(32, 32, seed, torch.float32).repeat(1, 1, times, times)
