import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kinds.training_presets import Rates
from worker.training.schedules import ScheduleSettings, make_schedule

ALL: tuple[Rates, ...] = ("constant", "step", "plateau", "cosine", "one_cycle")


def factors(settings: ScheduleSettings, steps: int, steps_per_epoch: int = 1) -> list[float]:
    schedule = make_schedule(settings, steps, steps_per_epoch)
    return [schedule.factor(step) for step in range(steps)]


def test_constant() -> None:
    assert factors(ScheduleSettings("constant"), 3) == [1, 1, 1]


def test_warm_up_rises_by_equal_steps() -> None:
    assert factors(ScheduleSettings("constant", warm_up=0.5), 8) == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]


def test_steps_are_counted_in_epochs() -> None:
    found = factors(ScheduleSettings("step", step_epochs=2, rate_factor=0.1), 10, steps_per_epoch=2)
    assert found == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_by_hand() -> None:
    found = factors(ScheduleSettings("cosine"), 4)
    assert found == pytest.approx([1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2])
    warmed = factors(ScheduleSettings("cosine", warm_up=0.5), 4)
    assert warmed == pytest.approx([0.5, 1, 1, 0.5])


def test_one_cycle_has_the_constants_of_fastai() -> None:
    found = factors(ScheduleSettings("one_cycle"), 101)
    assert found[0] == pytest.approx(1 / 25)
    assert found[25] == pytest.approx(1)
    assert found[-1] == pytest.approx(1e-5)
    # Half way up and half way down.
    assert factors(ScheduleSettings("one_cycle"), 201)[25] == pytest.approx((1 + 1 / 25) / 2)
    assert factors(ScheduleSettings("one_cycle"), 201)[125] == pytest.approx((1 + 1e-5) / 2)


def test_one_cycle_rises_over_the_warm_up() -> None:
    found = factors(ScheduleSettings("one_cycle", warm_up=0.5), 101)
    assert found[50] == 1
    assert max(found) == found[50]


def test_a_plateau_divides_the_rate() -> None:
    settings = ScheduleSettings("plateau", rate_factor=0.1, plateau_patience=2)
    schedule = make_schedule(settings, 100, 10)
    found = []
    for score in (0.5, 0.6, 0.6, 0.55, 0.6, 0.7, 0.6, 0.6):
        schedule.after_epoch(score)
        found.append(schedule.factor(0))
    assert found == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01])


def test_less_than_the_least_progress_is_none() -> None:
    settings = ScheduleSettings("plateau", plateau_patience=2, min_delta=0.05)
    schedule = make_schedule(settings, 100, 10)
    for score in (0.5, 0.54, 0.549):
        schedule.after_epoch(score)
    assert schedule.factor(0) == pytest.approx(0.1)


def test_a_plateau_goes_on_from_its_state() -> None:
    settings = ScheduleSettings("plateau", plateau_patience=2)
    scores = (-0.5, -0.6, -0.7, -0.7, -0.8)
    whole, first, second = (make_schedule(settings, 100, 10) for _ in range(3))
    for score in scores:
        whole.after_epoch(score)
    for score in scores[:2]:
        first.after_epoch(score)
    second.load(first.state())
    for score in scores[2:]:
        second.after_epoch(score)
    assert second.state() == whole.state()
    assert second.factor(3) == whole.factor(3) < 1


@settings(deadline=None)
@given(
    schedule=st.sampled_from(ALL),
    warm_up=st.floats(0, 1),
    steps=st.integers(1, 60),
)
def test_factors_are_positive_and_never_above_one(schedule: Rates, warm_up: float, steps: int) -> None:
    found = factors(ScheduleSettings(schedule, warm_up=warm_up, step_epochs=3), steps, 2)
    assert all(0 < factor <= 1 for factor in found)
