"""What the service does when its disk is nearly full: no test needs a full one here."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from psycopg.errors import DiskFull
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import OperationalError

from app.database.engine import is_disk_full, make_engine, write
from app.database.migrations import upgrade
from app.database.removal import remove
from app.http.services import Services
from app.jobs import claims, needs, repository
from app.jobs.states import State
from app.settings import Settings
from app.storage import FolderStorage, StorageFull
from app.workers.tables import workers
from tests.app.conftest import upload

URL = "/v1/style-transfer"


def keep_free(services: Services, size: int) -> None:
    """Have so many bytes stay free from now on."""
    storage = services.storage
    assert isinstance(storage, FolderStorage)
    storage._min_free_bytes = size


def refused(answer: Any) -> None:
    assert answer.status_code == 507, answer.text
    assert answer.json()["type"] == "storage_full" and "bytes are missing" in answer.json()["detail"]


def test_uploads_and_jobs_are_refused_and_deletes_are_not(
    client: TestClient, services: Services, image_id: str
) -> None:
    job = client.post(URL, json={"content": image_id, "style": image_id}).json()
    client.post(f"/v1/jobs/{job['id']}/cancel")
    keep_free(services, 1 << 60)
    refused(upload(client))
    refused(client.post(URL, json={"content": image_id, "style": image_id}))
    refused(client.post(f"/v1/jobs/{job['id']}/retry"))
    assert len(client.get("/v1/jobs").json()["items"]) == 1

    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert client.delete(f"/v1/images/{image_id}").status_code == 204
    keep_free(services, 0)
    assert upload(client).status_code == 201


def test_what_is_missing_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 1000
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free}))
    FolderStorage(tmp_path / "a", 1000).require_space()
    FolderStorage(tmp_path / "a", 900).require_space(100)
    with pytest.raises(StorageFull, match=r"\(1 of 1,001 bytes are missing\)"):
        FolderStorage(tmp_path / "a", 1000).require_space(1)
    FolderStorage(tmp_path / "a", 0).require_space(10_000)


@pytest.fixture
def full(settings: Settings) -> Engine:
    """A SQLite database that cannot grow, as on a full disk."""
    upgrade(settings.resolved_database_url)
    engine = make_engine(settings.resolved_database_url)
    with write(engine) as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    return engine


def fill(engine: Engine) -> None:
    row = {
        "lanes": ["long" * 1000],
        "device": "cpu",
        "host": "h",
        "pid": 1,
        "started_at": 0.0,
        "seen_at": 0.0,
    }
    for number in range(100):
        with write(engine) as connection:
            connection.execute(insert(workers).values(worker_id=f"w{number}", **row))


def test_a_full_database_is_told_from_one_that_is_away(full: Engine, tmp_path: Path) -> None:
    with pytest.raises(OperationalError) as caught:
        fill(full)
    assert is_disk_full(caught.value)
    away = make_engine(f"sqlite:///{tmp_path}")
    with pytest.raises(OperationalError) as caught, write(away):
        pass
    assert not is_disk_full(caught.value)


def error(code: int) -> OperationalError:
    cause = sqlite3.OperationalError("database or disk is full")
    cause.sqlite_errorcode = code
    return OperationalError("delete", {}, cause)


def test_files_go_first_where_a_row_cannot() -> None:
    done: list[str] = []

    def row() -> None:
        if "files" not in done:
            raise error(sqlite3.SQLITE_FULL)
        done.append("row")

    remove(row, lambda: done.append("files"))
    assert done == ["files", "row", "files"]

    def away() -> None:
        raise error(sqlite3.SQLITE_BUSY)

    def never() -> None:
        raise AssertionError("files of a row that is there")

    with pytest.raises(OperationalError):
        remove(away, never)

    # The disk of PostgreSQL may be another one than that of the files.
    def full_elsewhere() -> None:
        raise OperationalError("delete", {}, DiskFull())

    with pytest.raises(OperationalError):
        remove(full_elsewhere, never)


def test_the_client_is_told_of_a_full_database(
    client: TestClient, image_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(*_: object) -> None:
        raise error(sqlite3.SQLITE_FULL)

    monkeypatch.setattr(repository, "create_job", create)
    answer = client.post(URL, json={"content": image_id, "style": image_id})
    assert answer.status_code == 507 and "database" in answer.json()["detail"]


@pytest.mark.medium
@pytest.mark.parametrize("running", [False, True])
def test_only_a_job_that_has_ended_loses_its_files(
    client: TestClient, services: Services, image_id: str, running: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = client.post(URL, json={"content": image_id, "style": image_id}).json()
    claim = claims.claim_next(services.engine, "w1", ["long"], 30)
    assert claim is not None
    if not running:
        claims.finish(services.engine, claim, State.FAILED)
    services.storage.put(f"jobs/{job['id']}/work/1", b"checkpoint")
    delete_job: Callable[..., None] = needs.delete_job
    tries: list[int] = []

    def at_second_try(*arguments: object) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise error(sqlite3.SQLITE_FULL)
        delete_job(*arguments)

    monkeypatch.setattr(needs, "delete_job", at_second_try)
    answer = client.delete(f"/v1/jobs/{job['id']}")
    assert answer.status_code == (409 if running else 204)
    left = (services.settings.data_dir / "files" / "jobs" / job["id"] / "work" / "1").exists()
    assert left == running
