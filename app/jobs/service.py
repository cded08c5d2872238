"""What clients do with jobs: create, retry, cancel, pause, resume and delete them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sqlalchemy import Engine

from app.database.engine import read
from app.database.ids import new_id
from app.database.keys import Keyed, Note, change_once, columns_of, keyed, no_note
from app.database.removal import delete_files, remove, unless_written
from app.datasets.dataset import Dataset
from app.images.repository import NewImage, find_images, image_key
from app.images.service import ImageService, Upload, file_sha256
from app.jobs import needs, repository
from app.jobs.continuing import with_continued
from app.jobs.dispatch.base import Dispatcher
from app.jobs.errors import (
    CannotFinish,
    InvalidParam,
    JobEnded,
    JobNotEnded,
    ParamsError,
    UnknownArtifact,
)
from app.jobs.job import Artifact, Job
from app.jobs.params import parse_params
from app.jobs.preparing import Preparer, uploaded_picture
from app.jobs.states import State
from app.jobs.storage_keys import delete_job_files, discard_job_files
from app.kinds import KINDS, Params
from app.log_context import current_request_id
from app.networks.catalogue import Catalogue
from app.storage import Storage

Priority = Literal["urgent", "normal", "background"]
# Jobs may have 0 to 7: higher goes first.
PRIORITIES: dict[Priority, int] = {"urgent": 6, "normal": 4, "background": 2}
DEFAULT_PRIORITY = PRIORITIES["normal"]

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

        A file with the name and the bytes of one that is stored becomes that one. A ``reproducible`` job is
        never computed together with others. The same request with the same key returns the same job, also if
        it could not be made any more. Raises ParamsError, InvalidParam, PictureError, KeyReused, StorageFull;
        then nothing is stored.
        """
        sent = [(field, file) for field, uploaded in files.items() for file in uploaded]
        # Once: a hash of large pictures takes as long as a transaction.
        hashes = [file_sha256(file.file) for _, file in sent]
        asked = _asked(kind, params, [field for field, _ in sent], hashes, reproducible)
        request = keyed(idempotency_key, *asked)
        if existing := repository.find_made_job(self.engine, request):
            return existing
        shared = self.images.find_alike([file for _, file in sent], hashes)
        options = (request, priority, reproducible)
        try:
            return self._create(kind, params, files, _with_new_ids(sent, shared), *options)
        except ParamsError:
            known = {image_id for image_id in shared if image_id is not None}
            if known <= find_images(self.engine, known).keys():
                raise
            # One was deleted meanwhile.
            return self._create(kind, params, files, _with_new_ids(sent, [None] * len(sent)), *options)

    def _create(
        self,
        kind: str,
        params: dict[str, Any],
        files: Files,
        pictures: Sequence["_Sent"],
        request: Keyed | None,
        priority: int,
        reproducible: bool,
    ) -> Job:
        catalogue = Catalogue(self.engine)
        whole = with_continued(self.engine, catalogue, kind, params, frozenset(files))
        checked = parse_params(kind, _with_ids(kind, whole, pictures), catalogue)
        marks = checked.picture_fields()
        infos = [
            self.images.inspect(each.file, each.field, clips=marks[each.field].clips) for each in pictures
        ]
        uploaded = [
            (each.image_id, each.file, info)
            for each, info in zip(pictures, infos, strict=True)
            if each.is_stored_now
        ]
        stored = self.images.store_files(uploaded) if uploaded else []

        def discard() -> None:
            delete_files(*(partial(self.storage.delete, image_key(each.id)) for each in stored))

        with unless_written(discard):
            job, is_new = self.submit(
                checked,
                priority,
                images=stored,
                request=request,
                reproducible=reproducible,
            )
        if not is_new:
            discard()
        return job

    def submit(
        self,
        params: Params,
        priority: int = DEFAULT_PRIORITY,
        *,
        images: Sequence[NewImage] = (),
        retry_of: str | None = None,
        request: Keyed | None = None,
        job_id: str | None = None,
        reproducible: bool = False,
        new_set: Dataset | None = None,
    ) -> tuple[Job, bool]:
        """Queue a job of resolved params. Returns it, and whether it is new.

        It is not if the same ``request`` has come before. ``images`` came with it, and ``new_set`` is filled
        by it: they get their rows with its own; ``job_id`` is that of a job whose files are stored already.
        Raises ParamsError for pictures and sets that do not exist and for the name of a network that is
        taken, DatasetNameTaken for that of ``new_set``, KeyReused, StorageFull.
        """
        self.storage.require_space()
        uploaded = {each.id: uploaded_picture(each.info) for each in images}

        def create() -> tuple[Job, bool]:
            preparer = Preparer(self.engine, self.images.settings, new_set)
            # The network of a job that is tried again has the name, if it made one.
            checked = preparer.check_one(params, uploaded=uploaded, again=retry_of is not None)
            new = preparer.new_job(
                checked,
                reproducible=reproducible,
                images=tuple(images),
                new_set=new_set,
                id=job_id,
                priority=priority,
                retry_of=retry_of,
                **columns_of(request),
                request_id=current_request_id(),
            )
            return repository.create_job(self.engine, new)

        job, is_new = needs.made_again_if_gone(create)
        if is_new:
            self.dispatcher.hint(job.lane)
        return job, is_new

    def retry(self, old: Job, request: Keyed | None = None) -> Job:
        """Queue a new job with the params of one that has ended, which it names.

        Raises JobNotEnded, ParamsError for pictures that no longer exist, StorageFull, KeyReused.
        """
        if not old.ended:
            raise JobNotEnded(old.id)
        params = Preparer(self.engine, self.images.settings).parse_again(old)
        job, _ = self.submit(
            params, old.priority, retry_of=old.id, reproducible=old.reproducible, request=request
        )
        return job

    def cancel(self, job_id: str, note: Note = no_note) -> Job:
        """Cancel a queued job at once, a running one at its next step; an ended one stays as it is."""
        job = repository.request_cancel(self.engine, job_id, note)
        if job.state is State.CANCELLED:
            delete_files(partial(discard_job_files, self.storage, job.id))
        self.dispatcher.changed(job.id)
        return job

    def finish(self, job_id: str, note: Note = no_note) -> Job:
        """Ask a job that has begun to end early with the best that it has; a paused one goes on to do so.

        Raises UnknownJob, CannotFinish.
        """
        kind = repository.get_job(self.engine, job_id).kind
        if kind not in KINDS or not KINDS[kind].can_finish:
            raise CannotFinish(job_id, f"{kind} has nothing to keep before its end. Cancel it, or wait")
        job = repository.request_finish(self.engine, job_id, note)
        if job.ended:
            raise CannotFinish(job_id, f"it has ended as {job.state}")
        if job.finish_requested_at is None:
            raise CannotFinish(job_id, "it has not begun. Cancel it, or wait")
        self.dispatcher.changed(job.id)
        if job.state is State.QUEUED:
            self.dispatcher.hint(job.lane)
        return job

    def pause(self, job_id: str, note: Note = no_note) -> Job:
        """Keep workers from claiming a job; a running one goes back to the queue at its next step.

        Raises UnknownJob, JobEnded.
        """
        return self._set_paused(job_id, True, note)

    def resume(self, job_id: str, note: Note = no_note) -> Job:
        """Undo a pause. Raises UnknownJob, JobEnded."""
        job = self._set_paused(job_id, False, note)
        if job.state is State.QUEUED:
            self.dispatcher.hint(job.lane)
        return job

    def _set_paused(self, job_id: str, paused: bool, note: Note) -> Job:
        job = repository.set_paused(self.engine, job_id, paused, note)
        if job.ended:
            raise JobEnded(job_id, job.state)
        self.dispatcher.changed(job.id)
        return job

    def once(
        self, change: Callable[[str, Note], Job], name: str, job_id: str, idempotency_key: str | None
    ) -> Job:
        """The job after a change of some name, which is not made if the same request made it before.

        Raises KeyReused, and what the change raises.
        """
        request = keyed(idempotency_key, name, job_id)
        change_once(self.engine, request, {"job_id": job_id}, lambda note: change(job_id, note))
        return repository.get_job(self.engine, job_id)

    def delete(self, job_id: str, keep: needs.Keep = needs.nothing_kept) -> None:
        """Delete an ended job with its files.

        Raises UnknownJob, JobNotEnded, JobInUse, and what ``keep`` raises.
        """
        # On a full disk the files go before the row does, perhaps before it can even be locked.
        with read(self.engine) as connection:
            needs.require_deletable(connection, job_id, keep)
        remove(
            lambda: needs.delete_job(self.engine, job_id, keep),
            lambda: delete_job_files(self.storage, job_id),
        )

    def get_artifact(self, job_id: str, name: str) -> Artifact:
        """An artifact of a job. Raises UnknownJob, UnknownArtifact."""
        job, artifacts = repository.get_job_with_artifacts(self.engine, job_id)
        for artifact in artifacts:
            if artifact.name == name:
                return artifact
        raise UnknownArtifact(job_id, job.state, name, [artifact.name for artifact in artifacts])


@dataclass(frozen=True)
class _Sent:
    """A file that came for a field, and the id of its picture; ``is_stored_now`` if that is a new one."""

    field: str
    file: Upload
    image_id: str
    is_stored_now: bool


def _with_new_ids(sent: Sequence[tuple[str, Upload]], known: Sequence[str | None]) -> list[_Sent]:
    return [
        _Sent(field, file, image_id or new_id(), image_id is None)
        for (field, file), image_id in zip(sent, known, strict=True)
    ]


def _with_ids(kind: str, params: dict[str, Any], pictures: Sequence[_Sent]) -> dict[str, Any]:
    """The params, with the ids of uploaded pictures in the fields that these are for. Raises InvalidParam."""
    accepted = KINDS[kind].params.picture_fields() if kind in KINDS else {}
    ids: dict[str, list[str]] = {}
    for each in pictures:
        field = each.field
        if field not in accepted:
            known = ", ".join(accepted) or "none"
            raise InvalidParam(field, f"{kind} takes no picture {field!r}. Pictures it takes: {known}.")
        if field in params:
            raise InvalidParam(field, f"{field!r} came both as a file and in params: send one of the two.")
        ids.setdefault(field, []).append(each.image_id)
    for field, given in ids.items():
        if len(given) > 1 and not accepted[field].many:
            raise InvalidParam(field, f"{field!r} takes one picture, and {len(given)} came: send one.")
    return params | {field: given[0] if len(given) == 1 else given for field, given in ids.items()}


def _asked(
    kind: str, params: dict[str, Any], fields: Sequence[str], hashes: Sequence[str], reproducible: bool
) -> list[Any]:
    """What a request for a job asks for, to tell one that is repeated from another one.

    ``hashes`` are those of its files, and ``fields`` the params that these are for.
    """
    asked: list[Any] = [kind, params, *(["reproducible"] if reproducible else [])]
    if fields:
        by_field: dict[str, list[str]] = {}
        for field, sha256 in zip(fields, hashes, strict=True):
            by_field.setdefault(field, []).append(sha256)
        asked.append(by_field)
    return asked
