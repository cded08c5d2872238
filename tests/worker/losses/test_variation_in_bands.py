"""Total variation of large pictures, a band of rows at a time."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.support.loss_sums import rand
from tests.support.peak_memory import PeakMemory
from worker.losses import total_variation as module
from worker.losses.total_variation import nine_point_variation, squared_variation, total_variation

VARIATIONS = [
    total_variation,
    lambda picture: total_variation(picture, wrap=True),
    squared_variation,
    lambda picture: squared_variation(picture, wrap=True),
    nine_point_variation,
    lambda picture: nine_point_variation(picture, wrap=True),
]


def found(variation: Callable[[Tensor], Tensor], picture: Tensor) -> tuple[Tensor, Tensor]:
    picture = picture.clone().requires_grad_()
    value = variation(picture)
    return value.detach(), torch.autograd.grad(3 * value, picture)[0]


@pytest.mark.parametrize("variation", VARIATIONS)
@pytest.mark.parametrize("band", [1, 300, 1300])
@pytest.mark.parametrize(("height", "width"), [(37, 23), (5, 141), (200, 3)])
def test_bands_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
    variation: Callable[[Tensor], Tensor],
    band: int,
    height: int,
    width: int,
) -> None:
    picture = rand(height, width, 1)
    value, gradient = found(variation, picture)
    monkeypatch.setattr(module, "WHOLE", band)
    monkeypatch.setattr(module, "BAND", band)
    banded, of_bands = found(variation, picture)

    assert float(banded) == pytest.approx(float(value), rel=1e-12)
    assert torch.allclose(of_bands, gradient, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("variation", VARIATIONS)
def test_a_large_picture_takes_no_more_than_its_gradient_and_a_band(
    monkeypatch: pytest.MonkeyPatch, variation: Callable[[Tensor], Tensor]
) -> None:
    monkeypatch.setattr(module, "WHOLE", 1 << 14)
    monkeypatch.setattr(module, "BAND", 1 << 14)
    picture = rand(500, 500, 1, torch.float32).requires_grad_()
    with PeakMemory() as memory:
        torch.autograd.grad(variation(picture), picture)
    assert memory.peak < 2 * picture.nbytes
