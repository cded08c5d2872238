"""``impasto doctor`` on services that are well, and on some that are not."""

import json
import os
import re
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
from app.supervision import devices
from app.workers import repository as workers
from app.workers.memory import has_accelerator
from tests.support.redis import redis_server

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


def states(*arguments: str, **settings: str) -> list[tuple[str, str, str]]:
    """Part, state and finding of each check, in order."""
    result = CliRunner().invoke(program, ["doctor", "--json", *arguments], env=settings)
    return [(check["part"], check["state"], check["found"]) for check in json.loads(result.stdout)]


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
def test_jobs_that_nobody_runs_and_files_that_are_gone(
    doctor: Doctor, engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "data/files/images").mkdir(parents=True)
    create_job(engine, NewJob("k", "long", {}))
    with write(engine) as connection:
        connection.execute(update(jobs).values(created_at=now() - 90))
    info = PictureInfo("PNG", "image/png", 1, 1, has_alpha=False, orientation=1, bytes=1)
    add_image(engine, NewImage("gone", None, info, Stored("images/gone", 1, "00")))
    code, found = doctor("--files")
    assert code == 1
    assert found["workers"]["state"] == "wrong" and re.search(r"since 9\d s", found["workers"]["found"])
    assert "impasto worker" in found["workers"]["remedy"]
    assert found["files of rows"]["found"] == "images/gone: its file is missing"
    assert found["files without rows"]["state"] == "ok"


@pytest.mark.medium
def test_a_disk_of_files_that_is_not_mounted(doctor: Doctor, engine: Engine, tmp_path: Path) -> None:
    info = PictureInfo("PNG", "image/png", 1, 1, has_alpha=False, orientation=1, bytes=1)
    add_image(engine, NewImage("away", None, info, Stored("images/away", 1, "00")))
    code, found = doctor()
    assert code == 1 and found["files"]["state"] == "wrong"
    assert str(tmp_path / "data/files") in found["files"]["found"]
    assert "Mount its disk" in found["files"]["remedy"]


@pytest.mark.medium
def test_a_folder_that_cannot_be_read_is_named_and_so_is_the_rest(
    doctor: Doctor, engine: Engine, tmp_path: Path
) -> None:
    info = PictureInfo("PNG", "image/png", 1, 1, has_alpha=False, orientation=1, bytes=1)
    add_image(engine, NewImage("gone", None, info, Stored("images/gone", 1, "00")))
    files = tmp_path / "data/files"
    (files / "images").mkdir(parents=True)
    (files / "jobs").symlink_to("jobs")
    code, found = doctor("--files")
    assert code == 1 and found["files of rows"]["found"] == "images/gone: its file is missing"
    assert found["files without rows"]["state"] == "ok" and found["unreadable files"]["state"] == "wrong"
    assert found["unreadable files"]["found"] == "jobs: it cannot be read: Too many levels of symbolic links"
    assert "permissions" in found["unreadable files"]["remedy"]


@pytest.mark.medium
def test_files_that_cannot_be_opened_at_all_are_one_line(
    doctor: Doctor, engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "data/files").mkdir()
    (tmp_path / "data/files/.tmp").symlink_to(".tmp")
    code, found = doctor("--files")
    assert code == 1 and found["files"]["state"] == "wrong" and ".tmp" in found["files"]["found"]
    assert "mount" in found["files"]["remedy"] and found["database"]["state"] == "ok"


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


@pytest.mark.medium
@pytest.mark.parametrize("url", ["", "sqlite:///{}/none/mine.db"])
def test_a_database_that_is_not_there_is_not_made(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    monkeypatch.setenv("IMPASTO_DATABASE_URL", url.format(tmp_path))
    code, found = doctor("--files")
    assert code == 0 and found["database"]["state"] == "warning"
    assert "is not there yet" in found["database"]["found"]
    assert os.listdir(tmp_path) == []


@pytest.mark.medium
def test_without_the_folder_of_files_none_is_made(
    doctor: Doctor, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMPASTO_DATABASE_URL", str(engine.url))
    info = PictureInfo("PNG", "image/png", 1, 1, has_alpha=False, orientation=1, bytes=1)
    add_image(engine, NewImage("there", None, info, Stored("images/there", 1, "00")))
    code, found = doctor("--files", folder=tmp_path / "elsewhere")
    assert code == 1 and found["files"]["state"] == "wrong"
    assert "IMPASTO_DATA_DIR" in found["files"]["remedy"]
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.medium
@pytest.mark.server
@pytest.mark.parametrize("url", ["", "sqlite:///{}/shared.db"])
def test_redis_without_postgresql_is_wrong_as_for_the_commands(
    doctor: Doctor, tmp_path: Path, url: str
) -> None:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as server:
        found = states(
            *("--data-dir", str(tmp_path / "data")),
            IMPASTO_REDIS_URL=server.url,
            IMPASTO_DATABASE_URL=url.format(tmp_path),
        )
    (redis,) = [check for check in found if check[0] == "Redis"]
    assert redis[1] == "wrong" and "IMPASTO_DATABASE_URL names no PostgreSQL" in redis[2]


@pytest.mark.medium
def test_every_device_is_tried_those_of_training_too(doctor: Doctor, tmp_path: Path) -> None:
    found = states(
        *("--data-dir", str(tmp_path / "data")),
        IMPASTO_DEVICE="cuda:98,cpu,cuda:99,cpu",
        IMPASTO_TRAINING_DEVICES="cpu,cuda:97",
    )
    tried = [check for check in found if "device" in check[0]]
    assert [check[:2] for check in tried] == [
        ("device", "wrong"),
        ("device", "ok"),
        ("device", "wrong"),
        ("training device", "ok"),
        ("training device", "wrong"),
    ]
    assert "IMPASTO_DEVICE is 'cuda:98'" in tried[0][2] and "IMPASTO_DEVICE is 'cuda:99'" in tried[2][2]
    assert "IMPASTO_TRAINING_DEVICES is 'cuda:97'" in tried[4][2]
    assert [check[1] for check in states(IMPASTO_DEVICE=",") if check[0] == "device"] == ["wrong"]


@pytest.mark.medium
@pytest.mark.skipif(has_accelerator(), reason="this machine has an accelerator")
def test_auto_is_every_gpu(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "has_accelerator", lambda: True)
    monkeypatch.setattr(devices, "available_devices", lambda: ["cuda:0", "cuda:1", "cpu"])
    found = states("--data-dir", str(tmp_path / "data"))
    tried = [check[2] for check in found if check[0] == "device"]
    assert len(tried) == 2 and "cuda:0" in tried[0] and "cuda:1" in tried[1]


@pytest.mark.medium
def test_paths_are_printed_as_they_are(doctor: Doctor, tmp_path: Path) -> None:
    folder = tmp_path / "data [old] :cat:"
    result = CliRunner().invoke(program, ["doctor", "--data-dir", str(folder)], env={"COLUMNS": "400"})
    assert f"{folder} is not there yet" in result.stdout
