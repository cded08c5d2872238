"""The embedded worker: ``python -m worker.runtime.local --lane long --device cpu --worker-id NAME``.

One process per device and lane, started by the supervisor of ``impasto serve``. It claims jobs from the
database, waits on a socket in between, and exits when its parent does.
"""

import argparse
import logging
import os
import signal
import socket
import sys
import threading

from app.jobs.dispatch.base import lane_channel
from app.jobs.dispatch.wakeups import WakeupSocket, run_dir
from app.settings import get_settings
from app.supervision.logs import configure_logging
from app.supervision.parent_watch import exit_with_parent
from app.supervision.readiness import say_ready
from worker.runtime.context import WorkerContext, make_context
from worker.runtime.failures import DeviceBroken
from worker.runtime.patience import SAVING_FAILED
from worker.runtime.recycling import is_due, warn_if_always_due
from worker.runtime.registration import registered
from worker.runtime.run_job import run_next
from worker.runtime.stalls import show_stacks_at_abort, watch_start
from worker.runtime.stopping import stop_on
from worker.runtime.warm_up import warm_up

log = logging.getLogger("worker.runtime.local")

# A hint can be lost, so a worker also polls.
POLL_SECONDS = 1.0


def serve_lane(context: WorkerContext, lane: str, stop: threading.Event) -> None:
    """Run the jobs of a lane until ``stop`` is set, or this process is due to be replaced."""
    done = 0
    wakeups = WakeupSocket(run_dir(context.settings.data_dir), lane_channel(lane))
    try:
        while not stop.is_set():
            try:
                idle = not run_next(context, [lane], stop)
            except SAVING_FAILED as error:
                log.warning("no job is begun: %s", error)
                idle = True
            if idle:
                wakeups.wait(POLL_SECONDS)
                continue
            done += 1
            if is_due(context.settings, done):
                return
    finally:
        wakeups.close()


def main() -> None:
    """Read the command line, and serve a lane until SIGTERM or the parent's death."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lane", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sharing", type=int, default=1, help="workers that share the cores")
    parser.add_argument("--worker-id", default=f"{socket.gethostname()}-{os.getpid()}")
    arguments = parser.parse_args()
    settings = get_settings()
    configure_logging(settings.log_level, settings.log_format)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # Ctrl-C reaches the whole process group; the supervisor decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent(settings.shutdown_seconds)
    show_stacks_at_abort()
    with watch_start(settings):
        try:
            context = make_context(
                settings,
                arguments.worker_id,
                arguments.device,
                lane=arguments.lane,
                sharing=arguments.sharing,
            )
        except ValueError as error:
            log.error("%s", error)
            sys.exit(os.EX_CONFIG)
        stop_on(signal.SIGTERM, stop, context.hurry, settings.shutdown_seconds)
        warm_up(context.networks, context.compute, arguments.lane)
    warn_if_always_due(settings)
    say_ready()
    try:
        with registered(context, arguments.lane):
            serve_lane(context, arguments.lane, stop)
    except DeviceBroken as error:
        # The supervisor takes the job back, and starts another process. At once: to leave a broken device in
        # order may take for ever.
        log.critical("this worker ends: %s", error)
        os._exit(os.EX_UNAVAILABLE)
    context.dispatcher.close()
    context.engine.dispose()


if __name__ == "__main__":
    main()
