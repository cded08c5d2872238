"""A private Redis server, which a test may kill, wipe and start again."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

_CONFIGURATION = Path(__file__).parents[2] / "docker/redis.conf"
_PASSWORD = "0123456789abcdef"
_PATIENCE = 60.0


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A server in a folder of its own, with the settings of the compose file and a password."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("redis-server") is None:
            raise FileNotFoundError("Redis is not installed: apt-get install redis-server")
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL, also while it does not run."""
        return f"redis://:{_PASSWORD}@127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it on what it stored before, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["redis-server", _CONFIGURATION, "--port", str(self._port), "--bind", "127.0.0.1", "-"],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=log,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(f"requirepass {_PASSWORD}\n".encode())
        self._process.stdin.close()
        deadline = time.monotonic() + _PATIENCE
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        log_text = (self._folder / "log").read_text()
                        raise RuntimeError(f"Redis did not start:\n{log_text}") from None
                    time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_PATIENCE)
            self._process = None

    @contextmanager
    def full(self) -> Iterator[None]:
        """Out of memory while in the context: it refuses what adds to its data."""
        with self.client() as client:
            (most,) = client.config_get("maxmemory").values()
            client.config_set("maxmemory", 1)
        yield
        with self.client() as client:
            client.config_set("maxmemory", most)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """A replica while in the context, of a primary that is not there: it refuses all writes."""
        with self.client() as client:
            client.replicaof("127.0.0.1", str(free_port()))
        yield
        with self.client() as client:
            client.replicaof("NO", "ONE")

    @contextmanager
    def other_password(self) -> Iterator[None]:
        """A password that nobody knows while in the context, for those who are connected, too."""
        with self.client() as client:
            client.config_set("requirepass", "another one")
            client.execute_command("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal")
            client.execute_command("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "pubsub")
            yield
            client.config_set("requirepass", _PASSWORD)

    def client(self) -> "redis.Redis[bytes]":
        """A new connection to it."""
        return redis.Redis.from_url(self.url)

    def wipe(self) -> None:
        """Delete all it stored; it must not run."""
        assert self._process is None
        shutil.rmtree(self._folder / "appendonlydir")


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """A fresh server that runs. FileNotFoundError, whose message says so, if it is not installed."""
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
