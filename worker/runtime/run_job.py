"""Runs one job: claim, load, step, checkpoint, save, finish. The same in every mode."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

import torch
from sqlalchemy.exc import OperationalError

from app.errors import ComputationError, InputError
from app.jobs import claims
from app.jobs.claims import Claim, ClaimLost
from app.jobs.errors import UnknownJob
from app.jobs.job import Artifact, Job, Json
from app.jobs.repository import get_job, list_artifacts
from app.jobs.states import State
from app.jobs.storage_keys import sweep
from app.kinds import KINDS
from app.networks.download import DownloadError
from app.storage import StorageFull
from worker.contract.steps import State as StepState
from worker.contract.steps import Step, run_steps
from worker.networks.loading import network_for
from worker.runtime import checkpoints
from worker.runtime.artifacts import save_outputs
from worker.runtime.context import WorkerContext
from worker.runtime.functions import steps_of
from worker.runtime.heartbeat import Heartbeat
from worker.runtime.inputs import load_inputs
from worker.runtime.recipes import make_recipe
from worker.runtime.reporter import Reporter

log = logging.getLogger(__name__)

# How long the end of a job waits for a database that is away: the work is done, only its row is missing.
PERSIST_SECONDS = 120.0


class Cancelled(Exception):
    """Somebody asked for the job to stop."""


class Released(Exception):
    """The job goes back to the queue: a shutdown or a pause."""


def run_job(context: WorkerContext, job_id: str, stop: threading.Event) -> bool:
    """Claim a job and run it to an end. False if it was not there to be claimed.

    When ``stop`` is set the job goes back to the queue with a checkpoint.
    """
    seconds = context.settings.lease_seconds
    claim = claims.claim(context.engine, job_id, context.worker_id, seconds)
    if claim is not None:
        run_claim(context, claim, stop)
    return claim is not None


def run_next(context: WorkerContext, lanes: Sequence[str], stop: threading.Event) -> bool:
    """Claim the job that waits longest in some lanes and run it. False if none waits."""
    seconds = context.settings.lease_seconds
    claim = claims.claim_next(context.engine, context.worker_id, lanes, seconds)
    if claim is not None:
        run_claim(context, claim, stop)
    return claim is not None


def run_claim(context: WorkerContext, claim: Claim, stop: threading.Event) -> None:
    """Run a claimed job to an end of some kind; what goes wrong in it is the job's own end."""
    log.info("job %s (%s): attempt %d", claim.job.id, claim.job.kind, claim.attempt)
    context.dispatcher.changed(claim.job.id)
    try:
        with Heartbeat(context.engine, claim) as heart:
            job, kept = _run(context, claim, heart, stop)
    except ClaimLost:
        log.warning("job %s: attempt %d lost its claim, nothing written", claim.job.id, claim.attempt)
        _remove_late_files(context, claim.job.id)
        return
    log.info("job %s: %s", job.id, job.state)
    context.dispatcher.changed(job.id)
    if job.state is State.QUEUED and not job.paused:
        context.dispatcher.hint(job)
    if job.ended:
        sweep(context.storage, job.id, kept)


def _remove_late_files(context: WorkerContext, job_id: str) -> None:
    """Remove what a lost claim stored after its job was ended, and so after others had swept up."""
    try:
        ended = get_job(context.engine, job_id).ended
    except UnknownJob:
        ended = True
    if ended:
        sweep(context.storage, job_id, list_artifacts(context.engine, [job_id])[job_id])


def _run(
    context: WorkerContext, claim: Claim, heart: Heartbeat, stop: threading.Event
) -> tuple[Job, list[Artifact]]:
    engine = context.engine
    try:
        made, result, progress = _compute(context, claim, heart, stop)
        job = _persist(
            lambda: claims.finish(engine, claim, State.SUCCEEDED, made=made, result=result, progress=progress)
        )
        return job, made
    except Cancelled:
        return _persist(lambda: claims.finish(engine, claim, State.CANCELLED)), []
    except Released:
        return _persist(lambda: claims.release(engine, claim)), []
    except ClaimLost:
        raise
    except OperationalError as error:
        log.warning("job %s: the database is away, back to the queue: %s", claim.job.id, error.orig)
        return _persist(lambda: claims.release(engine, claim)), []
    except Exception as error:
        problem = _explain(error, claim.job.id)
        return _persist(lambda: claims.finish(engine, claim, State.FAILED, error=problem)), []


def _compute(
    context: WorkerContext, claim: Claim, heart: Heartbeat, stop: threading.Event
) -> tuple[list[Artifact], Json, Json | None]:
    params = KINDS[claim.job.kind].load(claim.job.params)
    inputs = load_inputs(context.engine, context.storage, params, context.settings.weights)
    network = network_for(params, context.compute, context.settings.weights)
    resume, parts = _saved_state(context, claim.job)
    reporter = Reporter(context, claim, heart, parts)
    reporting = 0.0

    def on_step(step: Step) -> None:
        nonlocal reporting
        began = time.perf_counter()
        _check(heart, stop, reporter, step)
        reporter.report(step)
        reporting += time.perf_counter() - began

    steps = steps_of(params, inputs, network, context.compute, resume)
    began = time.perf_counter()
    outcome = run_steps(steps, on_step)
    # The engine's own time, of this attempt: all else is the service's.
    seconds = round(time.perf_counter() - began - reporting, 4)
    recipe = make_recipe(params, inputs.hashes, network, context.compute)
    made = save_outputs(context.storage, claim, outcome, inputs.alpha(params.keeps_alpha_of() or ""), recipe)
    return made, {**outcome.result, "compute_seconds": seconds, "recipe": recipe}, reporter.progress


def _check(heart: Heartbeat, stop: threading.Event, reporter: Reporter, step: Step) -> None:
    """Look between two steps whether the job should go on."""
    if heart.lost:
        raise ClaimLost
    if heart.cancel_requested:
        raise Cancelled
    if heart.paused or stop.is_set():
        try:
            reporter.save_checkpoint(step)
        except (OperationalError, StorageFull) as error:
            log.warning("checkpoint not saved, the job goes on from the one before: %s", error)
        raise Released


def _saved_state(context: WorkerContext, job: Job) -> tuple[StepState | None, dict[str, str]]:
    """The state to go on from, if there is one, and the keys of its parts."""
    if job.checkpoint is None:
        return None, {}
    state, parts = checkpoints.load(context.storage, job.checkpoint["key"])
    log.info("job %s: goes on after step %d", job.id, job.checkpoint["done"])
    return state, parts


def _persist(write: Callable[[], Job]) -> Job:
    """Write the end of an attempt, waiting for a database that is away."""
    deadline = time.monotonic() + PERSIST_SECONDS
    pause = 0.1
    while True:
        try:
            return write()
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("the database is away, trying again: %s", error.orig)
            time.sleep(pause)
            pause = min(2 * pause, 5.0)


def _explain(error: Exception, job_id: str) -> Json:
    """An error as a job shows it: what happened and what to do, never a traceback."""
    field = None
    match error:
        case InputError():
            kind, title, detail, field = error.type, error.title, error.detail, error.field
        case ComputationError():
            kind, title, detail = error.type, error.title, error.detail
        case DownloadError():
            kind, title, detail = "download", "The download failed", error.detail
        case StorageFull():
            kind, title, detail = error.type, error.title, error.detail
        case MemoryError() | torch.OutOfMemoryError():
            kind, title, detail, field = _OUT_OF_MEMORY
        case RuntimeError() if "not enough memory" in str(error):
            # What torch raises on the CPU, which has no class of its own.
            kind, title, detail, field = _OUT_OF_MEMORY
        case _:
            log.exception("job %s failed", job_id)
            kind, title = "internal", "Something went wrong here"
            detail = f"{type(error).__name__}; the worker's log says more under job {job_id}."
    return {"type": kind, "title": title, "detail": detail, "field": field}


_OUT_OF_MEMORY = (
    "out_of_memory",
    "Not enough memory",
    "The device has too little memory for a picture of this size: choose a smaller one.",
    "size",
)
