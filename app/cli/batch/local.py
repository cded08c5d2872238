"""Computes the entries of a batch in this process. Imports torch, so it is imported lazily."""

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Engine

from app.cli.batch.checks import Key, LocalRequest
from app.cli.batch.entries import Entry, failure
from app.cli.batch.progress import BatchProgress
from app.cli.batch.record import OutputFolder
from app.cli.batch.stacking import Task, in_stacks
from app.cli.local_run import LocalJob, choose_compute, open_set, prepare
from app.errors import ServiceError
from app.jobs.job import Json
from app.kinds import KINDS, Params
from app.networks.catalogue import Catalogue
from app.settings import Settings
from worker.contract.compute import Compute
from worker.contract.stacks import StackedJob
from worker.contract.steps import Outcome, Step, run_steps
from worker.runtime.failures import describe_failure
from worker.runtime.functions import load_stack_function
from worker.runtime.stack_sizes import StackSizes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalBatch:
    """What entries are checked and computed with here, and the folder that keeps what they make."""

    request_of: Callable[[Entry], LocalRequest]
    keys: Mapping[str, Key]
    folder: OutputFolder
    settings: Settings
    engine: Engine | None
    catalogue: Catalogue

    def compute(self, entries: Sequence[Entry], progress: BatchProgress) -> Iterator[Json]:
        """Compute entries, together where they can be, and keep each as it is done. Yields what has failed.

        Raises InputError for a device that is not here, OSError if the folder cannot be written to.
        """
        compute = choose_compute(self.settings)
        sizes = StackSizes(compute)
        tasks = (Task.of(entry, self.request_of(entry), self.catalogue) for entry in entries)
        with progress:
            for stack in in_stacks(tasks, sizes):
                began = time.perf_counter()
                left: Sequence[Task] = stack
                if len(stack) > 1:
                    left = yield from self._together(stack, sizes, compute, progress)
                for task in left:
                    yield from self._alone(task, compute, progress)
                sizes.learn(stack[0], (time.perf_counter() - began) / len(stack))

    def _alone(self, task: Task, compute: Compute, progress: BatchProgress) -> Iterator[Json]:
        try:
            job = self._prepare(task)
            outcome = run_steps(job.steps(), lambda step: progress.part(step.done / step.total))
        except Exception as error:
            progress.failed()
            yield self._failed(task, error, compute)
        else:
            self._keep(task, job, outcome, 1)
            progress.done()

    def _together(
        self, stack: Sequence[Task], sizes: StackSizes, compute: Compute, progress: BatchProgress
    ) -> Generator[Json, None, list[Task]]:
        """Compute tasks together; returns those that are yet to be computed, alone."""
        jobs: list[tuple[Task, LocalJob]] = []
        for task in stack:
            try:
                jobs.append((task, self._prepare(task)))
            except ServiceError as error:
                progress.failed()
                yield self._failed(task, error, compute)
        if len(jobs) < 2:
            return [task for task, _ in jobs]
        left, shares = dict(enumerate(jobs)), dict.fromkeys(range(len(jobs)), 0.0)
        alone: list[Task] = []
        function = load_stack_function(KINDS[stack[0].entry.kind].stack_function or "")
        stacked = [StackedJob(job.params, job.inputs) for _, job in jobs]
        with closing(function(stacked, jobs[0][1].network, jobs[0][1].compute)) as steps:
            goes_on: bool | None = None
            while True:
                try:
                    place, made = steps.send(goes_on)  # type: ignore[arg-type]
                except StopIteration:
                    break
                except Exception as error:
                    log.warning("%d entries are computed one by one: %r", len(left), error)
                    sizes.shrink(stack[0], len(jobs))
                    break
                goes_on = isinstance(made, Step)
                if isinstance(made, Step):
                    shares[place] = made.done / made.total
                    progress.part(sum(shares.values()))
                    continue
                task, job = left.pop(place)
                del shares[place]
                if isinstance(made, Outcome):
                    self._keep(task, job, made, len(jobs))
                    progress.done()
                elif isinstance(made, ServiceError):
                    progress.failed()
                    yield self._failed(task, made, compute)
                else:
                    alone.append(task)
        return [*alone, *(task for task, _ in left.values())]

    def _prepare(self, task: Task) -> LocalJob:
        request = task.request
        return prepare(request.params, request.files, self.settings, self.engine, request.sets)

    def _keep(self, task: Task, job: LocalJob, outcome: Outcome, stack_size: int) -> None:
        custom_id = task.entry.custom_id
        files = {
            made.name: self.folder.save(
                custom_id, made.name, made.ending, [made.data] if isinstance(made.data, bytes) else made.data
            )
            for made in job.encoded(outcome, stack_size)
        }
        result = outcome.result | {"recipe": job.recipe(stack_size, outcome)}
        self.folder.add(task.entry, self.keys[custom_id], files, {"result": result})

    def _failed(self, task: Task, error: Exception, compute: Compute) -> Json:
        entry = task.entry
        described = describe_failure(error, entry.custom_id, compute.device, dict(entry.params))
        return failure(entry, described)


def hasher_of_sets(settings: Settings, engine: Engine | None) -> Callable[[Params, str, str], str]:
    """The hashes of the content of sets, each read once."""
    known: dict[tuple[str, str], str] = {}

    def hash_of(params: Params, param: str, given: str) -> str:
        if (param, given) not in known:
            known[param, given] = open_set(given, param, params, settings, engine).sha256
        return known[param, given]

    return hash_of
