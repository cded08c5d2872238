"""Computes jobs that were claimed together in one pass, by the stack function of their kind."""

import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from app.errors import ServiceError
from app.kinds import KINDS
from app.log_context import logged_with
from worker.contract.interludes import between_parts, listening
from worker.contract.stacks import StackedJob, StackSteps
from worker.contract.steps import Outcome, Step
from worker.runtime.claimed_job import ClaimedJob, End, Released
from worker.runtime.context import WorkerContext
from worker.runtime.functions import load_stack_function
from worker.runtime.loaded import Loaded, load, save

log = logging.getLogger(__name__)

Ends = Generator[tuple[ClaimedJob, Callable[[], End]], None, None]


@dataclass
class _Member:
    """A job of a stack: its share of the time that the stack took, and its steps."""

    job: ClaimedJob
    loaded: Loaded
    seconds: float = 0.0
    steps: int = 0
    total: int = 1

    @property
    def whole_seconds(self) -> float:
        """Its share had it made all of its steps here."""
        return self.seconds * self.total / max(1, self.steps)


def compute_stack(context: WorkerContext, jobs: Sequence[ClaimedJob], stop: threading.Event) -> Ends:
    """Compute jobs together. Each job, as soon as it ends, with what makes its end or raises why it has none.

    A job that does not come is yet to be computed, alone, from its checkpoint.
    """
    members = []
    for job in jobs:
        try:
            job.check(stop)
            with logged_with(**job.row.log_fields):
                members.append(_Member(job, load(context, job)))
        except Exception as error:
            yield job, partial(_fail, error)
    if len(members) < 2:
        return
    count = len(members)
    for member in members:
        member.job.take_turns(count)
    try:
        with closing(_begin(members)) as steps:
            yield from _follow(context, steps, members, stop)
    except Released:
        log.info("%d jobs that are computed together must end now", count)
    except Exception:
        log.exception("%d jobs cannot be computed together, and those left are one by one", count)
        context.stack_sizes.shrink(jobs[0].row, count)
    for member in members:
        member.job.take_turns(1)


def _begin(members: Sequence[_Member]) -> StackSteps:
    kind = members[0].job.row.kind
    entry_point = KINDS[kind].stack_function
    if entry_point is None:
        raise ValueError(f"jobs of kind {kind} cannot be computed together")
    jobs = [
        StackedJob(member.loaded.params, member.loaded.inputs, member.job.load_checkpoint())
        for member in members
    ]
    first = members[0].loaded
    return load_stack_function(entry_point)(jobs, first.network, first.compute)


def _follow(
    context: WorkerContext, steps: StackSteps, members: Sequence[_Member], stop: threading.Event
) -> Ends:
    """Report each step to its job, and end each job when it is over."""
    live = dict(enumerate(members))
    goes_on: bool | None = None
    while True:
        began = time.perf_counter()
        try:
            with listening(partial(_check_hurry, context)):
                place, entry = steps.send(goes_on)  # type: ignore[arg-type]
        except StopIteration:
            break
        spent = (time.perf_counter() - began) / max(1, len(live))
        for member in live.values():
            member.seconds += spent
        between_parts()
        member = live[place]
        goes_on = False
        match entry:
            case Step():
                member.steps, member.total = member.steps + 1, entry.total
                try:
                    with logged_with(**member.job.row.log_fields):
                        member.job.report(entry, stop)
                    goes_on = True
                except Exception as error:
                    del live[place]
                    yield member.job, partial(_fail, error)
            case Outcome():
                del live[place]
                context.stack_sizes.learn(member.job.row, member.whole_seconds)
                yield member.job, partial(_save, member, stop, entry, len(members))
            case ServiceError():
                del live[place]
                yield member.job, partial(_fail, entry)
            case error:
                del live[place]
                with logged_with(**member.job.row.log_fields):
                    log.warning("job %s: to be computed alone: %r", member.job.row.id, error)
    if live:
        raise ValueError(f"{len(live)} of {len(members)} jobs were given no end")


def _check_hurry(context: WorkerContext) -> None:
    """Raise Released if this process is about to be killed."""
    if context.hurry.is_set():
        raise Released


def _fail(error: Exception) -> End:
    raise error


def _save(member: _Member, stop: threading.Event, outcome: Outcome, stack_size: int) -> End:
    member.job.check(stop)
    return save(member.job, member.loaded, outcome, round(member.seconds, 4), stack_size)
