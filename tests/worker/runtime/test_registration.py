"""A worker on the register, also after the reaper took it off."""

import time
from dataclasses import replace

from app.workers import repository as workers
from worker.runtime.context import WorkerContext
from worker.runtime.registration import registered


def is_alive(context: WorkerContext) -> bool:
    return [worker.worker_id for worker in workers.list_alive(context.engine)] == [context.worker_id]


def wait_until_alive(context: WorkerContext) -> bool:
    until = time.monotonic() + 30
    while not is_alive(context) and time.monotonic() < until:
        time.sleep(0.02)
    return is_alive(context)


def test_a_worker_is_registered_from_the_start_until_it_ends(context: WorkerContext) -> None:
    """Before its first job, which may hang: who is not on the register is not seen to be silent."""
    with registered(context, "long"):
        assert is_alive(context)
    assert not is_alive(context)


def test_a_worker_that_was_taken_off_registers_again(context: WorkerContext) -> None:
    often = replace(context, settings=context.settings.model_copy(update={"lease_seconds": 0.2}))
    with registered(often, "long"):
        assert wait_until_alive(often)
        # What the reaper does after a machine was asleep, before the worker has woken.
        workers.prune(often.engine, -1)
        assert not is_alive(often)
        assert wait_until_alive(often)
