"""Forms with a ZIP of pictures: received, stored, and made jobs that fill sets."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.database.ids import new_id
from app.database.removal import delete_files, unless_written
from app.datasets import repository
from app.datasets.dataset import Dataset, is_name
from app.datasets.errors import DatasetNameInvalid, InvalidDataset
from app.datasets.layout import MAX_TABLE_BYTES, read_labels
from app.datasets.schemas import UploadParams, ZipParams
from app.datasets.uploads import labels_key, open_upload, zip_key
from app.http.bodies import parse_model
from app.http.services import Services
from app.http.uploads import Part
from app.jobs import filling
from app.jobs.job import Job
from app.jobs.request_headers import JobHeaders
from app.jobs.storage_keys import job_folder, work_folder


@dataclass
class _Received:
    """What came of a form: its params, and the SHA-256 of the files that are stored."""

    params: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def _receive(services: Services, job_id: str, size: int, parts: Iterator[Part]) -> _Received:
    """Store the files of a form of ``size`` bytes where the job to be looks for them, and check them."""
    services.storage.require_space(size)
    received, folder, names = _Received(), work_folder(job_id), set[str]()
    for part in parts:
        if part.name in names:
            raise InvalidDataset(part.name, "This came twice: send one.")
        names.add(part.name)
        match part.name:
            case "params":
                received.params = part.read_json()
            case "file":
                received.files["file"] = services.storage.put(zip_key(folder), part.chunks).sha256
            case "labels":
                data = part.read(MAX_TABLE_BYTES)
                read_labels(data)
                received.files["labels"] = services.storage.put(labels_key(folder), data).sha256
            case name:
                raise InvalidDataset(name, "There is no such field: a form has file, labels and params.")
    if "file" not in received.files:
        raise InvalidDataset("file", "This is missing: send a ZIP as the field `file`.")
    with open_upload(services.storage, folder, services.datasets.limits):
        return received


@contextlib.contextmanager
def _upload(services: Services) -> Iterator[str]:
    """The id of a job to be, whose files are deleted if it does not come to it."""
    job_id = new_id()
    with unless_written(lambda: services.storage.delete_prefix(job_folder(job_id))):
        yield job_id


def _discard(services: Services, job_id: str) -> None:
    """Delete the files of a job that another request has queued: its own."""
    delete_files(lambda: services.storage.delete_prefix(job_folder(job_id)))


def add_zip(
    services: Services, headers: JobHeaders, dataset: Dataset, size: int, parts: Iterator[Part]
) -> Job:
    """The job that adds the pictures of a form's ZIP."""
    with _upload(services) as job_id:
        received = _receive(services, job_id, size, parts)
        params = parse_model(UploadParams, received.params, "params")
        hashed = (dataset.id, params.model_dump(mode="json"))
        return _submit(services, headers, dataset, job_id, received, hashed, label=params.label, close=False)


def create_from_zip(
    services: Services, headers: JobHeaders, size: int, parts: Iterator[Part]
) -> tuple[Dataset, str]:
    """A new set, and the id of the job that fills it with the pictures of a form's ZIP."""
    with _upload(services) as job_id:
        received = _receive(services, job_id, size, parts)
        params = parse_model(ZipParams, received.params, "params")
        if not is_name(params.name):
            raise DatasetNameInvalid(params.name)
        hashed = ("", params.model_dump(mode="json"))
        asked = filling.import_request(headers.idempotency_key, hashed, sorted(received.files.values()))
        earlier = filling.earlier_job(services.engine, asked)
        if earlier is not None:
            _discard(services, job_id)
            return _set_of(services, earlier), earlier.id
        dataset, is_new = filling.set_to_fill(services.datasets, params.name, asked)
        job = _submit(
            services,
            headers,
            dataset,
            job_id,
            received,
            hashed,
            label=params.label,
            close=params.close,
            is_new=is_new,
        )
        return dataset if job.id == job_id else _set_of(services, job), job.id


def _set_of(services: Services, job: Job) -> Dataset:
    """The set that a job of the same request fills."""
    there = repository.find_dataset(services.engine, str(job.params["dataset"]))
    if there is None:
        raise InvalidDataset("Idempotency-Key", "The set of this key was deleted: use another key.")
    return there


def _submit(
    services: Services,
    headers: JobHeaders,
    dataset: Dataset,
    job_id: str,
    received: _Received,
    hashed: tuple[Any, ...],
    *,
    label: str | None,
    close: bool,
    is_new: bool = False,
) -> Job:
    """The job that adds the pictures of an upload, or the one of an earlier request with the same key.

    The row of a set that ``is_new`` is written with it.
    """
    asked = filling.import_request(headers.idempotency_key, hashed, sorted(received.files.values()))
    earlier = filling.earlier_job(services.engine, asked)
    if earlier is not None:
        _discard(services, job_id)
        return earlier
    job = filling.submit_import(
        services.jobs,
        dataset,
        job_id,
        label=label,
        close=close,
        is_new=is_new,
        priority=headers.priority,
        request=asked,
    )
    if job.id != job_id:  # the same request came at this moment
        _discard(services, job_id)
    return job
