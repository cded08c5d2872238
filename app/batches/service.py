"""What clients do with batches: create, cancel, pause, resume, retry and delete them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from app.batches import changes, deletion, repository
from app.batches.batch import Batch
from app.batches.checking import Findings, check_entries
from app.batches.errors import BatchTooLarge, EntryRetried, JobOfBatch
from app.batches.lines import ParsedLine, read_entries, split_lines
from app.batches.matrix import Expanded, expand
from app.batches.retrying import retry_entry
from app.batches.schemas import BatchEstimate, LineProblem, Matrix
from app.batches.settling import settle
from app.batches.spool import spool_key
from app.database.ids import new_id
from app.database.keys import Keyed, Note, change_once, keyed, no_note
from app.database.removal import delete_files, unless_written
from app.jobs.admission import shape_of
from app.jobs.dispatch.base import Dispatcher
from app.jobs.estimates import Estimator
from app.jobs.job import Job
from app.jobs.needs import Keep, made_again_if_gone, nothing_kept
from app.jobs.preparing import Checked, Preparer
from app.jobs.repository import find_made_job, get_job
from app.jobs.service import JobService
from app.log_context import current_request_id
from app.settings import Settings
from app.storage import Storage

MAX_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a request for a batch says beside its lines. An empty ``name`` becomes that of its kinds."""

    name: str
    priority: int
    skip_wrong: bool = False
    paused: bool = False
    reproducible: bool = False


@dataclass(frozen=True, kw_only=True)
class BatchService:
    """The operations on batches. Each tells the keepers and those who wait what they need to know."""

    settings: Settings
    engine: Engine
    storage: Storage
    dispatcher: Dispatcher
    jobs: JobService
    # Wakes the keeper of this process.
    wake: Callable[[], None]

    def create_from_lines(
        self, chunks: Iterable[bytes], options: Options, idempotency_key: str | None = None
    ) -> Batch:
        """Store lines of JSON as a batch, once all of them were checked.

        The same request with the same key gives the same batch. Raises BatchInvalid, BatchEmpty,
        BatchTooLarge, KeyReused, StorageFull; then nothing is stored.
        """
        body = _Hashed("jsonl", options, self._limited(chunks))
        earlier = self._earlier(body, idempotency_key)
        return earlier or self._create(self._entries(body), options, body, idempotency_key, None)

    def create_from_matrix(
        self, raw: bytes, matrix: Matrix, options: Options, idempotency_key: str | None = None
    ) -> Batch:
        """Store the jobs of a matrix, which was sent as ``raw``, as a batch, like :meth:`create_from_lines`.

        Raises InvalidMatrix too.
        """
        body = _Hashed("matrix", options, [raw])
        earlier = self._earlier(body, idempotency_key)
        if earlier is not None:
            return earlier
        body.exhaust()
        expanded = self.expand(matrix)
        return self._create(expanded.lines, options, body, idempotency_key, expanded)

    def try_lines(self, chunks: Iterable[bytes], options: Options) -> BatchEstimate:
        """What a batch of lines would be. Raises as :meth:`create_from_lines`."""
        return self._try(self._entries(self._limited(chunks)), options)

    def try_matrix(self, matrix: Matrix, options: Options) -> BatchEstimate:
        """What a batch of a matrix would be. Raises as :meth:`create_from_matrix`."""
        return self._try(self.expand(matrix).lines, options)

    def expand(self, matrix: Matrix) -> Expanded:
        """The jobs of a matrix. Raises InvalidMatrix, BatchTooLarge."""
        return expand(self.engine, matrix, self.settings.max_batch_lines)

    def get(self, batch_id: str) -> Batch:
        """A batch, which has ended if all its entries have. Raises UnknownBatch."""
        batch = repository.get_batch(self.engine, batch_id)
        if not batch.ended and settle(self.engine, batch.id) is not None:
            self.dispatcher.changed(batch.id)
            return repository.get_batch(self.engine, batch_id)
        return batch

    def cancel(self, batch_id: str, note: Note = no_note) -> Batch:
        """Cancel what has not ended of a batch; an ended one stays as it is. Raises UnknownBatch."""
        return self._changed(changes.request_cancel(self.engine, batch_id, note))

    def pause(self, batch_id: str, note: Note = no_note) -> Batch:
        """Pause a batch: no job of it is begun, and those that run go back to the queue.

        Raises UnknownBatch, BatchEnded.
        """
        return self._changed(changes.request_pause(self.engine, batch_id, True, note))

    def resume(self, batch_id: str, note: Note = no_note) -> Batch:
        """Undo a pause. Raises UnknownBatch, BatchEnded."""
        return self._changed(changes.request_pause(self.engine, batch_id, False, note))

    def retry(self, batch_id: str, note: Note = no_note) -> Batch:
        """Try again what failed or was cancelled of a batch. Raises UnknownBatch, BatchNotEnded."""
        return self._changed(changes.request_retry(self.engine, batch_id, note))

    def once(
        self, change: Callable[[str, Note], Batch], name: str, batch_id: str, idempotency_key: str | None
    ) -> Batch:
        """The batch after a change of some name, which is not made if the same request made it before.

        Raises KeyReused, and what the change raises.
        """
        request = keyed(idempotency_key, name, batch_id)
        change_once(self.engine, request, {"batch_id": batch_id}, lambda note: change(batch_id, note))
        return self.get(batch_id)

    def delete(self, batch_id: str, keep: Keep = nothing_kept) -> None:
        """Delete a batch with all that it made.

        Raises UnknownBatch, BatchNotEnded, JobInUse, and what ``keep`` raises.
        """
        self.get(batch_id)
        deletion.request_delete(self.engine, self.storage, batch_id, keep)
        self.dispatcher.changed(batch_id)
        self.wake()

    def retry_job(self, job_id: str, idempotency_key: str | None = None) -> Job:
        """A new job with the params of one that has ended; that of an entry takes its place in its batch.

        The same request with the same key gives the same job. Raises UnknownJob, JobNotEnded, ParamsError,
        EntryRetried, UnknownBatch, KeyReused, StorageFull.
        """
        job = get_job(self.engine, job_id)
        request = keyed(idempotency_key, "retry", job_id)
        if earlier := find_made_job(self.engine, request):
            return earlier
        batch_id = job.batch_id
        if batch_id is None:
            return self.jobs.retry(job, request)
        self.storage.require_space()
        try:
            new = made_again_if_gone(
                lambda: retry_entry(self.engine, self._preparer(), batch_id, job, request)
            )
        except (EntryRetried, IntegrityError):
            # The same request may have come at this moment.
            if earlier := find_made_job(self.engine, request):
                return earlier
            raise
        self.dispatcher.hint(new.lane)
        self.dispatcher.changed(batch_id)
        return new

    def delete_job(self, job_id: str) -> None:
        """Delete an ended job of no batch. Raises UnknownJob, JobNotEnded, JobInUse, JobOfBatch."""
        batch_id = get_job(self.engine, job_id).batch_id
        if batch_id is not None:
            raise JobOfBatch(job_id, batch_id)
        self.jobs.delete(job_id)

    def _changed(self, batch: Batch) -> Batch:
        self.dispatcher.changed(batch.id)
        self.wake()
        return batch

    def _create(
        self,
        entries: Iterable[ParsedLine],
        options: Options,
        body: "_Hashed",
        idempotency_key: str | None,
        expanded: Expanded | None,
    ) -> Batch:
        self.storage.require_space()
        batch_id, findings, preparer = new_id(), Findings(), self._preparer()
        key = spool_key(batch_id)
        checked = check_entries(preparer, entries, findings, skip=options.skip_wrong)
        # The lines of a matrix repeat what they have in common.
        self.storage.put(key, self._limited(checked))
        with unless_written(lambda: self.storage.delete(key)):
            batch, is_new = repository.add_batch(
                self.engine,
                {
                    "id": batch_id,
                    "name": options.name or ", ".join(sorted(findings.by_kind))[:MAX_NAME],
                    "source": body.source,
                    "matrix": None if expanded is None else expanded.described,
                    "priority": options.priority,
                    "reproducible": options.reproducible,
                    "paused": options.paused,
                    "lines": findings.lines,
                    "spool": key,
                    "request_id": current_request_id(),
                },
                body.keyed(idempotency_key),
                preparer.pictures,
            )
        if not is_new:
            delete_files(lambda: self.storage.delete(key))
        self.wake()
        return batch

    def _try(self, entries: Iterable[ParsedLine], options: Options) -> BatchEstimate:
        findings, estimator = Findings(), Estimator(self.engine)

        def note(checked: Checked) -> None:
            estimator.add(checked.params, shape_of(checked.params, checked.sides))

        for _ in check_entries(self._preparer(), entries, findings, skip=options.skip_wrong, note=note):
            pass
        return BatchEstimate(
            lines=findings.lines,
            wrong=findings.wrong,
            problems=[
                LineProblem(line=w.line, custom_id=w.custom_id, **asdict(w.problem))
                for w in findings.problems
            ],
            by_kind=dict(findings.by_kind),
            estimate=estimator.estimate(),
            workers=estimator.workers(),
        )

    def _preparer(self) -> Preparer:
        return Preparer(self.engine, self.settings)

    def _earlier(self, body: "_Hashed", idempotency_key: str | None) -> Batch | None:
        """The batch that the same request made before; then all of the body is read. Raises KeyReused."""
        if idempotency_key is None or not repository.has_key(self.engine, idempotency_key):
            return None
        body.exhaust()
        return repository.find_made_batch(self.engine, body.keyed(idempotency_key))

    def _limited(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes as they come. Raises BatchTooLarge."""
        most, size = self.settings.max_batch_bytes, 0
        for chunk in chunks:
            size += len(chunk)
            if size > most:
                raise BatchTooLarge.for_bytes(most)
            yield chunk

    def _entries(self, chunks: Iterable[bytes]) -> Iterator[ParsedLine]:
        """The entries in some bytes. Raises BatchTooLarge."""
        most = self.settings.max_batch_lines
        for entry in read_entries(split_lines(chunks)):
            if entry.number > most:
                raise BatchTooLarge.for_lines(most)
            yield entry


class _Hashed:
    """The bytes of a request's body, and the hash of those that were read and of its options."""

    def __init__(self, source: Literal["jsonl", "matrix"], options: Options, chunks: Iterable[bytes]) -> None:
        self.source = source
        self._chunks = iter(chunks)
        self._digest = hashlib.sha256(json.dumps([source, asdict(options)]).encode())

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._digest.update(chunk)
            yield chunk

    def exhaust(self) -> None:
        """Read what is left."""
        for _ in self:
            pass

    def keyed(self, key: str | None) -> Keyed | None:
        """The key of the request, whose body was read."""
        return None if key is None else Keyed(key, self._digest.hexdigest())
