"""Jobs that fill sets, and what of a set only jobs know."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from app.datasets.builtin import options_of, parse_options, problem_of, require_count
from app.datasets.dataset import Dataset, is_name
from app.datasets.errors import DatasetClosed, DatasetInUse, DatasetNameTaken, InvalidDataset
from app.datasets.repository import find_dataset, get_dataset
from app.datasets.service import DatasetService
from app.jobs import repository
from app.jobs.job import Job
from app.jobs.service import DEFAULT_PRIORITY, JobService
from app.kinds.import_members import ImportMembersParams
from app.kinds.make_dataset import MakeDatasetParams


def open_for_members(engine: Engine, reference: str) -> Dataset:
    """The set of an id or name, which takes members. Raises UnknownDataset, DatasetClosed, InvalidDataset."""
    dataset = get_dataset(engine, reference)
    if dataset.state == "closed":
        raise DatasetClosed(dataset.name)
    if dataset.source != "upload":
        raise InvalidDataset(
            "dataset", f"Set {dataset.name!r} is built in, and filled by a job: make a set of your own."
        )
    return dataset


def earlier_import(
    engine: Engine, key: str | None, params: Sequence[Any], files: Sequence[str]
) -> tuple[Job | None, str]:
    """The job of a request with this idempotency key, if it came before; and the hash of the request.

    ``files`` are SHA-256. Raises KeyReused if it was another one.
    """
    text = json.dumps(["import_members", *params, *files], sort_keys=True, separators=(",", ":"))
    payload = hashlib.sha256(text.encode()).hexdigest()
    return repository.find_by_key(engine, key, payload), payload


def begin_import(datasets: DatasetService, name: str) -> Dataset:
    """An open set to be filled: a new one, or what an import that failed left of that name.

    Raises DatasetNameInvalid, DatasetNameTaken, StorageFull.
    """
    left = find_dataset(datasets.engine, name) if is_name(name) else None
    if left is None or left.state == "closed" or left.members or left.source != "upload":
        return datasets.begin(name)
    failed = repository.had_jobs(datasets.engine, left.id) and not fillers(datasets.engine, left)
    return left if failed else datasets.begin(name)


def submit_import(
    jobs: JobService,
    dataset: Dataset,
    job_id: str,
    *,
    label: str | None,
    close: bool,
    priority: int = DEFAULT_PRIORITY,
    idempotency_key: str | None = None,
    payload_hash: str | None = None,
) -> Job:
    """Queue the import of the ZIP that lies in the folder of the job ``job_id`` to be."""
    params = ImportMembersParams(dataset=dataset.id, upload=job_id, label=label, close=close)
    job, _ = jobs.submit(
        params, priority, job_id=job_id, idempotency_key=idempotency_key, payload_hash=payload_hash
    )
    return job


def make_built_in(
    jobs: JobService,
    datasets: DatasetService,
    source: Any,
    name: str | None,
    options: dict[str, Any],
    priority: int = DEFAULT_PRIORITY,
) -> tuple[Dataset, Job | None]:
    """A built-in set, and the job that makes it; None if it is there, or another job makes it.

    Raises InvalidDataset, DatasetNameInvalid, DatasetNameTaken, pydantic's ValidationError.
    """
    parsed = parse_options(source, options)
    require_count(parsed, datasets.settings.max_dataset_members)
    kept = parsed.model_dump(exclude_defaults=True)
    if name is None and kept:
        raise InvalidDataset("name", f"A set of {source} that is not the usual one needs a name of its own.")
    dataset = find_dataset(datasets.engine, name or source)
    if dataset is not None and (dataset.source != source or options_of(dataset) != parsed):
        raise DatasetNameTaken(dataset.name)
    if dataset is not None and (dataset.state == "closed" or fillers(datasets.engine, dataset)):
        return dataset, None
    problem = problem_of(source, datasets.settings.data_dir)
    if problem is not None:
        raise InvalidDataset("source", problem)
    if dataset is None:
        dataset = datasets.begin(name or source, source, kept)
    return dataset, jobs.submit(MakeDatasetParams(dataset=dataset.id), priority)[0]


def fillers(engine: Engine, dataset: Dataset) -> list[str]:
    """Ids of jobs that have not ended and that need or fill a set."""
    return repository.jobs_with_datasets(engine, [dataset.id])[dataset.id]


def close(datasets: DatasetService, dataset: Dataset) -> Dataset:
    """Close a set. Raises DatasetInUse while jobs fill it, DatasetEmpty, InvalidDataset."""
    if dataset.state == "open":
        open_for_members(datasets.engine, dataset.id)
        filling = fillers(datasets.engine, dataset)
        if filling:
            raise DatasetInUse(dataset.name, filling)
    return datasets.close(dataset.id)


def delete(datasets: DatasetService, dataset: Dataset) -> None:
    """Delete a set. Raises DatasetInUse."""
    needed = fillers(datasets.engine, dataset)
    if needed:
        raise DatasetInUse(dataset.name, needed)
    datasets.delete(dataset, repository.pictures_needed(datasets.engine))
