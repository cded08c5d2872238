"""The picture of a training."""

import pytest
from torch import Tensor

from worker.training.curves_figure import curves_figure
from worker.training.history import Epoch

HISTORY = [Epoch(epoch, 1 / epoch, epoch / 10, 0.1, 1 / epoch, epoch / 10) for epoch in range(1, 6)]


def _difference(one: Tensor, other: Tensor) -> set[int]:
    """The columns where two pictures differ."""
    return set((one - other).abs().amax((0, 1, 2)).nonzero().flatten().tolist())


@pytest.mark.medium
def test_the_best_epoch_is_marked_where_it_is_and_not_at_all_without_one() -> None:
    plain = curves_figure(HISTORY, None)
    middles = [min(_difference(curves_figure(HISTORY, best), plain)) for best in (1, 2, 3, 4)]
    assert middles == sorted(set(middles))


def test_a_training_that_made_nothing_better_is_not_called_its_first_epoch() -> None:
    assert _difference(curves_figure(HISTORY, 0), curves_figure(HISTORY, 1))
