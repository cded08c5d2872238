"""The parent process of a Celery worker, as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.runtime import celery_main

# Its one child is itself.
LATE_CHILD = """
import os, signal, sys
from pathlib import Path
from app.database.engine import make_engine
from app.database.migrations import upgrade
from app.settings import Settings
from app.workers import repository as workers
from worker.runtime.celery_main import Watch

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
settings = Settings(data_dir=Path(sys.argv[1]))
upgrade(settings.resolved_database_url)
watch = Watch(settings, "parent")
watch.signal_children()
watch.start()
engine = make_engine(settings.resolved_database_url)
workers.register(engine, worker_id="parent:1", lanes=["long"], device="cpu", host="", pid=os.getpid())
print(signal.sigtimedwait({signal.SIGUSR2}, 20))
"""


@pytest.mark.medium
def test_a_child_that_was_not_known_yet_at_a_shutdown_is_told_of_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LATE_CHILD, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "si_signo" in done.stdout, done.stderr


def test_a_child_that_ended_is_not_alive_before_it_is_waited_for() -> None:
    """Celery waits for it only once its soft shutdown is over, and its job would wait as long."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert celery_main._is_alive(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not celery_main._is_alive(child.pid)
    assert not celery_main._is_alive(child.pid)
