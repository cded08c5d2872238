"""Losses of sorted values, restated."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from worker.losses import sorted_values
from worker.losses.histogram import HistogramLoss, sorted_channels
from worker.losses.sliced_wasserstein import DIRECTIONS, SlicedWassersteinLoss, directions, sorted_projections
from worker.losses.sorted_values import mixed, resampled, sorted_distance, sorted_rows


def drawn(seed: int, channels: int = 4, height: int = 5, width: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, height, width, generator=generator, dtype=torch.float64) + 0.1 * seed


@given(known=st.integers(1, 9), count=st.integers(1, 20))
def test_resampling_is_numpys_quantile(known: int, count: int) -> None:
    values = torch.rand(2, known, dtype=torch.float64).sort(dim=1).values

    places = (np.arange(count) + 0.5) / count
    expected = np.quantile(values.numpy(), places, axis=1, method="hazen").T
    assert torch.allclose(resampled(values, count), torch.from_numpy(expected))


def test_a_mixture_has_values_of_each_in_proportion() -> None:
    low, high = torch.tensor([[0.0, 1.0, 2.0, 3.0]]), torch.tensor([[10.0, 11.0]])

    assert mixed([low, high], [0.5, 0.5]).tolist() == [[0, 2, 10, 11]]
    assert mixed([high, low], [0.25, 0.75]).tolist() == [[0, 1, 3, 10]]
    assert mixed([low, high], [1.0, 0.0]).tolist() == [[0, 1, 2, 3]]
    assert mixed([low, high], [0.0, 1.0]).tolist() == [[10, 11]]


def test_sorted_distance_by_hand() -> None:
    values = torch.tensor([[3.0, 1.0], [5.0, 5.0]], requires_grad=True)

    distance = sorted_distance(values, torch.tensor([[0.0, 1.0], [5.0, 7.0]]))

    assert distance.item() == (1 + 4 + 0 + 4) / 2
    (gradient,) = torch.autograd.grad(2 * distance, values)
    assert gradient[0].tolist() == [4, 2]
    assert sorted(gradient[1].tolist()) == [-4, 0]


def test_a_row_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values, target = drawn(1)[0].flatten(1).requires_grad_(), sorted_channels(drawn(2, 4, 3, 7))
    expected = sorted_distance(values, target)
    (slope,) = torch.autograd.grad(expected, values)

    monkeypatch.setattr(sorted_values, "CHUNK", 70)
    found = sorted_distance(values, target)

    assert found.item() == pytest.approx(expected.item())
    assert torch.allclose(torch.autograd.grad(found, values)[0], slope)


def test_histogram_loss_restated() -> None:
    picture, style = drawn(1), drawn(2)
    loss = HistogramLoss("x", sorted_channels(style), 3.0)

    matched = torch.empty_like(picture)
    for channel in range(4):
        wanted = sorted(style[0, channel].flatten().tolist())
        values = picture[0, channel].flatten().tolist()
        for position, each in enumerate(values):
            rank = sum(other < each for other in values)
            matched[0, channel].view(-1)[position] = wanted[rank]

    expected = 3 * (picture - matched).square().sum() / style.square().sum()
    assert float(loss.value(picture, 30)) == pytest.approx(float(expected))


def test_sliced_wasserstein_restated() -> None:
    picture, style = drawn(1), drawn(2, 4, 6, 5)
    loss = SlicedWassersteinLoss("x", sorted_projections(style, 5), 3.0, 5)

    total = whole = 0.0
    for direction in directions(4, 5):
        along, wanted = (
            np.sort(np.einsum("c,cp->p", direction.numpy(), each[0].flatten(1).numpy()))
            for each in (picture, style)
        )
        total += np.square(along - wanted).sum()
        whole += np.square(wanted).sum()
    assert float(loss.value(picture, 30)) == pytest.approx(3 * total / whole)


def test_sliced_wasserstein_is_zero_for_moved_positions_alone() -> None:
    style = drawn(2)
    loss = SlicedWassersteinLoss("x", sorted_projections(style, 5), 1.0, 5)
    moved = style.flip(2).transpose(2, 3)
    mixed_up = style.clone()
    mixed_up[0, 0] = style[0, 0].flip(0)

    assert float(loss.value(moved, 30)) == pytest.approx(0, abs=1e-20)
    # The same histograms of channels, but not of mixtures of them.
    assert float(loss.value(mixed_up, 30)) > 1e-3
    assert float(HistogramLoss("x", sorted_channels(style), 1.0).value(mixed_up, 30)) == 0


def test_directions_are_orthonormal_and_those_of_the_seed() -> None:
    for channels in (3, DIRECTIONS, DIRECTIONS + 9):
        found = directions(channels, 1)
        assert found.shape == (min(channels, DIRECTIONS), channels)
        assert torch.allclose(found @ found.T, torch.eye(len(found), dtype=torch.float64), atol=1e-12)
        assert torch.equal(found, directions(channels, 1))
        assert not torch.allclose(found, directions(channels, 2))


def test_sorted_rows_are_sorted_each_by_itself() -> None:
    assert sorted_rows(torch.tensor([[2.0, 1.0], [0.0, 5.0]])).tolist() == [[1, 2], [0, 5]]
