"""Runs jobs: claim, load, step, finish. The same for embedded and for Celery workers."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

from app.database.engine import UNAVAILABLE, reason_of
from app.database.ids import new_id
from app.errors import ServiceError
from app.jobs.claims import ClaimLost
from app.jobs.job import Json
from app.jobs.states import State
from app.log_context import logged_with
from app.storage import StorageFull, StorageUnavailable
from worker.contract.interludes import between_parts, listening
from worker.contract.steps import Outcome, Step, run_steps
from worker.optim.ladder import is_out_of_memory
from worker.runtime.claimed_job import LEFT, Cancelled, ClaimedJob, End, Released, claimed_jobs
from worker.runtime.context import WorkerContext
from worker.runtime.failures import DeviceBroken, describe_failure
from worker.runtime.fitting import saying_what_fits
from worker.runtime.functions import steps_of
from worker.runtime.loaded import load, save
from worker.runtime.stacks import compute_stack

log = logging.getLogger(__name__)


def run_next(context: WorkerContext, lanes: Sequence[str], stop: threading.Event) -> bool:
    """Claim the next job of some lanes, and those that can be computed together with it, and run them.

    False if none waits. When ``stop`` is set they go back to the queue with a checkpoint.
    """
    with claimed_jobs(context, lanes) as jobs:
        left = {job.row.id: job for job in jobs}
        if len(jobs) > 1:
            with closing(compute_stack(context, jobs, stop)) as ends:
                for job, ready in ends:
                    del left[job.row.id]
                    _end(context, job, ready)
        for job in left.values():
            _end(context, job, partial(_compute, context, job, stop))
        return bool(jobs)


def _end(context: WorkerContext, job: ClaimedJob, compute: Callable[[], End]) -> None:
    with logged_with(**job.row.log_fields), job:
        job.finish(_attempt(context, job, compute))


def _attempt(context: WorkerContext, job: ClaimedJob, compute: Callable[[], End]) -> End:
    """Compute a job. Whatever goes wrong becomes its end, but for a lost claim and a broken device."""
    try:
        return compute()
    except Cancelled:
        return End(State.CANCELLED)
    except Released:
        return End(State.QUEUED)
    except (ClaimLost, DeviceBroken):
        raise
    except UNAVAILABLE as error:
        log.warning(
            "job %s: back to the queue, the database is unavailable: %s", job.row.id, reason_of(error)
        )
        return End(State.QUEUED)
    except (StorageFull, StorageUnavailable) as error:
        if _can_store(context):
            # It is this job's: what it makes is larger than all that is left, or one file is damaged.
            return End(State.FAILED, error=_describe(error, context, job))
        log.warning("job %s: back to the queue until the storage works: %s", job.row.id, error)
        return End(State.QUEUED)
    except Exception as error:
        return End(State.FAILED, error=_describe(error, context, job))


def _describe(error: Exception, context: WorkerContext, job: ClaimedJob) -> Json:
    return describe_failure(error, job.row.id, context.compute.device, job.row.params)


def _can_store(context: WorkerContext) -> bool:
    """Whether the storage takes a file, and has the space that is needed to begin a job."""
    key = f"probes/{new_id()}"
    try:
        context.storage.require_space()
        context.storage.put(key, b"")
        context.storage.delete(key)
    except (StorageFull, OSError):
        return False
    return True


def _compute(context: WorkerContext, job: ClaimedJob, stop: threading.Event) -> End:
    """Load what the job needs, run its steps, and store its files."""
    job.check_between_parts()
    loaded = load(context, job)
    params, inputs, network, compute = loaded.params, loaded.inputs, loaded.network, loaded.compute
    with listening(job.check_between_parts):
        resume = job.load_checkpoint()
    reporting = 0.0
    taken, total = 0, 1

    def on_step(step: Step) -> None:
        nonlocal reporting, taken, total
        taken, total = taken + 1, step.total
        began = time.perf_counter()
        # First: a step is the better place to end, as it has a state.
        job.report(step, stop)
        between_parts()
        reporting += time.perf_counter() - began

    began = time.perf_counter()
    with saying_what_fits(params, inputs, context.memory_bytes), listening(job.check_between_parts):
        outcome: Outcome | None = None
        try:
            outcome = run_steps(steps_of(params, inputs, network, compute, resume), on_step)
        except Exception as error:
            is_known = isinstance(error, (ServiceError, *LEFT)) or is_out_of_memory(error)
            if resume is None or taken or is_known:
                raise
            # It failed before the first step from there.
            job.discard_checkpoint(error)
        if outcome is None:
            # Here the error is gone, and with it all that the failed run held.
            resume = None
            outcome = run_steps(steps_of(params, inputs, network, compute), on_step)
    # The computation of this attempt alone, without the time that reports took.
    seconds = round(time.perf_counter() - began - reporting, 4)
    context.stack_sizes.learn(job.row, seconds * total / max(1, taken))
    return save(job, loaded, outcome, seconds)
