"""Jobs that fill sets, and what of a set only jobs know."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from app.database.keys import Keyed, Note, find_made, keyed, keyed_changes, no_note
from app.datasets.builtin import options_of, parse_options, problem_of, require_count
from app.datasets.dataset import Dataset, is_name
from app.datasets.deletion import Needs
from app.datasets.errors import DatasetClosed, DatasetInUse, DatasetNameTaken, InvalidDataset
from app.datasets.repository import find_dataset, find_made_dataset, get_dataset
from app.datasets.service import DatasetService
from app.datasets.tables import datasets
from app.jobs import needs, repository
from app.jobs.job import Job
from app.jobs.service import DEFAULT_PRIORITY, JobService
from app.kinds.import_members import ImportMembersParams
from app.kinds.make_dataset import MakeDatasetParams


def open_for_members(engine: Engine, reference: str) -> Dataset:
    """The set of an id or name, which takes members. Raises UnknownDataset, DatasetClosed, InvalidDataset."""
    dataset = get_dataset(engine, reference)
    if dataset.state == "closed":
        raise DatasetClosed(dataset.name)
    _require_own(dataset)
    return dataset


def _require_own(dataset: Dataset) -> None:
    if dataset.source != "upload":
        raise InvalidDataset(
            "dataset", f"Set {dataset.name!r} is built in, and filled by a job: make a set of your own."
        )


def import_request(key: str | None, params: Sequence[Any], files: Sequence[str]) -> Keyed | None:
    """The key of a request to import files, of which the SHA-256 are given."""
    return keyed(key, "import_members", *params, *files)


def earlier_job(engine: Engine, request: Keyed | None) -> Job | None:
    """The job that the same request for a set made before.

    Raises KeyReused, also if a request made or changed a set with the key, and no job.
    """
    for table in (datasets, keyed_changes):
        find_made(engine, table, request)
    return repository.find_made_job(engine, request)


def set_to_fill(sets: DatasetService, name: str, request: Keyed | None = None) -> tuple[Dataset, bool]:
    """An open set for an import, and whether it is new: its row is to be written with that of its job then.

    Else it is what an import that failed left, or that of the same request. Raises DatasetNameInvalid,
    DatasetNameTaken, KeyReused, StorageFull.
    """
    left = find_dataset(sets.engine, name) if is_name(name) else None
    if left is not None and left.state == "open" and not left.members and left.source == "upload":
        failed = repository.had_jobs(sets.engine, left.id) and not fillers(sets.engine, left)
        if failed:
            return left, False
    if earlier := find_made_dataset(sets.engine, request):
        return earlier, False
    return sets.prepare(name, request=request), True


def submit_import(
    jobs: JobService,
    dataset: Dataset,
    job_id: str,
    *,
    label: str | None,
    close: bool,
    is_new: bool = False,
    priority: int = DEFAULT_PRIORITY,
    request: Keyed | None = None,
) -> Job:
    """Queue the import of the ZIP that lies in the folder of the job ``job_id`` to be.

    The row of a set that ``is_new`` is written with it. Raises DatasetNameTaken, KeyReused.
    """
    params = ImportMembersParams(dataset=dataset.id, upload=job_id, label=label, close=close)
    new_set = dataset if is_new else None
    job, _ = jobs.submit(params, priority, job_id=job_id, request=request, new_set=new_set)
    return job


def make_built_in(
    jobs: JobService,
    sets: DatasetService,
    source: Any,
    name: str | None,
    options: dict[str, Any],
    priority: int = DEFAULT_PRIORITY,
    request: Keyed | None = None,
) -> tuple[Dataset, Job | None]:
    """A built-in set, and the job that makes it; None if it is there, or another job makes it.

    Raises InvalidDataset, DatasetNameInvalid, DatasetNameTaken, KeyReused, pydantic's ValidationError.
    """
    parsed = parse_options(source, options)
    require_count(parsed, sets.settings.max_dataset_members)
    kept = parsed.model_dump(exclude_defaults=True)
    if name is None and kept:
        raise InvalidDataset("name", f"A set of {source} that is not the usual one needs a name of its own.")
    made = find_made_dataset(sets.engine, request)
    dataset = find_dataset(sets.engine, name or source) if made is None else made
    if dataset is not None and (dataset.source != source or options_of(dataset) != parsed):
        raise DatasetNameTaken(dataset.name)
    if dataset is not None and (dataset.state == "closed" or fillers(sets.engine, dataset)):
        return dataset, None
    problem = problem_of(source, sets.settings.data_dir)
    if problem is not None:
        raise InvalidDataset("source", problem)
    new_set = None
    if dataset is None:
        dataset = new_set = sets.prepare(name or source, source, kept, request)
    params = MakeDatasetParams(dataset=dataset.id)
    job, is_new = jobs.submit(params, priority, request=request, new_set=new_set)
    # The same request may have come at this moment.
    return dataset if is_new else get_dataset(sets.engine, str(job.params["dataset"])), job


def fillers(engine: Engine, dataset: Dataset) -> list[str]:
    """Ids of jobs that have not ended and that need or fill a set."""
    return repository.jobs_with_datasets(engine, [dataset.id])[dataset.id]


def close(sets: DatasetService, dataset: Dataset, note: Note = no_note) -> Dataset:
    """Close a set. Raises DatasetInUse while jobs fill it, DatasetEmpty, InvalidDataset."""
    if dataset.state == "open":
        _require_own(dataset)
        filling = fillers(sets.engine, dataset)
        if filling:
            raise DatasetInUse(dataset.name, filling)
    return sets.close(dataset.id, note)


def delete(sets: DatasetService, dataset: Dataset) -> None:
    """Delete a set. Raises UnknownDataset, DatasetInUse."""
    sets.delete(dataset, Needs(needs.users_of_dataset, needs.pictures_needed))
