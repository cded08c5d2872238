"""Calls on threads in each of which torch computes with no others."""

import os
import signal
import threading
import time

import pytest

from worker.optim.together import on_single_threads


@pytest.mark.medium
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_no_call_runs_any_more_when_one_has_failed(error: type[BaseException]) -> None:
    ended: list[int] = []

    def call(place: int) -> None:
        if place == 0:
            raise error
        time.sleep(0.05)
        ended.append(place)

    with pytest.raises(error):
        list(on_single_threads(call, range(10), 2))
    count = len(ended)
    time.sleep(0.2)
    assert len(ended) == count < 9


@pytest.mark.medium
def test_an_interrupt_waits_for_the_calls_that_run() -> None:
    ended: list[int] = []

    def call(place: int) -> None:
        time.sleep(0.5)
        ended.append(place)

    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.1, signal.pthread_kill, [main, signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        list(on_single_threads(call, range(6), 2))
    assert sorted(ended) == [0, 1]


def test_a_forked_process_starts_threads_of_its_own() -> None:
    assert list(on_single_threads(abs, [-1, -2], 2)) == [1, 2]
    child = os.fork()
    if child == 0:
        os._exit(0 if list(on_single_threads(abs, [-3, -4], 2)) == [3, 4] else 1)
    assert os.waitpid(child, 0)[1] == 0
