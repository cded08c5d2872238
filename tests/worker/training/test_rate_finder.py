import copy
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from app.kinds.training_presets import Optimizer as OptimizerName
from worker.contract.compute import Compute
from worker.training import rate_finder
from worker.training.learner import Classes, Lesson
from worker.training.loop import Batch
from worker.training.objectives import ObjectiveSettings
from worker.training.optimizers import OptimizerSettings, make_optimizer
from worker.training.rate_finder import FIRST, LAST, STEPS, RatePoint, suggest, valley

CPU = Compute(torch.device("cpu"))


@dataclass
class SmallCourse:
    """Points in the plane of two classes, in ten batches."""

    seed: int = 0
    steps: int = 10
    scored: bool = True
    asked: list[int] = field(default_factory=list)

    def batch(self, step: int, generator: torch.Generator) -> Batch:
        self.asked.append(step)
        points = torch.randn(32, 2, generator=generator)
        return Batch(points, F.one_hot((points[:, 0] > points[:, 1]).long(), 2).float())

    def factor(self, step: int) -> float:
        return 1.0

    @property
    def lesson(self) -> Lesson:
        return Classes(ObjectiveSettings("softmax"))

    def numbers(self, step: int, rate: float, batch: Batch) -> dict[str, float]:
        return {}


def small_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))


def points_of(
    course: SmallCourse, name: OptimizerName = "sgd", model: nn.Module | None = None
) -> list[RatePoint]:
    model = model or small_model()
    optimizer = make_optimizer(model, OptimizerSettings(name, 0.1))
    return list(rate_finder.range_test(model, optimizer, course, CPU, rate=0.1))


def test_rates_grow_by_equal_factors_from_the_first_to_the_last() -> None:
    course = SmallCourse()
    points = points_of(course, "adam")
    assert points[0].rate == pytest.approx(FIRST)
    assert [later.rate / one.rate for one, later in pairwise(points)] == pytest.approx(
        [(LAST / FIRST) ** (1 / (STEPS - 1))] * (len(points) - 1)
    )
    if len(points) == STEPS:
        assert points[-1].rate == pytest.approx(LAST)
    assert course.asked[:12] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


def test_the_average_is_without_bias_to_its_start() -> None:
    first, second = points_of(SmallCourse())[:2]
    assert first.smoothed == pytest.approx(first.loss)
    assert second.smoothed == pytest.approx((0.98 * first.loss + second.loss) / 1.98)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "muon"])
def test_everything_is_as_it_was(name: OptimizerName) -> None:
    """Also after a test that was not read to its end; and groups keep their shares of the rate."""
    model = small_model()
    optimizer = make_optimizer(
        model, OptimizerSettings(name, 0.1), share=lambda parameter: 0.5 if parameter[0] == "0" else 1.0
    )
    model(torch.randn(8, 2)).sum().backward()
    optimizer.step()
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    expected = torch.random.get_rng_state()
    steps = rate_finder.range_test(model, optimizer, SmallCourse(), CPU, rate=0.1)
    for _ in range(60):
        next(steps)
    rates = [group["lr"] for group in optimizer.param_groups]
    at_first = [group["lr"] for group in state["param_groups"]]
    assert [rate / own for rate, own in zip(rates, at_first, strict=True)] == pytest.approx(
        [rates[0] / at_first[0]] * len(rates)
    )
    changed = model.state_dict()
    assert any(not torch.equal(changed[key], weights[key]) for key in weights)
    steps.close()
    torch.testing.assert_close(model.state_dict(), weights, rtol=0, atol=0)
    torch.testing.assert_close(optimizer.state_dict(), state, rtol=0, atol=0)
    assert torch.equal(torch.random.get_rng_state(), expected)


def test_it_ends_where_the_loss_is_four_times_the_lowest() -> None:
    class Exploding(SmallCourse):
        @property
        def lesson(self) -> Lesson:
            return Classes(ObjectiveSettings("quadratic"))

    model = nn.Sequential(nn.Linear(2, 64), nn.Linear(64, 64), nn.Linear(64, 2))
    points = points_of(Exploding(), "sgd", model)
    assert len(points) < STEPS
    lowest = min(point.smoothed for point in points[:-1])
    assert points[-1].smoothed > 4 * lowest
    assert all(
        point.smoothed <= 4 * min(each.smoothed for each in points[: place + 1])
        for place, point in enumerate(points[:-1])
    )


@pytest.mark.parametrize(
    ("losses", "place"),
    [
        # Nine losses that fall, from the second: the start is the one before the first of them.
        ([5.0, 9, 8, 7, 6, 5, 4, 3, 2, 1, 9, 9], 4),
        ([1.0, 2, 3, 4], 0),
        ([4.0, 3, 2, 1], 0),
        ([2.0, 1], 0),
    ],
)
def test_the_middle_of_the_longest_valley(losses: list[float], place: int) -> None:
    assert valley(losses) == place


def test_a_suggestion_lies_before_the_loss_is_lowest() -> None:
    points = points_of(SmallCourse(), "sgd")
    found = suggest(points)
    assert found is not None
    lowest = min(points, key=lambda point: point.smoothed)
    assert 1e-4 < found < lowest.rate


def test_too_few_points_suggest_nothing() -> None:
    assert suggest([RatePoint(1e-7, 1.0, 1.0)] * 18) is None
    assert suggest([]) is None
