"""What others notice while a service is busy, from processes of their own, which the load does not delay.

    python -m benchmarks.probes status http://127.0.0.1:8000/v1/jobs/ID
    python -m benchmarks.probes lock data/impasto.db

Each says `ready`, measures until its standard input is closed, and then prints its seconds as JSON.
"""

import http.client
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATUS_SECONDS = 0.02
LOCK_SECONDS = 0.001
PROBE_SECONDS = 60.0


def probe_status(url: str, stop: threading.Event) -> list[float]:
    """Ask for a job's state 50 times a second over one connection; seconds from when each was due."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=PROBE_SECONDS)
    took, due = [], time.perf_counter()
    while not stop.is_set():
        connection.request("GET", f"/{path}")
        response = connection.getresponse()
        response.read()
        assert response.status == 200, response.status
        took.append(time.perf_counter() - due)
        # What a slow answer delays is due all the same.
        due += STATUS_SECONDS
        time.sleep(max(0.0, due - time.perf_counter()))
    return took


def probe_lock(database: str, stop: threading.Event) -> list[float]:
    """Try every millisecond to begin a write; for how long at a time that was refused, in seconds.

    Two transactions in a row count as one if none of the tries came between them, so that this is an upper
    bound of the longest.
    """
    connection = sqlite3.connect(database, timeout=0, isolation_level=None)
    held: list[float] = []
    since: float | None = None
    while not stop.is_set():
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            if since is not None:
                held.append(time.perf_counter() - since)
            since = None
        except sqlite3.OperationalError:
            since = time.perf_counter() if since is None else since
        time.sleep(LOCK_SECONDS)
    return held


PROBES = {"status": probe_status, "lock": probe_lock}


@contextmanager
def probing(name: str, target: str) -> Iterator[list[float]]:
    """Measure while something happens; the list has what was measured once that is over."""
    found: list[float] = []
    command = [sys.executable, "-m", "benchmarks.probes", name, target]
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield found
        finally:
            process.stdin.close()
            found.extend(json.loads(process.stdout.read()))


def main() -> None:
    """Measure until the standard input is closed, and print."""
    name, target = sys.argv[1:]
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    print("ready", flush=True)
    print(json.dumps(PROBES[name](target, stop)), flush=True)


if __name__ == "__main__":
    main()
