"""Runs one job: claim, load, step, finish. The same for embedded and for Celery workers."""

import logging
import threading
import time
from collections.abc import Sequence
from itertools import chain

from sqlalchemy.exc import OperationalError

from app.database.ids import new_id
from app.errors import ServiceError
from app.jobs.claims import ClaimLost
from app.jobs.states import State
from app.kinds import KINDS
from app.storage import StorageFull, StorageUnavailable
from worker.contract.steps import Step, run_steps
from worker.networks.loading import compute_for, further_networks, network_for
from worker.runtime.artifacts import encode, encode_recipe
from worker.runtime.claimed_job import Cancelled, ClaimedJob, End, Released, claim_job, claim_next_job
from worker.runtime.context import WorkerContext
from worker.runtime.failures import OUT_OF_MEMORY, describe_failure
from worker.runtime.functions import steps_of
from worker.runtime.inputs import load_inputs
from worker.runtime.recipes import make_recipe

log = logging.getLogger(__name__)


def run_job(context: WorkerContext, job_id: str, stop: threading.Event) -> bool:
    """Claim a job and run it. False if it was not queued.

    When ``stop`` is set the job goes back to the queue with a checkpoint.
    """
    job = claim_job(context, job_id)
    if job is not None:
        _run(context, job, stop)
    return job is not None


def run_next(context: WorkerContext, lanes: Sequence[str], stop: threading.Event) -> bool:
    """Claim the next job of some lanes and run it. False if none waits. ``stop`` as in :func:`run_job`."""
    job = claim_next_job(context, lanes)
    if job is not None:
        _run(context, job, stop)
    return job is not None


def _run(context: WorkerContext, job: ClaimedJob, stop: threading.Event) -> None:
    with job:
        end = _attempt(context, job, stop)
        job.finish(end)


def _attempt(context: WorkerContext, job: ClaimedJob, stop: threading.Event) -> End:
    """Compute a job. Whatever goes wrong becomes its end, but for a lost claim and a broken device."""
    try:
        return _compute(context, job, stop)
    except Cancelled:
        return End(State.CANCELLED)
    except Released:
        return End(State.QUEUED)
    except ClaimLost:
        raise
    except OperationalError as error:
        log.warning("job %s: back to the queue, the database is unavailable: %s", job.row.id, error.orig)
        return End(State.QUEUED)
    except (StorageFull, StorageUnavailable) as error:
        if _can_store(context):
            # It is this job's: what it makes is larger than all that is left, or one file is damaged.
            return End(State.FAILED, error=describe_failure(error, job.row.id, context.compute.device))
        log.warning("job %s: back to the queue until the storage works: %s", job.row.id, error)
        return End(State.QUEUED)
    except Exception as error:
        return End(State.FAILED, error=describe_failure(error, job.row.id, context.compute.device))


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
    params = KINDS[job.row.kind].load(job.row.params)
    compute = compute_for(params, context.compute)
    further = further_networks(params, compute, context.networks)
    inputs = load_inputs(context.engine, context.storage, params, context.settings.weights, further)
    network = network_for(params, compute, context.networks, job.row.network_sha256)
    resume = job.load_checkpoint()
    reporting = 0.0
    in_steps = False

    def on_step(step: Step) -> None:
        nonlocal reporting, in_steps
        in_steps = True
        began = time.perf_counter()
        job.report(step, stop)
        reporting += time.perf_counter() - began

    began = time.perf_counter()
    try:
        outcome = run_steps(steps_of(params, inputs, network, compute, resume), on_step)
    except Exception as error:
        if resume is None or in_steps or isinstance(error, (ServiceError, *OUT_OF_MEMORY)):
            raise
        # It failed before the first step from there.
        job.discard_checkpoint(error)
        outcome = run_steps(steps_of(params, inputs, network, compute), on_step)
    # The computation of this attempt alone, without the time that reports took.
    seconds = round(time.perf_counter() - began - reporting, 4)
    recipe = make_recipe(params, inputs.hashes, network, compute)

    alpha = inputs.alpha(params.keeps_alpha_of() or "")
    made = job.store(chain(encode(outcome, alpha, recipe), [encode_recipe(recipe)]))
    result = {**outcome.result, "compute_seconds": seconds, "recipe": recipe}
    return End(State.SUCCEEDED, made=made, result=result, progress=job.progress)
