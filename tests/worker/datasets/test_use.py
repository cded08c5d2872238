"""Kinds that take a set: over the service, and on the command line."""

import threading

import pytest

from app.datasets.repository import find_dataset
from app.jobs import repository
from app.jobs.job import Job
from app.jobs.states import State
from app.kinds import KINDS
from tests.support import counting
from tests.support.counting import CountingParams
from tests.support.worker_context import submit
from worker.runtime.context import WorkerContext
from worker.runtime.run_job import run_next


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, counting.SPEC.name, counting.SPEC)


def run_short(context: WorkerContext) -> Job:
    assert run_next(context, ["short"], threading.Event())
    return repository.list_jobs(context.engine, limit=1)[0]


@pytest.mark.medium
def test_digits_are_made_on_first_use_and_named_by_their_content(context: WorkerContext) -> None:
    job = submit(context, CountingParams(dataset="digits", at_most=40))
    made = find_dataset(context.engine, "digits")
    assert made is not None and made.state == "open" and job.params["dataset"] == made.id
    done = run_short(context)
    assert done.state is State.SUCCEEDED and done.result is not None, done.error
    # scikit-learn's first ten digits are 0 to 9.
    assert done.result["names"][:10] == [f"{digit}/{digit:04}.png" for digit in range(10)]
    made = find_dataset(context.engine, "digits")
    assert made is not None and (made.state, made.members) == ("closed", 1797)
    reference = f"{made.id}@{made.sha256}"
    recipe = done.result["recipe"]
    assert (recipe["params"]["dataset"], recipe["inputs"]["dataset"]) == (reference, [made.sha256])
    # A recipe from elsewhere, where the set has another id.
    again = submit(context, CountingParams(dataset=f"other@{made.sha256}", at_most=40))
    assert again.params["dataset"] == reference
    assert run_short(context).result == {**done.result, "compute_seconds": pytest.approx(0, abs=60)}
