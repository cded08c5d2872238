"""A PostgreSQL that takes no more connections, or whose own disk is full; a damaged SQLite file."""

import os
import subprocess
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from app.database.engine import is_disk_full, make_engine, read, write
from app.settings import Settings
from tests.app.conftest import serving
from tests.support.databases import put_migrated
from tests.support.disks import fill, small_disk
from tests.support.postgres import PostgresServer
from tests.support.service import IMPASTO, wait_for

pytestmark = pytest.mark.server


def count(engine: Engine) -> int:
    with read(engine) as connection:
        return int(connection.execute(text("SELECT count(*) FROM t")).scalar_one())


def take_all(server: PostgresServer, stack: ExitStack) -> None:
    """Take all connections that a server still gives."""
    with suppress(psycopg.OperationalError):
        while True:
            stack.enter_context(psycopg.connect(server.url))


def test_a_postgresql_that_takes_no_more_connections(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with postgres_server.database(migrated=True) as url, ExitStack() as stack:
        settings = Settings(data_dir=tmp_path / "data", database_url=url, allowed_hosts="testserver")
        with serving(settings) as client:
            assert client.get("/v1/jobs").status_code == 200
            take_all(postgres_server, stack)
            # What is connected goes on.
            assert client.get("/v1/jobs").status_code == 200

            def ask() -> httpx.Response | None:
                # The reaper's thread may be faster than this one.
                client.app.state.services.engine.dispose()  # type: ignore[attr-defined]
                take_all(postgres_server, stack)
                answer = client.get("/v1/jobs")
                return answer if answer.status_code != 200 else None

            refused = wait_for(ask)
            assert refused is not None
            assert (refused.status_code, refused.json()["type"]) == (503, "database_unavailable")
            assert int(refused.headers["Retry-After"]) > 0
            stack.close()
            # PostgreSQL takes a moment to free them.
            wait_for(lambda: client.get("/v1/jobs").status_code == 200)


def test_a_postgresql_whose_own_disk_is_full() -> None:
    with tempfile.TemporaryDirectory(prefix="impasto-disk-", dir="/tmp") as folder, ExitStack() as stack:
        # The server's user has to come by.
        os.chmod(folder, 0o755)
        disk = stack.enter_context(small_disk(Path(folder) / "pg", 200_000_000))
        server = PostgresServer(disk)
        server.start()
        stack.callback(server.stop)
        engine = make_engine(server.url)
        stack.callback(engine.dispose)
        with write(engine) as connection:
            connection.execute(text("CREATE TABLE t (n int, filler text)"))
            connection.execute(text("ALTER TABLE t ALTER filler SET STORAGE EXTERNAL"))
        filler = fill(disk, leave=4_000_000)
        written, errors = 0, []
        for number in range(100):
            try:
                with write(engine) as connection:
                    row = {"n": number, "filler": "x" * 500_000}
                    connection.execute(text("INSERT INTO t VALUES (:n, :filler)"), row)
                written += 1
            except OperationalError as error:
                errors.append(error)
                if len(errors) > 3:
                    break
        # 507 for the client; 503 if the server ends for want of space for its log.
        assert errors and (is_disk_full(errors[0]) or errors[0].connection_invalidated), errors[0]
        filler.unlink()
        if not server.is_running():
            server.start()
        assert count(engine) >= written
        with write(engine) as connection:
            connection.execute(text("INSERT INTO t VALUES (1, '')"))


def test_a_damaged_sqlite_file_is_said_in_one_line(tmp_path: Path) -> None:
    put_migrated(tmp_path / "impasto.db")
    path = tmp_path / "impasto.db"
    path.write_bytes(os.urandom(4096) + path.read_bytes()[4096:])
    environment = {**os.environ, "IMPASTO_DATA_DIR": str(tmp_path), "IMPASTO_PORT": "0"}
    result = subprocess.run([IMPASTO, "serve"], env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2 and result.stderr.count("\n") == 1, result.stderr
    assert "file is not a database" in result.stderr and "IMPASTO_DATABASE_URL" in result.stderr
