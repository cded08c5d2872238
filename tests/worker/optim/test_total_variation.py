import math

import pytest
import torch

from worker.optim.losses import variation
from worker.optim.total_variation import SMOOTHING, squared_variation, total_variation


def test_total_variation_of_one_step_by_hand() -> None:
    # One difference to the right of (0.6, 0, 0.8), so of length 1, in one pixel of four.
    picture = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    picture[0, 0, 0, 1], picture[0, 2, 0, 1] = 0.6, 0.8
    # The pixel itself differs from the one below by as much.
    length = math.sqrt(1 + SMOOTHING**2)

    assert float(total_variation(picture)) == pytest.approx((2 * length + 2 * SMOOTHING) / 4 - SMOOTHING)


def test_a_flat_picture_does_not_vary() -> None:
    picture = torch.full((1, 3, 5, 4), 0.3)

    assert float(total_variation(picture)) == pytest.approx(0, abs=1e-8)
    assert squared_variation(picture) == 0


def test_an_edge_of_all_channels_costs_less_than_three_edges() -> None:
    together = torch.zeros(1, 3, 8, 9)
    together[..., 3:] = 0.5
    apart = torch.zeros(1, 3, 8, 9)
    for channel, column in enumerate((3, 5, 7)):
        apart[0, channel, :, column:] = 0.5

    assert total_variation(together) < 0.7 * total_variation(apart)


def test_total_variation_is_a_mean() -> None:
    stripes = torch.zeros(1, 3, 10, 40)
    stripes[..., ::2] = 1.0

    assert float(total_variation(stripes)) == pytest.approx(
        float(total_variation(stripes[..., :20])), rel=0.03
    )


def test_squared_variation_by_hand() -> None:
    picture = torch.tensor([[[[0.0, 1.0, 9.0], [3.0, 0.0, 9.0], [9.0, 9.0, 9.0]]]])

    # Inner pixels 0, 1, 3, 0; differences below 3, -1, 6, 9 and to the right 1, 8, -3, 9.
    assert squared_variation(picture) == (9 + 1 + 36 + 81 + 1 + 64 + 9 + 81) / 2
    assert variation(picture, "neural-style") == 255**2 * 141


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 1, 6), (1, 3, 6, 1)])
def test_pictures_of_one_pixel_across(shape: tuple[int, ...]) -> None:
    picture = torch.rand(shape, generator=torch.Generator().manual_seed(3)).requires_grad_()

    for loss in (total_variation(picture), squared_variation(picture)):
        assert torch.isfinite(loss)
        (gradient,) = torch.autograd.grad(loss, picture)
        assert torch.isfinite(gradient).all()
