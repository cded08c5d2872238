import math

import pytest
import torch
from torch import Tensor

from worker.losses.total_variation import (
    CHROMA,
    SMOOTHING,
    TotalVariation,
    nine_point_variation,
    squared_variation,
    total_variation,
)


def test_total_variation_of_a_grey_pixel_by_hand() -> None:
    # A pixel of 0.6 in the upper right corner: the one to its left differs by 0.6, and it from the one below.
    picture = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    picture[..., 0, 1] = 0.6
    length = math.sqrt(3 * 0.6**2 + SMOOTHING**2)

    assert float(total_variation(picture)) == pytest.approx((2 * length + 2 * SMOOTHING) / 4 - SMOOTHING)


def test_total_variation_of_a_red_pixel_by_hand() -> None:
    picture = torch.zeros(1, 3, 1, 2, dtype=torch.float64)
    picture[0, 0, 0, 1] = 0.5
    # Luma 0.1495, so that the chroma is (0.3505, -0.1495, -0.1495).
    chroma = 0.3505**2 + 2 * 0.1495**2
    length = math.sqrt(0.25 + CHROMA * chroma + SMOOTHING**2)

    assert float(total_variation(picture)) == pytest.approx((length + SMOOTHING) / 2 - SMOOTHING)


def test_total_variation_restated() -> None:
    picture = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def squared_length(d: Tensor) -> float:
        grey = 0.299 * d[0] + 0.587 * d[1] + 0.114 * d[2]
        return float(sum(c**2 + CHROMA * (c - grey) ** 2 for c in d))

    lengths = []
    for y in range(4):
        for x in range(5):
            here = picture[0, :, y, x]
            below, right = picture[0, :, min(y + 1, 3), x], picture[0, :, y, min(x + 1, 4)]
            squares = squared_length(below - here) + squared_length(right - here)
            lengths.append(math.sqrt(squares + SMOOTHING**2) - SMOOTHING)

    assert float(total_variation(picture)) == pytest.approx(sum(lengths) / 20)


def test_a_flat_picture_does_not_vary() -> None:
    picture = torch.full((1, 3, 5, 4), 0.3)

    assert float(total_variation(picture)) == pytest.approx(0, abs=1e-7)
    assert squared_variation(picture) == 0


def test_grey_noise_costs_less_than_colored_noise_of_the_same_energy() -> None:
    generator = torch.Generator().manual_seed(2)
    colored = 0.5 + 0.1 * torch.randn(1, 3, 30, 30, generator=generator)
    grey = 0.5 + 0.1 * torch.randn(1, 1, 30, 30, generator=generator).expand(1, 3, 30, 30)

    assert total_variation(grey) < 0.7 * total_variation(colored)


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
    assert TotalVariation(2.0, "neural-style").value(picture) == 2 * 255**2 * 141


def test_nine_point_variation_restated() -> None:
    picture = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    padded = torch.nn.functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    total = 0.0
    for y in range(1, 5):
        for x in range(1, 6):
            for (down, right), weight in {
                (0, 1): 1 / 3,
                (1, 0): 1 / 3,
                (1, 1): 1 / 12,
                (1, -1): 1 / 12,
            }.items():
                difference = padded[..., y + down, x + right] - padded[..., y, x]
                total += weight * float(difference.square().sum())

    assert float(nine_point_variation(picture)) == pytest.approx(2 * total / 60)
    assert float(TotalVariation(2.0, "crowson-2023").value(picture)) == pytest.approx(4 * total / 60)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 1, 6), (1, 3, 6, 1)])
def test_pictures_of_one_pixel_across(shape: tuple[int, ...]) -> None:
    picture = torch.rand(shape, generator=torch.Generator().manual_seed(3)).requires_grad_()

    for loss in (total_variation(picture), squared_variation(picture), nine_point_variation(picture)):
        assert torch.isfinite(loss)
        (gradient,) = torch.autograd.grad(loss, picture)
        assert torch.isfinite(gradient).all()
