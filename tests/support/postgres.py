"""A private PostgreSQL server, which a test may stop, kill and start again."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from app.database.migrations import upgrade

_PATIENCE = 60.0
# PostgreSQL refuses to run as root; Debian's package makes this user.
_USER = "postgres" if os.geteuid() == 0 else None
_INITDB = ("--auth=trust", "--no-sync", "--encoding=UTF8")
_SETTINGS = ("-c", "fsync=off", "-c", "max_connections=200")


def find_program(name: str) -> str | None:
    """Path of a program of PostgreSQL, which Debian keeps off the PATH."""
    folders = [os.environ.get("PATH", ""), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    return shutil.which(name, path=os.pathsep.join(folders))


def _require(name: str) -> str:
    program = find_program(name)
    if program is None:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    return program


class PostgresServer:
    """A server on a socket in a folder of its own.

    Its data lie safely in the kernel when it is killed, so it need not wait for the disk as well.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        """Its socket is here."""
        self._listen = ["-c", f"listen_addresses={'127.0.0.1' if port else ''}"]
        if port:
            self._listen += ["-p", str(port)]
        self._port = port or 5432
        self._data = folder / "data"
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._migrated: str | None = None
        if _USER is not None:
            shutil.chown(folder, _USER)
        subprocess.run(
            [_require("initdb"), "-D", self._data, "-U", "postgres", *_INITDB],
            user=_USER,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return self._url("postgres")

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}&port={self._port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [_require("postgres"), "-D", self._data, "-k", self.folder, *self._listen, *_SETTINGS],
                user=_USER,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}") from None
                time.sleep(0.05)

    def is_running(self) -> bool:
        """Whether it has not ended, by itself or not."""
        return self._process is not None and self._process.poll() is None

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it. SIGINT is what it calls a fast shutdown; SIGQUIT leaves the data as a crash does."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_PATIENCE)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """A context in which none of its processes runs; the kernel still takes what is sent to them."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        processes = [self._process.pid, *map(int, children.split())]
        try:
            for each in processes:
                os.kill(each, signal.SIGSTOP)
            yield
        finally:
            for each in reversed(processes):
                os.kill(each, signal.SIGCONT)

    @contextmanager
    def database(self, *, migrated: bool = False) -> Iterator[str]:
        """The URL of a new database: empty, or with the tables of now."""
        name = self._create(self._template() if migrated else "template1")
        try:
            yield self._url(name)
        finally:
            self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _create(self, template: str) -> str:
        name = f"impasto_test_{uuid.uuid4().hex}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def _template(self) -> str:
        """A database that is migrated once, and copied: a copy takes a fraction of the migrations' time."""
        if self._migrated is None:
            self._migrated = self._create("template1")
            upgrade(self._url(self._migrated))
        return self._migrated

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


@contextmanager
def postgres(port: int | None = None) -> Iterator[PostgresServer]:
    """A fresh server that runs, on a port of 127.0.0.1 too if one is given.

    FileNotFoundError, whose message says so, if it is not installed.
    """
    _require("initdb")
    # The path of its socket has at most 107 bytes, whatever TMPDIR is.
    folder = Path(tempfile.mkdtemp(prefix="impasto-postgres-", dir="/tmp"))
    try:
        server = PostgresServer(folder, port)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a fresh server that runs. FileNotFoundError as in :func:`postgres`."""
    with postgres() as server:
        yield server.url
