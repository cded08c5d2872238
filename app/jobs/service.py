"""What clients do with jobs: create, retry, cancel, pause, resume and delete them."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from app.database.ids import new_id
from app.database.removal import remove
from app.images.repository import NewImage
from app.images.service import ImageService, Upload, file_sha256
from app.jobs import repository
from app.jobs.continuing import with_continued
from app.jobs.dispatch.base import Dispatcher
from app.jobs.errors import (
    CannotFinish,
    InvalidParam,
    JobInUse,
    JobNotEnded,
    UnknownArtifact,
)
from app.jobs.job import Artifact, Job
from app.jobs.params import parse_params
from app.jobs.preparing import Preparer
from app.jobs.states import State
from app.jobs.storage_keys import delete_job_files, discard_job_files
from app.kinds import KINDS, Params
from app.networks.catalogue import Catalogue
from app.storage import Storage

log = logging.getLogger(__name__)

# 0 to 7, as in RFC 9218 but the other way round: higher goes first.
DEFAULT_PRIORITY = 4
# Jobs deleted in one call for their age, so that the reaper has time for other things.
BATCH_SIZE = 100
DAY_SECONDS = 86_400.0

Files = Mapping[str, Sequence[Upload]]


@dataclass(frozen=True)
class JobService:
    """The operations on jobs. Each tells the workers and those who wait what they need to know."""

    engine: Engine
    storage: Storage
    dispatcher: Dispatcher
    images: ImageService

    def create(
        self,
        kind: str,
        params: dict[str, Any],
        files: Files,
        *,
        idempotency_key: str | None = None,
        priority: int = DEFAULT_PRIORITY,
        reproducible: bool = False,
    ) -> Job:
        """Queue a job; ``files`` are uploaded pictures by the param that they are for.

        A ``reproducible`` one is never computed together with others. The same request with the same key
        returns the same job. Raises ParamsError, InvalidParam, PictureError, KeyReused, StorageFull; then
        nothing is stored.
        """
        pictures = [(field, new_id(), file) for field, uploaded in files.items() for file in uploaded]
        catalogue = Catalogue(self.engine)
        whole = with_continued(self.engine, catalogue, kind, params, frozenset(files))
        checked = parse_params(kind, _with_ids(kind, whole, pictures), catalogue)
        marks = checked.picture_fields()
        infos = [self.images.inspect(file, field, clips=marks[field].clips) for field, _, file in pictures]
        # Only a key is ever looked up, and a hash of large pictures takes as long as a transaction.
        payload = None if idempotency_key is None else _payload_hash(kind, params, files, reproducible)
        existing = repository.find_by_key(self.engine, idempotency_key, payload)
        if existing is not None:
            return existing
        uploaded = [(image_id, file, info) for (_, image_id, file), info in zip(pictures, infos, strict=True)]
        stored = self.images.store_files(uploaded) if uploaded else []
        is_new = False
        try:
            job, is_new = self.submit(
                checked,
                priority,
                images=stored,
                idempotency_key=idempotency_key,
                payload_hash=payload,
                reproducible=reproducible,
            )
        finally:
            if not is_new:
                for each in stored:
                    self.images.delete(each.id)
        return job

    def submit(
        self,
        params: Params,
        priority: int = DEFAULT_PRIORITY,
        *,
        images: Sequence[NewImage] = (),
        retry_of: str | None = None,
        idempotency_key: str | None = None,
        payload_hash: str | None = None,
        job_id: str | None = None,
        reproducible: bool = False,
    ) -> tuple[Job, bool]:
        """Queue a job of resolved params. Returns it, and whether it is new.

        It is not if the key has come before. ``images`` came with it, and get their rows with its own;
        ``job_id`` is that of a job whose files are stored already. Raises ParamsError for pictures and sets
        that do not exist and for the name of a network that is taken, KeyReused, StorageFull.
        """
        self.storage.require_space()
        preparer = Preparer(self.engine, self.images.settings.data_dir)
        # The network of a job that is tried again has the name, if it made one.
        checked = preparer.check_one(
            params, uploaded={each.id for each in images}, new_names=retry_of is None
        )
        new = preparer.new_job(
            checked,
            reproducible=reproducible,
            images=tuple(images),
            id=job_id,
            priority=priority,
            retry_of=retry_of,
            idempotency_key=idempotency_key,
            payload_hash=payload_hash,
        )
        job, is_new = repository.create_job(self.engine, new)
        if is_new:
            self.dispatcher.hint(job.lane)
        return job, is_new

    def retry(self, job_id: str) -> Job:
        """Queue a new job with the params of one that has ended, which it names.

        Raises UnknownJob, JobNotEnded, ParamsError for pictures that no longer exist, StorageFull.
        """
        old = repository.get_job(self.engine, job_id)
        if not old.ended:
            raise JobNotEnded(job_id)
        params = Preparer(self.engine, self.images.settings.data_dir).parse_again(old)
        return self.submit(params, old.priority, retry_of=old.id, reproducible=old.reproducible)[0]

    def cancel(self, job_id: str) -> Job:
        """Cancel a queued job at once, a running one at its next step; an ended one stays as it is."""
        job = repository.request_cancel(self.engine, job_id)
        if job.state is State.CANCELLED:
            discard_job_files(self.storage, job.id)
        self.dispatcher.changed(job.id)
        return job

    def finish(self, job_id: str) -> Job:
        """Ask a job that has begun to end early with the best that it has; a paused one goes on to do so.

        Raises UnknownJob, CannotFinish.
        """
        kind = repository.get_job(self.engine, job_id).kind
        if kind not in KINDS or not KINDS[kind].can_finish:
            raise CannotFinish(job_id, f"{kind} has nothing to keep before its end. Cancel it, or wait")
        job = repository.request_finish(self.engine, job_id)
        if job.ended:
            raise CannotFinish(job_id, f"it has ended as {job.state}")
        if job.finish_requested_at is None:
            raise CannotFinish(job_id, "it has not begun. Cancel it, or wait")
        self.dispatcher.changed(job.id)
        if job.state is State.QUEUED:
            self.dispatcher.hint(job.lane)
        return job

    def pause(self, job_id: str) -> Job:
        """Keep workers from claiming a job; a running one goes back to the queue at its next step."""
        job = repository.set_paused(self.engine, job_id, True)
        self.dispatcher.changed(job.id)
        return job

    def resume(self, job_id: str) -> Job:
        """Undo a pause."""
        job = repository.set_paused(self.engine, job_id, False)
        self.dispatcher.changed(job.id)
        if job.state is State.QUEUED:
            self.dispatcher.hint(job.lane)
        return job

    def delete(self, job_id: str) -> None:
        """Delete an ended job with its files. Raises UnknownJob, JobNotEnded, JobInUse."""
        if not repository.get_job(self.engine, job_id).ended:
            raise JobNotEnded(job_id)
        users = [
            user
            for artifact in repository.list_artifacts(self.engine, [job_id])[job_id]
            for user in repository.jobs_in_need_of(self.engine, f"{job_id}/{artifact.name}")
        ]
        if users:
            raise JobInUse(users)
        remove(
            lambda: repository.delete_job(self.engine, job_id),
            lambda: delete_job_files(self.storage, job_id),
        )

    def delete_old(self, days: float) -> int:
        """Delete jobs that ended more than ``days`` ago and that no other needs; returns how many."""
        deleted = 0
        for job_id in repository.ended_before(self.engine, days * DAY_SECONDS, BATCH_SIZE):
            try:
                self.delete(job_id)
                deleted += 1
            except JobInUse as error:
                log.info("old job %s is kept: %s", job_id, error.detail)
        return deleted

    def get_artifact(self, job_id: str, name: str) -> Artifact:
        """An artifact of a job. Raises UnknownJob, UnknownArtifact."""
        job, artifacts = repository.get_job_with_artifacts(self.engine, job_id)
        for artifact in artifacts:
            if artifact.name == name:
                return artifact
        raise UnknownArtifact(job_id, job.state, name, [artifact.name for artifact in artifacts])


def _with_ids(
    kind: str, params: dict[str, Any], pictures: Sequence[tuple[str, str, Upload]]
) -> dict[str, Any]:
    """The params, with the ids of uploaded pictures in the fields that these are for. Raises InvalidParam."""
    accepted = KINDS[kind].params.picture_fields() if kind in KINDS else {}
    ids: dict[str, list[str]] = {}
    for field, image_id, _ in pictures:
        if field not in accepted:
            known = ", ".join(accepted) or "none"
            raise InvalidParam(field, f"{kind} takes no picture {field!r}. Pictures it takes: {known}.")
        if field in params:
            raise InvalidParam(field, f"{field!r} came both as a file and in params: send one of the two.")
        ids.setdefault(field, []).append(image_id)
    return params | {field: given[0] if len(given) == 1 else given for field, given in ids.items()}


def _payload_hash(kind: str, params: dict[str, Any], files: Files, reproducible: bool) -> str:
    """Hash of a request, to tell one that is repeated from another one."""
    asked = [kind, params, *(["reproducible"] if reproducible else [])]
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    payload = hashlib.sha256(text.encode()).hexdigest()
    if not files:
        return payload
    hashes = {field: [file_sha256(upload.file) for upload in uploaded] for field, uploaded in files.items()}
    return hashlib.sha256(f"{payload} {json.dumps(hashes, sort_keys=True)}".encode()).hexdigest()
