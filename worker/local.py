"""The embedded worker: ``python -m worker.local --lane long --device cpu --owner NAME``.

One process per device and lane, started by the supervisor of ``impasto serve``. It claims jobs from the
database, sleeps on a socket in between, and exits when its parent does.
"""

import argparse
import logging
import os
import signal
import socket
import threading
import time

import torch
from sqlalchemy.exc import OperationalError

from app.jobs import workers
from app.jobs.database import make_engine
from app.jobs.dispatch import LocalDispatcher, lane_channel
from app.jobs.wakeups import Mailbox, run_dir
from app.parent_watch import exit_with_parent
from app.settings import Settings, get_settings
from app.storage.factory import make_storage
from worker.device import choose_device, choose_dtype
from worker.runner import run_next
from worker.steps import Compute
from worker.warm_up import warm_up
from worker.workshop import Workshop

log = logging.getLogger("worker.local")

# A hint can be lost, so a worker looks by itself this often.
POLL_SECONDS = 1.0
SEEN_SECONDS = 5.0


def serve_lane(workshop: Workshop, lane: str, stop: threading.Event) -> None:
    """Run the jobs of a lane until told to stop."""
    mailbox = Mailbox(run_dir(workshop.settings.data_dir), lane_channel(lane))
    try:
        while not stop.is_set():
            try:
                idle = not run_next(workshop, [lane], stop)
            except OperationalError as error:
                log.warning("the database is away: %s", error.orig)
                idle = True
            if idle:
                mailbox.wait(POLL_SECONDS)
    finally:
        mailbox.close()


def keep_registered(workshop: Workshop, lane: str, stop: threading.Event) -> None:
    """Say now and then that this worker lives, also while it computes."""
    engine, owner = workshop.engine, workshop.owner
    registered = False
    while not stop.is_set():
        try:
            if not registered:
                workers.register(
                    engine,
                    owner=owner,
                    lanes=[lane],
                    device=str(workshop.compute.device),
                    host=socket.gethostname(),
                    pid=os.getpid(),
                )
                registered = True
            workers.seen(engine, owner)
        except OperationalError as error:
            log.warning("the database is away: %s", error.orig)
        stop.wait(SEEN_SECONDS)


def make_workshop(settings: Settings, owner: str, device_name: str) -> Workshop:
    """Open the database and the storage, choose device and precision."""
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    device = choose_device(device_name)
    return Workshop(
        engine=make_engine(settings.resolved_database_url),
        storage=make_storage(settings),
        dispatcher=LocalDispatcher(settings.data_dir),
        settings=settings,
        owner=owner,
        compute=Compute(device, choose_dtype(device, settings.precision)),
    )


def main() -> None:
    """Read the command line, and serve a lane until SIGTERM or the parent's death."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lane", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--owner", default=f"{socket.gethostname()}-{os.getpid()}")
    arguments = parser.parse_args()
    settings = get_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # Ctrl-C reaches the whole group; the supervisor says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent()
    workshop = make_workshop(settings, arguments.owner, arguments.device)
    started = time.monotonic()
    warm_up(workshop.compute)
    log.info("warm after %.1f s on %s", time.monotonic() - started, workshop.compute)
    register = threading.Thread(target=keep_registered, args=(workshop, arguments.lane, stop), daemon=True)
    register.start()
    serve_lane(workshop, arguments.lane, stop)
    register.join()
    workers.forget(workshop.engine, workshop.owner)
    workshop.engine.dispose()


if __name__ == "__main__":
    main()
