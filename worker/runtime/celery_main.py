"""A Celery worker: ``python -m worker.runtime.celery_main --lane long --device cuda:0 --worker-id NAME``.

One parent process, which is connected to Redis, and one child, which computes. The parent watches the child:
it kills one that ignores a cancel, and takes back at once the job of one that died. It ends, with EX_CONFIG,
if the first child finds that the settings are wrong.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.database.engine import WATCH_CONNECTIONS, make_engine
from app.jobs.dispatch.base import Dispatcher, make_dispatcher
from app.jobs.dispatch.celery_settings import queue_of
from app.jobs.reaper import expire_worker, finish_takeback, overdue_cancels, release_worker
from app.jobs.stored_files import open_storage
from app.log_context import logged_with
from app.settings import Settings, get_settings
from app.storage import Storage
from app.supervision.logs import configure_logging
from app.supervision.parent_watch import exit_with_parent
from app.supervision.readiness import say_ready
from app.workers import repository as workers

log = logging.getLogger("worker.runtime.celery_main")

WATCH_SECONDS = 0.5


class Watch:
    """Watches the children of one Celery worker, by the register of workers."""

    def __init__(self, settings: Settings, worker_id: str) -> None:
        self._settings = settings
        self._owner = worker_id
        self._engine: Engine = make_engine(settings.resolved_database_url, WATCH_CONNECTIONS)
        self._dispatcher: Dispatcher = make_dispatcher(settings)
        self._storage: Storage = open_storage(settings, self._engine)
        self._children: dict[str, int] = {}
        self._stopping = False
        self._was_ready = False

    def start(self, **_: Any) -> None:
        """Watch from a thread until the process ends."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def end_on_wrong_settings(self, *_: Any) -> None:
        """End this process, if no child was ready yet: another start would not help."""
        if not self._was_ready:
            os._exit(os.EX_CONFIG)

    def signal_children_on_shutdown(self, **_: Any) -> None:
        """Have SIGTERM signal the children first, and then do what Celery does on it.

        Celery's own signal for a shutdown comes after the wait of a soft shutdown, which is too late.
        """
        shut_down = signal.getsignal(signal.SIGTERM)

        def signal_and_shut_down(number: int, frame: FrameType | None) -> None:
            self.signal_children()
            if callable(shut_down):
                shut_down(number, frame)

        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
            signal.signal(number, signal_and_shut_down)

    def signal_children(self) -> None:
        """Make the children save their checkpoints and release their jobs."""
        self._stopping = True
        # A copy: the thread may find or lose one meanwhile.
        for pid in list(self._children.values()):
            _signal_stop(pid)

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(WATCH_SECONDS):
            try:
                self._check_children()
            except (SQLAlchemyError, OSError) as error:
                log.warning("cannot watch the children, trying again: %s", error)
            except Exception:
                # The thread goes on: without it no worker that is lost would be noticed here.
                log.exception("the watch of the children failed")

    def _check_children(self) -> None:
        for worker in workers.children_of(self._engine, self._owner):
            is_new = worker.worker_id not in self._children
            self._children[worker.worker_id] = worker.pid
            if is_new and self._stopping:
                # It was not known yet when the others were told, and may have a job already.
                _signal_stop(worker.pid)
            self._was_ready = True
            say_ready()
        for worker_id, pid in list(self._children.items()):
            if not _is_alive(pid):
                self._take_back(worker_id)
        overdue = overdue_cancels(self._engine, self._settings.cancel_grace_seconds)
        for worker_id, pid in self._children.items():
            if worker_id in overdue:
                log.warning("%s did not stop after a cancel: killing it", worker_id)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _take_back(self, worker_id: str) -> None:
        # One that Celery killed at the end of a shutdown has cost its job no attempt.
        take_back = release_worker if self._stopping else expire_worker
        lost = take_back(self._engine, worker_id, self._settings.max_attempts)
        for job in lost:
            with logged_with(**job.log_fields):
                log.warning("job %s: its worker died, now %s", job.id, job.state)
        finish_takeback(lost, self._dispatcher, self._storage)
        workers.unregister(self._engine, worker_id)
        del self._children[worker_id]


def _signal_stop(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGUSR2)


def _is_alive(pid: int) -> bool:
    """Whether a child of this process runs. In a soft shutdown Celery does not wait for one that ended."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def main() -> None:
    """Read the command line, and serve a lane until SIGTERM or the parent's death."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lane", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sharing", type=int, default=1, help="workers that share the cores")
    parser.add_argument("--worker-id", required=True)
    arguments = parser.parse_args()
    # Read when celery is imported: SIGTERM then means a soft shutdown and then a cold one, as SIGQUIT does.
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
    os.environ["IMPASTO_DEVICE"] = arguments.device
    os.environ["IMPASTO_WORKER_LANE"] = arguments.lane
    os.environ["IMPASTO_WORKER_ID"] = arguments.worker_id
    os.environ["IMPASTO_WORKER_PARENT"] = str(os.getpid())
    os.environ["IMPASTO_WORKER_SHARING"] = str(arguments.sharing)
    settings = get_settings()
    configure_logging(settings.log_level, settings.log_format)
    exit_with_parent(settings.shutdown_seconds)

    from celery.signals import worker_init, worker_ready

    try:
        from worker.runtime.celery_app import WRONG_SETTINGS, celery

        watch = Watch(settings, arguments.worker_id)
    except ValueError as error:
        log.error("%s", error)
        sys.exit(os.EX_CONFIG)

    signal.signal(WRONG_SETTINGS, watch.end_on_wrong_settings)
    worker_init.connect(watch.start, weak=False)
    worker_ready.connect(watch.signal_children_on_shutdown, weak=False)
    celery.worker_main(
        [
            # Without a banner, which is no line of a log.
            "--quiet",
            "worker",
            f"--queues={queue_of(arguments.lane)}",
            f"--hostname={arguments.worker_id.replace(':', '-')}@%h",
            "--without-gossip",
            "--without-mingle",
            # Of what the child says, in a format of Celery's own, before it has set up its log. What follows
            # has the level of the settings.
            "--loglevel=WARNING",
        ]
    )


if __name__ == "__main__":
    main()
