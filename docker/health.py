"""Is what runs in this container well? ``health.py api`` or ``health.py worker``; exit code 1 if not."""

import socket
import sys
import urllib.request

from app.database.engine import make_engine
from app.settings import Settings
from app.workers.repository import list_alive

TIMEOUT_SECONDS = 5
# A worker says that it lives every 5 s; one that missed three of those is not well.
SEEN_SECONDS = 20.0


def check_api(settings: Settings) -> None:
    """The HTTP service answers. urllib raises if it does not, or not with 200."""
    url = f"http://127.0.0.1:{settings.port}/healthz"
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS):
        pass


def check_worker(settings: Settings) -> None:
    """A worker of this container is on the register, which says that it can run jobs."""
    engine = make_engine(settings.resolved_database_url)
    host = socket.gethostname()
    if not any(worker.host == host for worker in list_alive(engine, SEEN_SECONDS)):
        sys.exit(f"No worker of {host} was seen in the last {SEEN_SECONDS:.0f} s.")


if __name__ == "__main__":
    {"api": check_api, "worker": check_worker}[sys.argv[1]](Settings())
