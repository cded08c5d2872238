"""Children, as real processes."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.supervision.child import ABORT_SECONDS, Backoff, Child
from app.supervision.readiness import say_ready
from tests.support.service import runs, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def script(text: str) -> Child:
    """A child that runs a little Python; its first argument is the worker_id."""
    return Child("test", lambda worker_id: [sys.executable, "-c", text, worker_id], os.environ)


@pytest.fixture
def forever() -> Iterator[Child]:
    child = script("import time; time.sleep(3600)")
    yield child
    child.kill()
    wait_for(lambda: child.pid is None or child.died())


def test_pauses_double_up_to_half_a_minute() -> None:
    backoff = Backoff()
    assert [backoff.pause(ready=False) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_life_that_was_ready_starts_the_pauses_over() -> None:
    backoff = Backoff()
    ready = (False, False, False, True, True, False, False)
    assert [backoff.pause(ready=each) for each in ready] == [0.5, 1, 2, 0.5, 0.5, 1, 2]


@pytest.mark.parametrize("ends", ["", "sys.exit(3)", "os.kill(os.getpid(), 9)"])
def test_a_child_says_that_it_was_ready_however_it_ends(ends: str, tmp_path: Path) -> None:
    mark = tmp_path / "second"
    child = script(
        "import os, sys; from app.supervision.readiness import say_ready\n"
        f"if not os.path.exists({str(mark)!r}): say_ready(); say_ready()\n"
        f"{ends}"
    )
    child.start()
    wait_for(child.died)
    assert child.was_ready and child.ever_ready

    # In its next life it never is.
    mark.touch()
    child.start()
    assert not child.was_ready
    wait_for(child.died)
    assert not child.was_ready and child.ever_ready


def test_to_be_ready_is_told_to_nobody_without_a_supervisor() -> None:
    say_ready()


def test_every_life_has_a_name_of_its_own(tmp_path: Path) -> None:
    child = script(f"import sys; open({str(tmp_path / 'names')!r}, 'a').write(sys.argv[1] + chr(10))")
    worker_ids = []
    for _ in range(2):
        child.start()
        worker_ids.append(child.worker_id)
        wait_for(child.died)
    assert worker_ids[0] != worker_ids[1]
    assert (tmp_path / "names").read_text().split() == worker_ids


def test_an_end_is_told_once_and_with_its_reason(forever: Child) -> None:
    ends = script("raise SystemExit(3)")
    ends.start()
    wait_for(ends.died)
    assert (ends.returncode, ends.pid, ends.died()) == (3, None, False)
    assert ends.describe_end() == "ended with exit code 3"

    forever.start()
    assert not forever.died()
    forever.kill()
    wait_for(forever.died)
    assert forever.describe_end() == "was ended by SIGKILL"


def test_an_abort_reaches_its_own_processes_alone(forever: Child) -> None:
    forever.start()
    pid = forever.pid
    assert pid is not None and forever.has(pid)
    assert not forever.abort(os.getpid(), 10.0)
    # It is given some time, once.
    assert forever.abort(pid, 10.0) and forever.abort(pid, 11.0)
    assert not forever.abort(pid, 10.0 + ABORT_SECONDS)
    wait_for(forever.died)
    assert forever.describe_end() == "was ended by SIGABRT"
    assert not forever.has(pid)


def test_an_interrupt_of_the_terminal_does_not_reach_it(forever: Child) -> None:
    forever.start()
    assert forever.pid is not None
    assert os.getpgid(forever.pid) == forever.pid != os.getpgrp()


def test_the_end_of_a_child_is_the_end_of_what_it_started(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    child = script(
        "import subprocess, sys; p = subprocess.Popen(['sleep', '3600']); "
        f"open({str(written)!r}, 'w').write(f'{{p.pid}}.')"
    )
    child.start()
    wait_for(lambda: written.exists() and written.read_text().endswith("."))
    grandchild = int(written.read_text().rstrip("."))
    wait_for(child.died)
    wait_for(lambda: not runs(grandchild))


def test_terminate_asks_and_kill_insists() -> None:
    child = script(
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); time.sleep(3600)"
    )
    child.start()
    # Until its handler is there, SIGTERM ends it in the usual way; only one of the two is right here.
    wait_for(lambda: handles(child.pid, signal.SIGTERM))
    child.terminate()
    wait_for(child.died)
    assert child.returncode == 7


def handles(pid: int | None, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
