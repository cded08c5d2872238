"""Health check of a container, whatever command of `impasto` it runs. Exit code 1, and why, if it is ill.

The API has to answer; every worker process has to be on the register, with a heartbeat of the last seconds.
So a worker is unhealthy too as long as it cannot reach the database.
"""

import http.client
import os
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

TIMEOUT_SECONDS = 5
# The commands, with what has to be well in each of them.
COMMANDS = {
    ("impasto", "api"): ("api",),
    # What it turns into.
    ("-m", "app.supervision.api"): ("api",),
    ("impasto", "worker"): ("workers",),
    ("impasto", "serve"): ("api", "workers"),
}
PREFIX = b"IMPASTO_"
# Addresses that stand for all of a machine's.
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def check_api() -> None:
    """The HTTP service answers. A name of loopback is always allowed."""
    from app.settings import Settings

    settings = Settings()
    host = ANY.get(settings.host, settings.host)
    # Not urllib, which would ask the proxy of HTTP_PROXY.
    connection = http.client.HTTPConnection(host, settings.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        status = connection.getresponse().status
    except OSError as error:
        sys.exit(f"The API does not answer at {host}, port {settings.port}: {error}")
    finally:
        connection.close()
    if status != http.client.OK:
        sys.exit(f"The API answers /healthz with {status}.")


def check_workers(wanted: set[str]) -> None:
    """Worker processes of these ids are on the register, and alive."""
    from app.database.engine import UNAVAILABLE, make_engine, reason_of
    from app.settings import Settings
    from app.workers.repository import list_alive

    engine = make_engine(Settings().resolved_database_url)
    try:
        alive = {worker.worker_id for worker in list_alive(engine)}
    except UNAVAILABLE as error:
        sys.exit(f"The database does not answer: {reason_of(error)}")
    finally:
        engine.dispose()
    # A Celery worker's child is named after its parent.
    silent = [each for each in wanted if not any(f"{one}:".startswith(f"{each}:") for one in alive)]
    if silent:
        sys.exit(f"No heartbeat of {', '.join(sorted(silent))}.")


def worker_ids(command: int) -> set[str]:
    """Ids of the worker processes that a command has started; exits if there are none."""
    found = set()
    for process in processes():
        arguments = arguments_of(process)
        if "--worker-id" in arguments[:-1] and command in ancestors_of(process):
            found.add(arguments[arguments.index("--worker-id") + 1])
    if not found:
        sys.exit("No worker process runs: it waits for the database, or is being started.")
    return found


def commands() -> Iterator[tuple[int, tuple[str, ...]]]:
    """The commands that run here with the settings of this container: process id, and what has to be well.

    The environment tells them from those of other containers, where processes of all of them can be seen.
    """
    mine = settings_in(Path("/proc/self/environ").read_bytes())
    for process in processes():
        arguments = arguments_of(process)
        for program, command in pairwise(arguments):
            parts = COMMANDS.get((Path(program).name, command))
            if parts and settings_in(read(process, "environ")) == mine:
                yield process, parts


def settings_in(environment: bytes) -> frozenset[bytes]:
    """The settings of an environment, as /proc has it."""
    return frozenset(each for each in environment.split(b"\0") if each.startswith(PREFIX))


def processes() -> list[int]:
    """The processes that can be seen."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def arguments_of(process: int) -> list[str]:
    """The command line of a process."""
    return os.fsdecode(read(process, "cmdline")).split("\0")[:-1]


def ancestors_of(process: int) -> Iterator[int]:
    """The parent of a process, and so on: what started it, be it by way of an init."""
    while process > 0:
        # After the command's name, which is in parentheses: state, parent, ...
        fields = read(process, "stat").rpartition(b")")[2].split()
        process = int(fields[1]) if fields else 0
        yield process


def read(process: int, name: str) -> bytes:
    """What /proc says of a process; nothing if it has ended, or is somebody else's."""
    try:
        return Path(f"/proc/{process}/{name}").read_bytes()
    except OSError:
        return b""


def main() -> None:
    """Check all that runs here."""
    found = [(process, part) for process, parts in commands() for part in parts]
    if not found:
        sys.exit("No command of impasto runs here: api, worker or serve.")
    if any(part == "api" for _, part in found):
        check_api()
    wanted = {each for process, part in found if part == "workers" for each in worker_ids(process)}
    if wanted:
        check_workers(wanted)


if __name__ == "__main__":
    main()
