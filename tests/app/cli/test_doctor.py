"""``impasto doctor`` on services that are well, and on some that are not."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, update
from typer.testing import CliRunner

from app.cli import program
from app.database.engine import make_engine, now, write
from app.database.migrations import configuration, upgrade
from app.images.repository import NewImage, add_image
from app.jobs.repository import NewJob, create_job
from app.jobs.tables import jobs
from app.media import PictureInfo
from app.storage import Stored
from app.workers import repository as workers

Doctor = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Doctor:
    """What it says of the service in a folder, by part, and its exit code."""
    for name in [name for name in os.environ if name.startswith("IMPASTO_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, folder: Path = tmp_path / "data") -> tuple[int, dict[str, Any]]:
        result = CliRunner().invoke(program, ["doctor", "--json", "--data-dir", str(folder), *arguments])
        return result.exit_code, {check["part"]: check for check in json.loads(result.stdout)}

    return run


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    url = f"sqlite:///{tmp_path}/data/impasto.db"
    (tmp_path / "data").mkdir()
    upgrade(url)
    return make_engine(url)


@pytest.mark.medium
def test_before_the_first_start_nothing_is_wrong_and_nothing_is_made(doctor: Doctor, tmp_path: Path) -> None:
    code, found = doctor("--files")
    assert code == 0 and not (tmp_path / "data").exists()
    assert {part: check["state"] for part, check in found.items()} == {
        "data folder": "warning",
        "Redis": "ok",
        "database": "warning",
        "device": "ok",
    }


@pytest.mark.medium
def test_a_service_that_is_well(doctor: Doctor, engine: Engine) -> None:
    workers.register(
        engine, worker_id="w", lanes=["short", "long", "training"], device="cpu", host="h", pid=1
    )
    code, found = doctor("--files")
    assert code == 0 and {check["state"] for check in found.values()} == {"ok"}
    assert found["workers"]["found"] == "1 alive, on cpu"
    assert found["device"]["found"].startswith("cpu, ")


@pytest.mark.medium
def test_jobs_that_nobody_runs_and_files_that_are_gone(doctor: Doctor, engine: Engine) -> None:
    create_job(engine, NewJob("k", "long", {}))
    with write(engine) as connection:
        connection.execute(update(jobs).values(created_at=now() - 90))
    info = PictureInfo("PNG", "image/png", 1, 1, has_alpha=False, orientation=1, bytes=1)
    add_image(engine, NewImage("gone", None, info, Stored("images/gone", 1, "00")))
    code, found = doctor("--files")
    assert code == 1
    assert found["workers"]["state"] == "wrong" and "90 s" in found["workers"]["found"]
    assert "impasto worker" in found["workers"]["remedy"]
    assert found["files of rows"]["found"] == "images/gone: its file is missing"
    assert found["files without rows"]["state"] == "ok"


@pytest.mark.medium
def test_what_cannot_be_reached_is_named_with_a_remedy(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    code, found = doctor(folder=tmp_path / "file")
    assert code == 1 and found["data folder"]["state"] == "wrong"
    monkeypatch.setenv("IMPASTO_REDIS_URL", "redis://127.0.0.1:1/0")
    code, found = doctor()
    assert code == 1 and "refused" in found["Redis"]["found"]
    monkeypatch.setenv("IMPASTO_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/x")
    monkeypatch.setenv("IMPASTO_DEVICE", "cuda:99")
    code, found = doctor("--files")
    assert code == 1 and found["database"]["state"] == found["device"]["state"] == "wrong"
    assert "secret" not in json.dumps(found) and "IMPASTO_DATABASE_URL" in found["database"]["remedy"]
    assert "cuda:99" in found["device"]["found"]


@pytest.mark.medium
def test_tables_of_another_version(doctor: Doctor, engine: Engine) -> None:
    command.downgrade(configuration(str(engine.url)), "-1")
    code, found = doctor()
    assert code == 1 and "revision" in found["database"]["found"]
