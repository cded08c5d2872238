"""A PostgreSQL server of one's own, for as long as the tests run."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

_START_SECONDS = 30.0
# PostgreSQL refuses to run as root; Debian's package makes this user.
_USER = "postgres" if os.geteuid() == 0 else None


def find_program(name: str) -> str | None:
    """Path of a program of PostgreSQL, which Debian keeps off the PATH."""
    folders = [os.environ.get("PATH", ""), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    return shutil.which(name, path=os.pathsep.join(folders))


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a fresh server on a socket in a temporary folder.

    FileNotFoundError, whose message says so, if it is not installed.
    """
    initdb, postgres = find_program("initdb"), find_program("postgres")
    if initdb is None or postgres is None:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="impasto-postgres-"))
    try:
        if _USER is not None:
            shutil.chown(folder, _USER)
        data = str(folder / "data")
        subprocess.run(
            [initdb, "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"],
            user=_USER,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [postgres, "-D", data, "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"],
                user=_USER,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            url = f"postgresql://postgres@/postgres?host={folder}"
            _await(url, server, folder / "log")
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # "fast shutdown"
            server.wait(_START_SECONDS)
    finally:
        shutil.rmtree(folder)


def _await(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
