"""Commands of a service at a database of another release, or one that cannot be reached: real processes."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.database.engine import make_engine
from app.database.schema import schema_of
from tests.support.databases import leave_to_a_newer_release
from tests.support.deployment import Deployment
from tests.support.postgres import PostgresServer
from tests.support.redis import free_port, redis_server
from tests.support.service import IMPASTO, wait_for

pytestmark = pytest.mark.server

NOBODY = "redis://127.0.0.1:1/0"
LONG = 20_000


def impasto(command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """What a command says that ends by itself."""
    environment = {**os.environ, "IMPASTO_PORT": "0", **settings}
    return subprocess.run([IMPASTO, command], env=environment, capture_output=True, text=True, timeout=120)


def check_one_line(result: subprocess.CompletedProcess[str], *told: str) -> None:
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    for part in told:
        assert part in result.stderr


@pytest.fixture
def service(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Deployment]:
    """A service over Redis whose database is empty, and of which nothing runs yet."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres_server.database())
        (tmp_path / "redis").mkdir()
        try:
            redis = stack.enter_context(redis_server(tmp_path / "redis"))
        except FileNotFoundError as error:
            pytest.skip(str(error))
        settings = {"IMPASTO_LANES": "long", "IMPASTO_CHECKPOINT_SECONDS": "0.2"}
        service = Deployment("celery", tmp_path, url, redis, **settings)
        stack.callback(service.close)
        yield service
        print(service.logs)


@pytest.mark.slow
def test_workers_wait_for_the_api_to_migrate_and_end_when_a_newer_one_has(service: Deployment) -> None:
    worker = service.parts["worker"]
    worker.start()
    wait_for(lambda: "no tables yet" in worker.log)
    assert "impasto api" in worker.log
    assert schema_of(service.engine).state == "empty"
    service.front.start()
    service.wait_until_ready()
    assert schema_of(service.engine).state == "current"

    job_id = service.paint(size=48, steps=LONG)
    service.wait_for_progress(job_id)
    wait_for(lambda: service.job(job_id).checkpoint is not None)
    leave_to_a_newer_release(service.engine)
    assert worker.wait() == 2
    assert "revision 9999" in worker.log and "newer release" in worker.log
    assert "Traceback" not in worker.log
    # Nothing is lost: a worker of that release goes on from the checkpoint.
    job = service.job(job_id)
    assert (job.state, job.lost_attempts) == ("queued", 0)
    assert job.checkpoint is not None and job.checkpoint["done"] > 0
    # An API tells those who send it requests that it is the old one.
    wait_for(lambda: not service.answers("/readyz"))
    assert service.answers("/healthz")


@pytest.mark.parametrize("command", ["api", "worker", "serve"])
def test_no_command_uses_the_database_of_a_newer_release(
    command: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with postgres_server.database(migrated=True) as url:
        engine = make_engine(url)
        leave_to_a_newer_release(engine)
        settings = {"IMPASTO_DATABASE_URL": url, "IMPASTO_DATA_DIR": str(tmp_path)}
        if command != "serve":
            settings["IMPASTO_REDIS_URL"] = NOBODY
        result = impasto(command, **settings)
        lines = result.stderr.splitlines()
        assert result.returncode == 2 and "Traceback" not in result.stderr, result.stderr
        assert "revision 9999" in lines[-1] and "newer release" in lines[-1]
        engine.dispose()


@pytest.mark.parametrize("command", ["api", "worker"])
@pytest.mark.parametrize(
    "silent", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["refused", "silent"]
)
def test_a_database_that_cannot_be_reached_ends_the_command(
    command: str, silent: bool, tmp_path: Path
) -> None:
    with socket.socket() as listener:
        # One that accepts and never answers, as behind a firewall; or one that nobody listens on.
        port = free_port()
        if silent:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
        url = f"postgresql://impasto:secret@127.0.0.1:{port}/impasto"
        settings = {"IMPASTO_DATABASE_URL": url, "IMPASTO_REDIS_URL": NOBODY}
        result = impasto(command, IMPASTO_DATA_DIR=str(tmp_path), **settings)
    assert result.returncode == 2 and "Traceback" not in result.stderr, result.stderr
    assert "IMPASTO_DATABASE_URL" in result.stderr.splitlines()[-1]
    assert "secret" not in result.stderr


@pytest.mark.parametrize("command", ["api", "worker"])
@pytest.mark.parametrize("url", [None, "sqlite:////tmp/shared.db"])
def test_redis_without_postgresql_is_refused(command: str, url: str | None, tmp_path: Path) -> None:
    settings = {"IMPASTO_REDIS_URL": NOBODY, "IMPASTO_DATA_DIR": str(tmp_path / "data")}
    if url is not None:
        settings["IMPASTO_DATABASE_URL"] = url
    check_one_line(impasto(command, **settings), "IMPASTO_DATABASE_URL", "PostgreSQL", "impasto serve")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("IMPASTO_DATABASE_URL", "mysql://me:secret@host/x"), ("IMPASTO_REDIS_URL", "host:6379")],
)
def test_urls_of_other_servers_are_refused(name: str, value: str, tmp_path: Path) -> None:
    settings = {"IMPASTO_DATABASE_URL": "postgresql://a@b/c", "IMPASTO_REDIS_URL": NOBODY, name: value}
    result = impasto("api", IMPASTO_DATA_DIR=str(tmp_path), **settings)
    check_one_line(result, name)
    assert "secret" not in result.stderr
