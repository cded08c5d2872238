"""API processes that die between commit and answer, start all at once, or may open no more files."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from app.database.engine import make_engine
from app.database.schema import schema_of
from app.jobs.repository import list_jobs
from app.settings import Settings
from tests.support.postgres import PostgresServer
from tests.support.redis import free_port
from tests.support.service import wait_for
from tests.support.strange_pictures import noise

pytestmark = pytest.mark.server

SERVE = """
import sys
import uvicorn
from app.main import create_app
uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")
"""
# A hint is sent after the commit and before the answer.
DIES = """
import os, signal
from app.jobs.dispatch.base import LocalDispatcher
LocalDispatcher.hint = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""
FILES = {"content": ("a.png", noise(seed=1)), "style": ("b.png", noise(seed=2))}


@contextmanager
def api(data_dir: Path, before: str = "") -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """An API process that answers, without workers, after some code; its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "IMPASTO_DATA_DIR": str(data_dir)}
    process = subprocess.Popen([sys.executable, "-c", before + SERVE, str(port)], env=environment)

    def answers() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"{url}/healthz", timeout=10, trust_env=False).is_success
        except httpx.TransportError:
            return False

    try:
        wait_for(answers)
        yield process, url
    finally:
        process.kill()
        process.wait()


def test_an_api_that_is_killed_between_commit_and_answer(tmp_path: Path) -> None:
    headers = {"Idempotency-Key": "one"}
    post = {"files": FILES, "headers": headers, "timeout": 60, "trust_env": False}
    with api(tmp_path / "data", DIES) as (process, url):
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{url}/v1/style-transfer", **post)  # type: ignore[arg-type]
        assert process.wait(60) == -signal.SIGKILL
    engine = make_engine(Settings(data_dir=tmp_path / "data").resolved_database_url)
    (job,) = list_jobs(engine, limit=10)
    with api(tmp_path / "data") as (_, url):
        answer = httpx.post(f"{url}/v1/style-transfer", **post)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["id"]) == (202, job.id), answer.text
    assert list_jobs(engine, limit=10) == [job]
    engine.dispose()
    # What came with the second request is not kept.
    assert len(list((tmp_path / "data/files/images").iterdir())) == 2


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_apis_that_start_at_once_on_an_empty_database(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'a.db'}"
        if database == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = stack.enter_context(server.database())
        environment = {**os.environ, "IMPASTO_DATA_DIR": str(tmp_path), "IMPASTO_DATABASE_URL": url}
        code = "from app.main import create_app; create_app()"
        processes = [
            subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE)
            for _ in range(3)
        ]
        for process in processes:
            _, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors.decode()
        engine = make_engine(url)
        assert schema_of(engine).state == "current" and list_jobs(engine, limit=1) == []
        engine.dispose()


@pytest.mark.slow
def test_an_api_that_may_open_no_more_files(tmp_path: Path) -> None:
    with api(tmp_path / "data") as (process, url):
        image = httpx.post(
            f"{url}/v1/images", files={"image": FILES["content"]}, timeout=60, trust_env=False
        ).json()
        most = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{process.pid}/fd"))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 2, most[1]))

        def look(_: int) -> int:
            try:
                path = f"{url}/v1/images/{image['id']}/content"
                return httpx.get(path, timeout=5, trust_env=False).status_code
            except httpx.TransportError:
                return 0  # not accepted, or not answered

        with ThreadPoolExecutor(16) as pool:
            codes = set(pool.map(look, range(48)))
        assert codes <= {0, 200, 503} and codes != {200}, codes
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, most)
        wait_for(lambda: look(0) == 200)
        assert process.poll() is None
        answer = httpx.post(f"{url}/v1/style-transfer", files=FILES, timeout=60, trust_env=False)
        assert answer.status_code == 202
