"""Computes the entries of a batch in this process. Imports torch, so it is imported lazily."""

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Engine

from app.cli.batch.checks import Key, LocalRequest
from app.cli.batch.entries import Entry, failure
from app.cli.batch.progress import BatchProgress
from app.cli.batch.record import Files, OutputFolder
from app.cli.local_run import choose_compute, open_set, prepare
from app.jobs.job import Json
from app.kinds import Params
from app.settings import Settings
from worker.contract.steps import Step, run_steps
from worker.runtime.failures import describe_failure


def compute_entries(
    entries: Sequence[Entry],
    keys: dict[str, Key],
    request_of: Callable[[Entry], LocalRequest],
    folder: OutputFolder,
    settings: Settings,
    engine: Engine | None,
    progress: BatchProgress,
) -> Iterator[Json]:
    """Compute entries one after the other, and keep each as it is done. Yields what has failed.

    Raises InputError for a device that is not here, OSError if the folder cannot be written to.
    """
    device = choose_compute(settings).device
    with progress:
        for entry in entries:
            try:
                files, result = _compute(entry, request_of(entry), folder, settings, engine, progress)
            except OSError:
                raise
            except Exception as error:
                progress.failed()
                yield failure(entry, describe_failure(error, entry.custom_id, device, dict(entry.params)))
                continue
            folder.add(entry, keys[entry.custom_id], files, {"result": result})
            progress.done()


def _compute(
    entry: Entry,
    request: LocalRequest,
    folder: OutputFolder,
    settings: Settings,
    engine: Engine | None,
    progress: BatchProgress,
) -> tuple[Files, Json]:
    """Compute an entry and write its files; them, and the numbers."""
    job = prepare(request.params, request.files, settings, engine, request.sets)

    def on_step(step: Step) -> None:
        progress.part(step.done / step.total)

    outcome = run_steps(job.steps(), on_step)
    files = {
        made.name: folder.save(entry.custom_id, made.name, made.ending, [made.data])
        for made in job.encoded(outcome)
    }
    return files, outcome.result | {"recipe": job.recipe()}


def hasher_of_sets(settings: Settings, engine: Engine | None) -> Callable[[Params, str, str], str]:
    """The hashes of the content of sets, each read once."""

    known: dict[tuple[str, str], str] = {}

    def hash_of(params: Params, param: str, given: str) -> str:
        if (param, given) not in known:
            known[param, given] = open_set(given, param, params, settings, engine).sha256
        return known[param, given]

    return hash_of
