"""The loop with a judge: what is kept, when it ends, and the moving average."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.errors import ComputationError
from tests.support.learning import CPU, kept
from worker.contract.steps import Step, StepState
from worker.training.averaging import WeightAverage
from worker.training.judging import PartJudge, accuracies
from worker.training.learner import Classes, Lesson
from worker.training.loop import Batch, Progress, Verdict, train
from worker.training.objectives import ObjectiveSettings
from worker.training.schedules import ScheduleSettings, make_schedule


class Course:
    """Three steps an epoch on random features."""

    seed = 1
    scored = True

    def __init__(self, epochs: int) -> None:
        self.steps = 3 * epochs

    @property
    def lesson(self) -> Lesson:
        return Classes(ObjectiveSettings("softmax"))

    def batch(self, step: int, generator: torch.Generator) -> Batch:
        return Batch(torch.randn(4, 2, generator=generator), F.one_hot(torch.arange(4) % 2).float())

    def factor(self, step: int) -> float:
        return 1.0

    def numbers(self, step: int, rate: float, batch: Batch) -> dict[str, float]:
        return {"rate": rate}


class Judge:
    """Gives the qualities that it is told, and keeps the weights that it saw."""

    every = 3

    def __init__(self, qualities: list[float], *, chooses: bool = True) -> None:
        self.qualities = qualities
        self.chooses = chooses
        self.seen: list[Tensor] = []

    def measure(self, model: nn.Module) -> Verdict:
        assert not model.training
        quality = self.qualities[len(self.seen)]
        self.seen.append(next(model.parameters()).detach().clone())
        return Verdict({"accuracy": quality}, (quality, 0.0), self.chooses)

    def is_over(self, verdict: Verdict) -> bool:
        return verdict.quality[0] < 0

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: Mapping[str, Any]) -> None: ...


def run(
    judge: Judge, epochs: int = 4, average: float = 0.0, finish_after: int | None = None, **more: bool
) -> tuple[Tensor, Progress, list[Step]]:
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    steps: list[Step] = []
    loop = train(model, optimizer, Course(epochs), CPU, judge=judge, average=average, **more)
    while True:
        try:
            steps.append(next(loop))
        except StopIteration as stop:
            return model.weight.detach(), stop.value, steps
        if len(steps) == finish_after:
            assert steps[-1].finish is not None
            steps[-1].finish()


def test_the_best_weights_are_restored() -> None:
    judge = Judge([0.5, 0.9, 0.9, 0.7])
    weight, progress, _ = run(judge)
    assert progress.best_epoch == 2
    assert progress.measures == {"accuracy": 0.9}
    assert torch.equal(weight, judge.seen[1])
    assert not torch.equal(weight, judge.seen[3])
    assert [row["epoch"] for row in progress.history] == [1, 2, 3, 4]
    assert [row["validation_accuracy"] for row in progress.history] == [0.5, 0.9, 0.9, 0.7]
    assert progress.history[0]["rate"] == 0.5


def test_steps_tell_the_measures_of_the_epoch_before() -> None:
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    judge = Judge([0.5, 0.9])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    told = [
        step.losses().get("validation.accuracy")
        for step in train(model, optimizer, Course(2), CPU, judge=judge)
    ]
    assert told == [None, None, 0.5, 0.5, 0.5, 0.9]


def test_where_nothing_is_chosen_the_last_weights_stay() -> None:
    judge = Judge([0.9, 0.5], chooses=False)
    weight, progress, _ = run(judge, epochs=2)
    assert progress.best_epoch is None
    assert progress.measures == {"accuracy": 0.5}
    assert torch.equal(weight, judge.seen[1])


def test_it_ends_where_the_judge_says_so() -> None:
    judge = Judge([0.5, -1.0, 0.9, 0.9])
    weight, _, steps = run(judge)
    assert len(steps) == 6
    assert torch.equal(weight, judge.seen[0])


@pytest.mark.parametrize(("qualities", "best"), [([0.5, 0.9], 1), ([0.9, 0.5], 0)])
def test_ended_within_an_epoch_it_is_judged_as_it_is(qualities: list[float], best: int) -> None:
    judge = Judge(qualities)
    weight, progress, steps = run(judge, finish_after=4)
    assert len(steps) == 4
    assert torch.equal(weight, judge.seen[best])
    assert len(progress.history) == 2


def test_what_it_began_with_may_be_the_best() -> None:
    judge = Judge([0.9, 0.5, 0.6])
    weight, progress, _ = run(judge, epochs=2, begun=True)
    assert progress.best_epoch == 0
    assert torch.equal(weight, judge.seen[0])
    assert [row["validation_accuracy"] for row in progress.history] == [0.5, 0.6]


def test_the_average_is_what_is_judged_and_kept() -> None:
    judge, alone = Judge([0.1, 0.2]), Judge([0.1, 0.2])
    averaged, _, _ = run(judge, epochs=2, average=0.9)
    raw, _, _ = run(alone, epochs=2)
    assert torch.equal(averaged, judge.seen[1])
    assert not torch.equal(averaged, raw)


def test_an_average_is_that_of_its_formula() -> None:
    model = nn.BatchNorm1d(1)
    average = WeightAverage(model, 0.5)
    for step, value in enumerate((2.0, 4.0, 8.0)):
        model.running_mean.fill_(value)  # type: ignore[union-attr]
        model.num_batches_tracked.fill_(step)  # type: ignore[operator,union-attr]
        average.update(model, step)
    # Decays 1 / 10, 2 / 11, 3 / 12, which are below 0.5.
    expected = 0.0
    for decay, value in ((1 / 10, 2.0), (2 / 11, 4.0), (3 / 12, 8.0)):
        expected = decay * expected + (1 - decay) * value
    assert float(average.model.running_mean) == pytest.approx(expected)  # type: ignore[arg-type]
    assert int(average.model.num_batches_tracked) == 2  # type: ignore[arg-type]


def part_judge(**given: Any) -> PartJudge:
    schedule = make_schedule(ScheduleSettings("plateau", plateau_patience=1), 10, 1)
    settings: dict[str, Any] = {
        "every": 1,
        "places": torch.arange(4),
        "labels": torch.tensor([0, 0, 1, 2]),
        "classes": 3,
        "view": lambda places: torch.eye(3)[torch.tensor([0, 1, 1, 1])[places]],
        "scores": lambda model, logits: logits,
        "loss": F.cross_entropy,
        "metric": "accuracy",
        "patience": 2,
        "min_delta": 0.1,
        "rates": schedule,
        "compute": CPU,
    }
    return PartJudge(**{**settings, **given})


def test_a_part_is_measured() -> None:
    verdict = part_judge(metric="macro_f1").measure(nn.Identity())
    assert verdict is not None
    # Taken for 0, 1, 1, 1: class 0 has F1 2/3, class 1 2/4, class 2 none right.
    assert verdict.measures["accuracy"] == 0.5
    assert verdict.measures["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert verdict.quality[0] == verdict.measures["macro_f1"]
    assert verdict.quality[1] == -verdict.measures["loss"]
    assert part_judge(metric="loss").measure(nn.Identity()).quality[0] == verdict.quality[1]  # type: ignore[union-attr]
    assert part_judge(places=torch.arange(0)).measure(nn.Identity()) is None


def test_classes_that_a_part_lacks_do_not_count() -> None:
    found = accuracies(torch.eye(4)[:2], torch.tensor([0, 1]))
    assert found == {"accuracy": 1.0, "macro_f1": 1.0}


def test_patience_counts_epochs_without_progress() -> None:
    judge = part_judge()
    verdicts = [Verdict({}, (quality, 0.0)) for quality in (0.5, 0.55, 0.7, 0.75, 0.79)]
    assert [judge.is_over(verdict) for verdict in verdicts] == [False, False, False, False, True]


def test_patience_goes_on_after_an_interruption() -> None:
    first, second = part_judge(), part_judge()
    assert [first.is_over(Verdict({}, (0.5, 0.0))) for _ in range(2)] == [False, False]
    second.load(kept(StepState({}, first.state())).values)
    assert second.is_over(Verdict({}, (0.5, 0.0)))


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(ComputationError, match="validation part is nan"):
        part_judge(view=lambda places: torch.full((len(places), 3), torch.nan)).measure(nn.Identity())
