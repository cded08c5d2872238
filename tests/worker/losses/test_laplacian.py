import pytest
import torch

from tests.support.loss_sums import rand
from worker.losses.laplacian import POOLS, LaplacianLoss, laplacian


def test_laplacian_of_a_point_by_hand() -> None:
    picture = torch.zeros(1, 3, 4, 4)
    picture[0, 1, 1, 1] = 1.0

    assert laplacian(picture, 1)[0, 0].tolist() == [
        [0, -1, 0, 0],
        [-1, 4, -1, 0],
        [0, -1, 0, 0],
        [0, 0, 0, 0],
    ]


def test_laplacian_that_wraps_by_hand() -> None:
    picture = torch.zeros(1, 3, 4, 4)
    picture[0, 1, 0, 3] = 1.0

    assert laplacian(picture, 1, wrap=True)[0, 0].tolist() == [
        [-1, 0, -1, 4],
        [0, 0, 0, -1],
        [0, 0, 0, 0],
        [0, 0, 0, -1],
    ]


def test_averages_at_the_edge_are_over_what_is_left() -> None:
    picture = torch.ones(1, 3, 5, 6)

    assert laplacian(picture, 4).shape == (1, 1, 2, 2)
    assert laplacian(picture, 4).abs().max() == 0


@pytest.mark.medium
@pytest.mark.parametrize(("height", "width"), [(32, 48), (21, 35), (3, 2)])
def test_the_loss_is_the_relative_squared_difference(height: int, width: int) -> None:
    picture, content = rand(height, width, 1), rand(height, width, 2)

    expected = 0.0
    for pool in POOLS:
        found = []
        for each in (picture, content):
            rows, columns = -(-height // pool), -(-width // pool)
            means = [
                [
                    float(
                        each[0, :, pool * y : pool * y + pool, pool * x : pool * x + pool].mean((1, 2)).sum()
                    )
                    for x in range(columns)
                ]
                for y in range(rows)
            ]
            found.append(
                [
                    sum(
                        means[y][x]
                        - means[min(max(y + down, 0), rows - 1)][min(max(x + right, 0), columns - 1)]
                        for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0))
                    )
                    for y in range(rows)
                    for x in range(columns)
                ]
            )
        difference = sum((a - b) ** 2 for a, b in zip(*found, strict=True))
        expected += difference / max(sum(b * b for b in found[1]), len(found[1]) / 255**2) / len(POOLS)

    loss = LaplacianLoss(content, 1.5)
    assert float(loss.value(picture)) == pytest.approx(1.5 * expected, rel=1e-9)
    assert torch.autograd.gradcheck(loss.value, picture.requires_grad_())


def test_a_flat_picture_costs_the_weight() -> None:
    loss = LaplacianLoss(rand(40, 50, 2), 1.5)

    assert float(loss.value(torch.full((1, 3, 40, 50), 0.3, dtype=torch.float64))) == pytest.approx(1.5)


def test_a_flat_content_asks_for_nothing_enormous() -> None:
    loss = LaplacianLoss(torch.full((1, 3, 40, 50), 0.3, dtype=torch.float64), 1.0)

    assert float(loss.value(0.3 + rand(40, 50, 2) / 255)) < 10
