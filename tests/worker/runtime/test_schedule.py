"""When a job reports, alone and as one of several that take turns."""

import pytest

from worker.contract.steps import Step, StepState
from worker.runtime import schedule
from worker.runtime.schedule import PREVIEW_SECONDS, PROGRESS_SECONDS, Schedule


def step(done: int) -> Step:
    return Step(done, 100, losses=dict, image=None, state=lambda: StepState({}, {}))


@pytest.mark.parametrize("sharing", [1, 8])
def test_who_shares_reports_so_many_times_less_often(sharing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr(schedule.time, "monotonic", lambda: clock)
    made = Schedule(30.0, sharing)
    assert made.progress_is_due(step(1), clock), "the first is shown at once"
    assert not made.preview_is_due(step(1), clock), "a short job needs none"
    made.preview_ended(clock)
    for interval, is_due in (
        (PROGRESS_SECONDS, made.progress_is_due),
        (PREVIEW_SECONDS, made.preview_is_due),
    ):
        assert not is_due(step(2), clock + 0.99 * sharing * interval)
        assert is_due(step(3), clock + 1.01 * sharing * interval)
    assert made.progress_is_due(step(100), clock), "the last is always due"
    assert not made.checkpoint_is_due(step(4), clock + 29)
    assert made.checkpoint_is_due(step(4), clock + 31)
