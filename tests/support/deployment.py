"""The service in either of its two modes, in real processes that a test may freeze, kill and start again."""

import io
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.database.engine import make_engine
from app.jobs.job import Event, Job
from app.jobs.repository import get_job, list_events
from app.settings import Settings
from app.workers import repository as workers
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer, free_port, redis_server
from tests.support.service import IMPASTO, PATIENCE, Client, processes_with, runs, wait_for
from tests.support.strange_pictures import noise

Mode = Literal["embedded", "celery"]
MODES: tuple[Mode, ...] = ("embedded", "celery")
COMMANDS: dict[Mode, dict[str, list[str]]] = {
    "embedded": {"serve": ["serve"]},
    "celery": {"api": ["api"], "worker": ["worker", "--device", "cpu"]},
}


class Part:
    """One command of impasto, with all the processes that come from it."""

    MARK = "IMPASTO_TEST_PART"

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._command = [str(IMPASTO), *command]
        self._log = log
        self._mark = uuid.uuid4().hex
        self._environment = {**environment, self.MARK: self._mark}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The command's own process."""
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        """What it wrote so far, in all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Begin a life."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def pids(self) -> dict[int, str]:
        """Command lines of its running processes, by process id."""
        return {pid: line for pid, line in processes_with(self.MARK, self._mark).items() if runs(pid)}

    def kill(self) -> None:
        """kill -9 for the command's own process; what it started must end by itself."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def kill_all(self) -> None:
        """kill -9 for every process of it at once, as when its machine fails."""
        for pid in self.pids():
            kill(pid)
        if self._process is not None:
            self._process.wait(PATIENCE)

    def wait(self) -> int:
        """Its exit code, once it has ended and left nothing behind."""
        code = self.process.wait(PATIENCE)
        wait_for(lambda: not self.pids())
        return code


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process, which may be gone by now."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


class Deployment(Client):
    """A service with its database and data folder. ``engine`` looks past it, into the database."""

    def __init__(
        self, mode: Mode, folder: Path, database_url: str | None, redis: RedisServer | None, **settings: str
    ) -> None:
        self.mode = mode
        self.redis = redis
        self._folder = folder
        self.data_dir = folder / "data"
        self._port = free_port()
        self.environment = {
            **os.environ,
            "IMPASTO_DATA_DIR": str(self.data_dir),
            "IMPASTO_PORT": str(self._port),
            # One thread each, so that several workers do not get into each other's way.
            "IMPASTO_THREADS": "1",
            **settings,
        }
        if database_url is not None:
            self.environment["IMPASTO_DATABASE_URL"] = database_url
        if redis is not None:
            self.environment["IMPASTO_REDIS_URL"] = redis.url
        own = Settings(data_dir=self.data_dir, database_url=database_url)
        self.engine = make_engine(own.resolved_database_url)
        self.parts = {name: self.make_part(name, command) for name, command in COMMANDS[mode].items()}

    def make_part(self, name: str, command: list[str]) -> Part:
        """A command of this deployment, which is yet to be started."""
        return Part(command, self._folder / f"{name}.log", self.environment)

    def add_worker(self, name: str) -> Part:
        """Start one more ``impasto worker``."""
        self.parts[name] = self.make_part(name, COMMANDS["celery"]["worker"])
        self.parts[name].start()
        return self.parts[name]

    @property
    def url(self) -> str:
        """Where it is, in every one of its lives."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def front(self) -> Part:
        """The command that serves HTTP: `impasto serve` or `impasto api`."""
        return self.parts["serve" if self.mode == "embedded" else "api"]

    def start(self) -> None:
        """Start everything, and wait until it is ready."""
        for part in self.parts.values():
            part.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until it says that it is ready, with a worker that is alive."""

        def ready() -> bool:
            for name, part in self.parts.items():
                assert part.process.poll() is None, f"{name} ended:\n{part.log}"
            return self.answers("/readyz") and any(runs(w.pid) for w in workers.list_alive(self.engine, 60.0))

        wait_for(ready)

    def answers(self, path: str) -> bool:
        """Whether a GET is answered with success."""
        try:
            return httpx.get(self.url + path, timeout=10, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def terminate(self) -> None:
        """SIGTERM to every command, and wait until all have ended well."""
        for part in self.parts.values():
            part.process.terminate()
        for name, part in self.parts.items():
            code = part.wait()
            assert code == 0, f"{name} ended with {code}:\n{part.log}"

    def close(self) -> None:
        """Kill what is left."""
        for part in self.parts.values():
            part.kill_all()
        self.engine.dispose()

    @property
    def logs(self) -> str:
        """What all parts wrote."""
        return "\n".join(f"===== {name}\n{part.log}" for name, part in self.parts.items())

    def upload(self, seed: int) -> str:
        """Upload a small picture; its id."""
        image = self.request("POST", "/v1/images", files={"image": ("noise.png", noise(seed=seed))})
        return str(image["id"])

    def job(self, job_id: str) -> Job:
        """A job as it stands in the database."""
        return get_job(self.engine, job_id)

    def wait_for_row(self, job_id: str, *states: str) -> Job:
        """The job once its row is in one of these states; works while no API runs."""

        def look() -> Job | None:
            job = self.job(job_id)
            return job if job.state in states else None

        job = wait_for(look)
        assert job is not None
        return job

    def wait_for_progress(self, job_id: str, attempt: int = 1) -> Job:
        """The job once an attempt, or a later one, has reported progress."""

        def look() -> Job | None:
            events = self.events(job_id)
            started = next((e.seq for e in events if e.data.get("attempt", 0) >= attempt), None)
            reported = started is not None and any(e.type == "progress" and e.seq > started for e in events)
            return self.job(job_id) if reported else None

        job = wait_for(look)
        assert job is not None
        return job

    def worker_of(self, job_id: str) -> int:
        """Process id of the process that computes a running job."""

        def look() -> int | None:
            worker_id = self.job(job_id).worker_id
            assert worker_id is not None, "the job does not run"
            return next(
                (w.pid for w in workers.list_alive(self.engine, 3600.0) if w.worker_id == worker_id), None
            )

        pid = wait_for(look)
        assert pid is not None
        return pid

    def events(self, job_id: str) -> list[Event]:
        """All events that a job has, from the database."""
        return list_events(self.engine, job_id, limit=100_000)

    def files_of(self, job_id: str) -> set[str]:
        """The files that a job has in the storage."""
        folder = self.data_dir / "files" / "jobs" / job_id
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    def pixels(self, job_id: str) -> NDArray[np.uint8]:
        """The picture that a job made."""
        return pixels_of(self.fetch(f"/v1/jobs/{job_id}/artifacts/image"))

    def fetch(self, path: str) -> bytes:
        """The bytes that a GET is answered with."""
        response = httpx.get(self.url + path, timeout=60, trust_env=False)
        assert response.is_success, response.text
        return response.content

    def check_made_once(self, job_id: str) -> None:
        """Assert that a job succeeded once, and that the files of one attempt are all that is left."""
        job = self.job(job_id)
        assert job.state == "succeeded", job
        assert [event.data["state"] for event in self.events(job_id) if event.type == "done"] == ["succeeded"]

        def swept() -> bool:
            # The worker sweeps after it has ended the job.
            return self.files_of(job_id) == {f"{job.attempt}/image.png", f"{job.attempt}/recipe.json"}

        try:
            wait_for(swept, 30)
        except AssertionError:
            raise AssertionError(f"attempt {job.attempt} left {self.files_of(job_id)}") from None


def pixels_of(png: bytes) -> NDArray[np.uint8]:
    """A PNG's pixels."""
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture)


@contextmanager
def deployed(
    mode: Mode, folder: Path, server: PostgresServer | None, **settings: str
) -> Iterator[Deployment]:
    """A service that is ready, and gone at the end. Over Celery it needs a PostgreSQL server.

    FileNotFoundError, whose message says so, if Redis is not installed.
    """
    with ExitStack() as stack:
        url = redis = None
        if mode == "celery":
            assert server is not None
            url = stack.enter_context(server.database())
            (folder / "redis").mkdir()
            redis = stack.enter_context(redis_server(folder / "redis"))
        service = Deployment(mode, folder, url, redis, **settings)
        stack.callback(service.close)
        service.start()
        yield service


@contextmanager
def shown_logs(deployment: AbstractContextManager[Deployment]) -> Iterator[Deployment]:
    """A service whose logs are shown if the test fails."""
    with deployment as service:
        try:
            yield service
        finally:
            print(service.logs)
