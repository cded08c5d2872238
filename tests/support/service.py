"""A real service in its own processes, for tests."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.support.strange_pictures import noise

T = TypeVar("T")
IMPASTO = Path(sys.executable).with_name("impasto")
# Generous: the machine may be busy, and nothing here is about speed.
PATIENCE = 300.0


def wait_for(probe: Callable[[], T], seconds: float = PATIENCE) -> T:
    """The first true value of ``probe``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = probe()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s in vain")


def processes_of(data_dir: Path) -> dict[int, str]:
    """Command lines of the running processes whose environment names a data folder, by process id."""
    return processes_with("IMPASTO_DATA_DIR", str(data_dir))


def processes_with(variable: str, value: str) -> dict[int, str]:
    """Command lines of the running processes with a variable in their environment, by process id."""
    mark = f"{variable}={value}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            # It has ended, or is not ours.
            continue
    return found


def runs(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Client(ABC):
    """What a person may ask of a service."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, without a slash at the end."""

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON that a request is answered with, or None if the answer is empty."""
        response = httpx.request(method, self.url + path, timeout=60, trust_env=False, **options)
        assert response.is_success, response.text
        return response.json() if response.content else None

    def paint(self, **params: Any) -> str:
        """Ask for a style transfer of two small pictures; the job's id."""
        files = {"content": ("content.png", noise(seed=1)), "style": ("style.png", noise(seed=2))}
        job = self.request("POST", "/v1/style-transfer", files=files, data={"params": json.dumps(params)})
        return str(job["id"])

    def wait_for_job(self, job_id: str, *states: str) -> Any:
        """The job once it is in one of these states."""

        def look() -> Any:
            job = self.request("GET", f"/v1/jobs/{job_id}")
            return job if job["state"] in states else None

        return wait_for(look)


class Service(Client):
    """A running ``impasto serve``."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self._log = data_dir.with_name("serve.log")
        environment = {**os.environ, "IMPASTO_DATA_DIR": str(data_dir), "IMPASTO_PORT": "0", **settings}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [IMPASTO, "serve"], env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    @property
    def url(self) -> str:
        """Where it is, as it said itself."""
        match = re.search(r"http://\S+", self.log)
        assert match, self.log
        return match[0]

    def wait_until_ready(self) -> None:
        """Wait until it says so."""

        def says_ready() -> bool:
            assert self.process.poll() is None, self.log
            return "Ready" in self.log

        wait_for(says_ready)

    def wait_for_end(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(PATIENCE)


@contextmanager
def running(data_dir: Path, **settings: str) -> Iterator[Service]:
    """A service that is ready, and killed at the end if it is still there."""
    service = Service(data_dir, **settings)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.process.kill()
        service.process.wait()
        for pid in processes_of(data_dir):
            os.kill(pid, signal.SIGKILL)
