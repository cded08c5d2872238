"""Processes that end with their parent, as real processes."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.supervision.parent_watch import PARENT_VARIABLE, exit_with_parent, with_parent
from tests.support.service import runs, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# Starts a child that says it is there, then waits for ever.
PARENT = """
import os, subprocess, sys, time
from app.supervision.parent_watch import with_parent
subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=with_parent(os.environ), process_group=0)
time.sleep(3600)
"""
CHILD = """
import os, sys, time
from app.supervision.parent_watch import exit_with_parent
{before}
exit_with_parent(grace_seconds=0.2)
with open({file!r}, "w") as file:
    file.write(f"{{os.getpid()}}.")
time.sleep(3600)
"""


@pytest.mark.server
@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="obeys SIGTERM"),
        pytest.param("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", id="ignores SIGTERM"),
        pytest.param("sys.platform = 'other'", id="without prctl"),
    ],
)
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, before: str) -> None:
    file = tmp_path / "pid"
    child = CHILD.format(before=before, file=str(file))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, child])
    try:
        wait_for(lambda: file.exists() and file.read_text().endswith("."))
        pid = int(file.read_text().rstrip("."))
        assert runs(pid)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        wait_for(lambda: not runs(pid))
    finally:
        parent.kill()
        parent.wait()


@pytest.mark.server
@pytest.mark.parametrize("how", ["", "sys.platform = 'other'"], ids=["with prctl", "without"])
def test_a_child_is_told_once(tmp_path: Path, how: str) -> None:
    """At a second SIGTERM Celery kills the process that saves its job."""
    told, file = tmp_path / "told", tmp_path / "pid"
    count = f"open({str(told)!r}, 'a').write('x')"
    before = f"import signal; signal.signal(signal.SIGTERM, lambda *_: {count}); {how}"
    # Later than the thread looks for the parent.
    child = CHILD.format(before=before, file=str(file)).replace("grace_seconds=0.2", "grace_seconds=2.5")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, child])
    try:
        wait_for(lambda: file.exists() and file.read_text().endswith("."))
        pid = int(file.read_text().rstrip("."))
        parent.kill()
        parent.wait()
        wait_for(lambda: not runs(pid))
    finally:
        parent.kill()
        parent.wait()
    assert told.read_text() == "x"


@pytest.mark.server
def test_a_child_that_comes_too_late_ends_too(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    environment = {**os.environ, PARENT_VARIABLE: "1"}
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(before="", file=str(file))], env=environment, timeout=60
    )
    assert child.returncode == -signal.SIGTERM


def test_a_process_started_by_hand_follows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT_VARIABLE, raising=False)
    before = threading.active_count()
    exit_with_parent()
    assert threading.active_count() == before


def test_children_are_told_whom_to_follow() -> None:
    assert with_parent({"A": "b"}) == {"A": "b", PARENT_VARIABLE: str(os.getpid())}
