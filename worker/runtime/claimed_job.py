"""A job for as long as this worker holds its claim: reports, checkpoints, files, and its end."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType

from torch import Tensor

from app.jobs import claims
from app.jobs.claims import Claim, ClaimLost
from app.jobs.errors import UnknownJob
from app.jobs.job import Artifact, Json
from app.jobs.reaper import finish_takeback, release_claims
from app.jobs.repository import get_job, list_artifacts
from app.jobs.states import State
from app.jobs.storage_keys import (
    attempt_folder,
    checkpoint_key,
    checkpoints_of,
    delete_job_files,
    work_folder,
)
from app.log_context import logged_with
from app.networks import repository as networks
from app.storage import StorageUnavailable
from worker.contract.interludes import listening
from worker.contract.steps import NewNetwork, Step, StepState
from worker.media.pictures import PREVIEW_MEDIA_TYPE, encode_preview
from worker.networks.keeping import store_weights
from worker.optim.ladder import is_out_of_memory
from worker.runtime import checkpoints
from worker.runtime.artifacts import EncodedFile
from worker.runtime.checkpoints import CheckpointError
from worker.runtime.context import WorkerContext
from worker.runtime.heartbeat import Heartbeat
from worker.runtime.patience import SAVING_FAILED, persist
from worker.runtime.schedule import Schedule
from worker.runtime.stalls import watch_jobs

log = logging.getLogger(__name__)


class Cancelled(Exception):
    """The job's cancel was requested."""


class Released(Exception):
    """The job goes back to the queue, because of a shutdown or a pause."""


# What ends an attempt between its steps, or between the parts of one, and is no failure.
LEFT = (Cancelled, Released, ClaimLost)


@dataclass(frozen=True)
class End:
    """How an attempt ends: a terminal state with what belongs to it, or ``QUEUED``, back to the queue."""

    state: State
    made: Sequence[Artifact] = ()
    result: Json | None = None
    error: Json | None = None
    progress: Json | None = None
    network: networks.NewNetwork | None = None


class ClaimedJob:
    """One attempt of a job.

    The lease is extended by ``heartbeat``. A context manager, inside which :meth:`finish` ends the attempt.
    Methods that write raise ClaimLost once the claim is lost. Leaving the context with it is no error, and
    deletes what was stored too late.
    """

    def __init__(self, context: WorkerContext, claim: Claim, heartbeat: Heartbeat) -> None:
        self.row = claim.job
        self.progress: Json | None = None
        self._context = context
        self._claim = claim
        self._heartbeat = heartbeat
        self._pulse = heartbeat.pulse(claim.job.id)
        self._schedule = Schedule(context.settings.checkpoint_seconds)
        # Storage keys of the newest checkpoint, and of its parts by name.
        self._checkpoint_key: str | None = (claim.job.checkpoint or {}).get("key")
        self._parts: dict[str, str] = {}
        self._end = End(State.QUEUED)
        self._asked_to_finish = False

    def __enter__(self) -> "ClaimedJob":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._heartbeat.release(self.row.id)
        if isinstance(error, ClaimLost):
            log.warning("job %s: attempt %d lost its claim, nothing written", self.row.id, self.row.attempt)
            self._remove_late_files()
            return True
        if error is None:
            self._announce_end()
        return False

    def take_turns(self, count: int) -> None:
        """Report so many times less often, as one of ``count`` jobs that are computed together."""
        self._schedule = Schedule(self._context.settings.checkpoint_seconds, count)

    def load_checkpoint(self) -> StepState | None:
        """The state to go on from; None to start from the beginning, also if no checkpoint is usable.

        One that cannot be read is tried again for a while: a job that starts over replaces it. Where the row
        names none that is, as after a backup was restored whose files are older or newer than its database,
        another one of the job does as well: each is a state of the same computation.
        """
        named, storage = self._checkpoint_key, self._context.storage
        try:
            others = checkpoints_of(storage, self.row.id)
        except OSError as error:
            log.warning("job %s: its checkpoints cannot be listed: %s", self.row.id, error)
            others = {}
        unusable: Exception | None = None
        for key in [*([named] if named is not None else []), *(key for key in others if key != named)]:
            try:
                state, self._parts = persist(partial(checkpoints.load, storage, key, self.row.kind))
            except (CheckpointError, StorageUnavailable) as error:
                log.warning("job %s: %s cannot be used: %s", self.row.id, key, error)
                unusable = error
                continue
            if key != named:
                self._claim = self._claim.with_checkpoint({"key": key, "done": others[key]})
                self._checkpoint_key = key
            log.info("job %s: resumes from %s", self.row.id, key)
            return state
        if unusable is not None:
            self.discard_checkpoint(unusable)
        return None

    def discard_checkpoint(self, error: Exception) -> None:
        """Start from the beginning, since the checkpoint is of no use."""
        # As text: whoever keeps the record is not to keep what the error's traceback holds.
        why = f"{type(error).__name__}: {error}"
        log.warning("job %s: starts from the beginning: %s", self.row.id, why)
        # Nothing is saved yet, so any checkpoint from here on is progress.
        self._claim = self._claim.with_checkpoint(None)
        self._parts = {}

    def report(self, step: Step, stop: threading.Event) -> None:
        """Save progress, a preview and a checkpoint, each if it is due; tell the job to finish if asked.

        If the attempt must end after this step, raises ClaimLost, Cancelled or, when ``stop`` is set or the
        job was paused, Released after saving a checkpoint.
        """
        self.check(stop, step)
        if self._pulse.finish_requested and step.finish is not None and not self._asked_to_finish:
            step.finish()
            self._asked_to_finish = True
        now = time.monotonic()
        if step.total == 1:
            # The end, which comes now, carries it.
            self.progress = self._progress_of(step, now)
        elif self._schedule.progress_is_due(step, now):
            self._try("progress", partial(self._save_progress, step, now))
        if step.image is not None and self._schedule.preview_is_due(step, now):
            self._try("preview", partial(self._save_preview, step.image))
            self._schedule.preview_ended(now)
        if self._schedule.checkpoint_is_due(step, now):
            began = time.monotonic()
            self._try("checkpoint", partial(self._save_checkpoint, step))
            self._schedule.checkpoint_ended(began)

    def check(self, stop: threading.Event, step: Step | None = None) -> None:
        """Raise ClaimLost, Cancelled or Released if the attempt must end now, the last after a checkpoint."""
        if self._pulse.lost:
            raise ClaimLost
        if self._pulse.cancel_requested:
            raise Cancelled
        if self._pulse.paused or stop.is_set():
            if step is not None:
                self._try("last checkpoint", partial(self._save_checkpoint, step))
            raise Released

    def check_between_parts(self) -> None:
        """Raise one of LEFT if the attempt must end in the middle of a step, of which nothing is kept.

        A shutdown may wait for the end of the step, and for a checkpoint there, until it is about to kill
        this process; a pause waits in any case.
        """
        if self._pulse.lost:
            raise ClaimLost
        if self._pulse.cancel_requested:
            raise Cancelled
        if self._context.hurry.is_set():
            raise Released

    def store(self, files: Iterable[EncodedFile]) -> list[Artifact]:
        """Store the files of the outcome one by one, and retry while the storage is unavailable.

        They become the job's once it is finished with them. Raises StorageFull.
        """
        return [persist(partial(self._store, file)) for file in files]

    def store_network(self, new: NewNetwork) -> networks.NewNetwork:
        """Store the weights of a network, as :meth:`store` does; it is registered when the job is finished.

        Each attempt has a file of its own, so that one that lost its claim overwrites nothing.
        """
        network_id = networks.network_of_job(self.row.id)
        name = str(self.row.attempt)
        return persist(partial(store_weights, self._context.storage, new, network_id, name))

    def finish(self, end: End) -> None:
        """Write the end of the attempt, and retry while the database is unavailable."""
        write = partial(claims.finish, self._context.engine, self._claim, **vars(end))
        self.row = persist(write)
        self._end = end

    def _try(self, what: str, save: Callable[[], None]) -> None:
        """Save part of a report. The job goes on without; a later report makes up for it."""
        try:
            save()
        except Exception as error:
            # The step itself had the memory that it needs.
            if not (isinstance(error, SAVING_FAILED) or is_out_of_memory(error)):
                raise
            log.warning("job %s: %s not saved: %s", self.row.id, what, error)

    def _announce_end(self) -> None:
        """Notify waiting callers; hint at a job that is queued again, delete work files of one that ended."""
        log.info("job %s: %s", self.row.id, self.row.state)
        self._context.dispatcher.changed(self.row.id)
        if self.row.batch_id is not None:
            self._context.dispatcher.changed(self.row.batch_id)
        if self.row.state is State.QUEUED and not self.row.paused:
            self._context.dispatcher.hint(self.row.lane)
        if self.row.ended:
            network = self._end.network
            self._delete_files(self._end.made, None if network is None else network.key)

    def _remove_late_files(self) -> None:
        """Delete what was stored after the job ended elsewhere, and so after its files were deleted."""
        engine = self._context.engine
        try:
            ended = get_job(engine, self.row.id).ended
        except UnknownJob:
            ended = True
        if ended:
            made = list_artifacts(engine, [self.row.id])[self.row.id]
            network_id = networks.network_of_job(self.row.id)
            self._delete_files(made, networks.key_of(engine, network_id))

    def _delete_files(self, kept: Sequence[Artifact], network_key: str | None) -> None:
        """Delete the files of the job but for artifacts and the weights of the network, if they are kept."""
        storage, network_id = self._context.storage, networks.network_of_job(self.row.id)
        try:
            delete_job_files(storage, self.row.id, kept)
            weights = [] if network_key is None else [network_key]
            storage.delete_prefix(networks.network_folder(network_id), keep=weights)
        except OSError as error:
            log.warning("job %s: files that it no longer needs stay: %s", self.row.id, error)

    def _progress_of(self, step: Step, now: float) -> Json:
        return {
            "done": step.done,
            "total": step.total,
            "losses": step.losses(),
            "eta_seconds": self._schedule.eta_seconds(step, now),
        }

    def _save_progress(self, step: Step, now: float) -> None:
        self.progress = self._progress_of(step, now)
        reply = claims.report_progress(self._context.engine, self._claim, self.progress)
        self._pulse.update(reply)
        self._context.dispatcher.changed(self.row.id)

    def _save_preview(self, image: Callable[[], Tensor]) -> None:
        key = f"{work_folder(self.row.id)}/{self.row.attempt}-preview.jpg"
        stored = self._context.storage.put(key, encode_preview(image()))
        preview = Artifact(self.row.id, "preview", key, PREVIEW_MEDIA_TYPE, stored.bytes, stored.sha256)
        claims.save_preview(self._context.engine, self._claim, preview)
        self._context.dispatcher.changed(self.row.id)

    def _save_checkpoint(self, step: Step) -> None:
        """Save the state after a step, then delete the checkpoint before it."""
        prefix = f"{work_folder(self.row.id)}/{self.row.attempt}"
        key = checkpoint_key(self.row.id, self.row.attempt, step.done)
        storage = self._context.storage
        self._parts = checkpoints.save(storage, key, self.row.kind, step.state(), self._parts, prefix)
        claims.save_checkpoint(self._context.engine, self._claim, key, step.done)
        if self._checkpoint_key not in (None, key):
            storage.delete(self._checkpoint_key)
        self._checkpoint_key = key

    def _store(self, file: EncodedFile) -> Artifact:
        key = f"{attempt_folder(self.row.id, self.row.attempt)}/{file.name}{file.ending}"
        stored = self._context.storage.put(key, file.data)
        return Artifact(self.row.id, file.name, key, file.media_type, stored.bytes, stored.sha256)


@contextmanager
def claimed_jobs(context: WorkerContext, lanes: Sequence[str]) -> Iterator[list[ClaimedJob]]:
    """Claim jobs that can be computed together, as :func:`app.jobs.claims.claim_stack` does.

    In the context, one thread extends all their leases. Those that are left when the end of one cannot be
    written are given back at the next call. Raises StorageFull if nothing should begin.
    """
    _give_back(context)
    context.storage.require_space()
    seconds = context.settings.lease_seconds
    limit = context.stack_sizes.limit
    found = claims.claim_stack(context.engine, context.worker_id, seconds, lanes=lanes, limit=limit)
    if not found:
        yield []
        return
    context.dispatcher.pass_on(found[0].job.lane)
    for claim in found:
        with logged_with(**claim.job.log_fields):
            log.info("job %s (%s): attempt %d", claim.job.id, claim.job.kind, claim.attempt)
        context.dispatcher.changed(claim.job.id)
    for batch_id in {claim.job.batch_id for claim in found if claim.job.batch_id is not None}:
        context.dispatcher.changed(batch_id)
    with (
        Heartbeat(context.engine, found) as heartbeat,
        watch_jobs(context, found) as watch,
        listening(watch.alive),
    ):
        try:
            yield [ClaimedJob(context, claim, heartbeat) for claim in found]
        except SAVING_FAILED:
            context.left.extend(heartbeat.held)
            raise


def _give_back(context: WorkerContext) -> None:
    """Put the jobs back into the queue that were left, unless their leases have run out since."""
    if context.left:
        back = release_claims(context.engine, context.left, context.settings.max_attempts)
        context.left.clear()
        finish_takeback(back, context.dispatcher, context.storage)
