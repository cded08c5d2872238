"""Computes jobs that were claimed together in one call of their kind's batch function."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from app.kinds import KINDS
from worker.contract.steps import Outcome
from worker.runtime.claimed_job import ClaimedJob, End
from worker.runtime.context import WorkerContext
from worker.runtime.functions import load_stack_function
from worker.runtime.loaded import Loaded, load, save

log = logging.getLogger(__name__)


def compute_stack(
    context: WorkerContext, jobs: Sequence[ClaimedJob], stop: threading.Event
) -> Mapping[str, Callable[[], End]]:
    """Compute jobs together. By job id, what makes the end of a job, or raises why it has none.

    A job that is not in it is yet to be computed, alone.
    """
    ends: dict[str, Callable[[], End]] = {}
    loaded: dict[str, Loaded] = {}
    for job in jobs:
        try:
            job.check(stop)
            loaded[job.row.id] = load(context, job)
        except Exception as error:
            ends[job.row.id] = partial(_fail, error)
    together = [job for job in jobs if job.row.id in loaded]
    if len(together) < 2:
        return ends
    began = time.perf_counter()
    try:
        made = _call(together[0].row.kind, [loaded[job.row.id] for job in together])
    except Exception:
        log.exception("%d jobs cannot be computed together, and are one by one", len(together))
        return ends
    # What each took of the whole.
    seconds = round((time.perf_counter() - began) / len(together), 4)
    for job, entry in zip(together, made, strict=True):
        if isinstance(entry, Exception):
            ends[job.row.id] = partial(_fail, entry)
            continue
        job.progress = {"done": 1, "total": 1, "losses": {}, "eta_seconds": 0.0}
        ends[job.row.id] = partial(_save, job, stop, loaded[job.row.id], entry, seconds, len(together))
    return ends


def _call(kind: str, loaded: Sequence[Loaded]) -> Sequence[Outcome | Exception]:
    entry_point = KINDS[kind].stack_function
    if entry_point is None:
        raise ValueError(f"jobs of kind {kind} cannot be computed together")
    function = load_stack_function(entry_point)
    params, inputs = [each.params for each in loaded], [each.inputs for each in loaded]
    made = function(params, inputs, loaded[0].network, loaded[0].compute)
    if len(made) != len(loaded):
        raise ValueError(f"{entry_point} gave {len(made)} outcomes of {len(loaded)} jobs")
    return made


def _fail(error: Exception) -> End:
    raise error


def _save(
    job: ClaimedJob,
    stop: threading.Event,
    loaded: Loaded,
    outcome: Outcome,
    seconds: float,
    stack_size: int,
) -> End:
    job.check(stop)
    return save(job, loaded, outcome, seconds, stack_size)
