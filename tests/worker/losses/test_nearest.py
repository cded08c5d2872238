import math

import pytest
import torch
from torch import Tensor

from worker.losses import nearest
from worker.losses.nearest import directions, mean_cosine_distance, mean_cosine_distances


def normal(count: int, channels: int, seed: int) -> Tensor:
    return torch.randn(count, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cosine_distances(rows: Tensor, targets: Tensor) -> list[list[float]]:
    """Of every two of rows and targets, one by one."""
    return [
        [
            1 - sum(a * b for a, b in zip(x, y, strict=True)) / (math.hypot(*x) * math.hypot(*y))
            for y in targets.tolist()
        ]
        for x in rows.tolist()
    ]


@pytest.fixture(params=[1 << 20, 2000], ids=["at once", "in chunks"])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "CHUNK", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("targets", [1, 31, 32, 70])
@pytest.mark.parametrize("centered", [False, True])
def test_the_mean_distance_is_that_of_all_pairs(targets: int, centered: bool) -> None:
    rows, others = normal(25, 5, 1), normal(targets, 5, 2)
    pairs = cosine_distances(rows - rows.mean(0) if centered else rows, others)

    found = mean_cosine_distance(rows, directions(others), 2.0, centered=centered)

    assert float(found) == pytest.approx(sum(map(min, pairs)) / 25, rel=1e-12)


@pytest.mark.usefixtures("chunk")
def test_both_mean_distances_are_those_of_all_pairs() -> None:
    rows, others = normal(25, 5, 1), normal(40, 5, 2)
    pairs = cosine_distances(rows, others)

    of_rows, of_targets = mean_cosine_distances(rows, directions(others), 2.0)

    assert float(of_rows) == pytest.approx(sum(map(min, pairs)) / 25, rel=1e-12)
    assert float(of_targets) == pytest.approx(sum(map(min, zip(*pairs, strict=True))) / 40, rel=1e-12)


@pytest.mark.medium
@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("centered", [False, True])
def test_the_gradient_is_that_of_the_mean(centered: bool) -> None:
    targets = directions(normal(40, 5, 2))
    rows = normal(25, 5, 1).requires_grad_()

    assert torch.autograd.gradcheck(
        lambda rows: 3 * mean_cosine_distance(rows, targets, 2.0, centered=centered), rows
    )


@pytest.mark.medium
@pytest.mark.usefixtures("chunk")
def test_the_gradient_is_that_of_both_means() -> None:
    targets = directions(normal(40, 5, 2))
    rows = normal(25, 5, 1).requires_grad_()

    assert torch.autograd.gradcheck(lambda rows: torch.stack(mean_cosine_distances(rows, targets, 2.0)), rows)


def test_rows_without_a_direction_have_distance_1_and_no_gradient() -> None:
    targets = directions(normal(8, 3, 2))
    rows = torch.zeros(6, 3, dtype=torch.float64).requires_grad_()

    of_rows, of_targets = mean_cosine_distances(rows, targets, 1.0)
    (gradient,) = torch.autograd.grad(of_rows + of_targets, rows)

    assert (float(of_rows), float(of_targets)) == (1, 1)
    assert (gradient == 0).all()


def test_directions_leave_out_what_has_none() -> None:
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0], [-2.0, 0.0], [1e-9, 0.0]])

    assert directions(rows).tolist() == [pytest.approx([0.6, 0.8]), [-1, 0]]
    assert directions(torch.zeros(3, 2)).tolist() == [[0, 0]]


def test_bfloat16_is_near_float64() -> None:
    targets = directions(normal(40, 16, 2).float())
    rough = normal(200, 16, 1).bfloat16().requires_grad_()
    fine = rough.detach().double().requires_grad_()

    means = [mean_cosine_distance(rows, targets, 4.0, centered=True) for rows in (rough, fine)]
    gradients = [torch.autograd.grad(mean, rows)[0] for mean, rows in zip(means, (rough, fine), strict=True)]

    assert means[0].dtype == torch.float32
    assert float(means[0]) == pytest.approx(float(means[1]), rel=1e-5)
    assert (gradients[0].double() - gradients[1]).norm() < 0.01 * gradients[1].norm()
