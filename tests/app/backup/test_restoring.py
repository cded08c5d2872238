"""What keeps a backup from being restored, and what does not."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import insert, inspect, select
from typer.testing import CliRunner

from app.backup import restoring
from app.backup.making import make_backup
from app.backup.manifest import BackupError
from app.backup.restoring import restore
from app.cli import program
from app.database.engine import make_engine, read, write
from app.database.migrations import configuration, upgrade
from app.database.schema import schema_of
from app.jobs.states import State
from app.jobs.tables import jobs, levels
from app.settings import Settings, sqlite_url
from app.workers import repository as workers
from tests.support.batch_context import BatchContext
from tests.support.databases import put_migrated
from tests.support.disks import small_disk
from tests.support.postgres import PostgresServer


@pytest.mark.medium
def test_a_restore_that_is_refused_migrates_nothing(
    small: BatchContext, target: Settings, tmp_path: Path
) -> None:
    make_backup(small.settings, tmp_path / "b")
    url = target.resolved_database_url
    target.data_dir.mkdir()
    command.upgrade(configuration(url), "0011")
    with pytest.raises(BackupError, match=r"in use \(it has the tables of revision 0011"):
        restore(target, tmp_path / "b")
    engine = make_engine(url)
    assert schema_of(engine).revision == "0011"
    engine.dispose()


def test_the_file_of_another_program_is_not_replaced(small: BatchContext, tmp_path: Path) -> None:
    make_backup(small.settings, tmp_path / "b")
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as connection:
        connection.execute("CREATE TABLE addresses (name)")
    theirs = Settings(data_dir=tmp_path / "restored", database_url=f"sqlite:///{tmp_path}/theirs.db")
    with pytest.raises(BackupError, match="tables of another program"):
        restore(theirs, tmp_path / "b")
    engine = make_engine(theirs.resolved_database_url)
    assert inspect(engine).get_table_names() == ["addresses"]
    engine.dispose()


@pytest.mark.medium
def test_what_came_while_files_were_copied_is_not_replaced(
    small: BatchContext, target: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_backup(small.settings, tmp_path / "b")
    settle = restoring._settle

    def settling(*arguments: Any) -> int:
        upgrade(target.resolved_database_url)
        engine = make_engine(target.resolved_database_url)
        BatchContext(engine, tmp_path / "theirs").add_image()
        workers.register(engine, worker_id="w", lanes=["long"], device="cpu", host="h", pid=1)
        workers.unregister(engine, "w")
        engine.dispose()
        return settle(*arguments)

    monkeypatch.setattr(restoring, "_settle", settling)
    with pytest.raises(BackupError, match=r"in use \(1 images\)"):
        restore(target, tmp_path / "b")


@pytest.mark.server
def test_a_database_that_was_used_and_emptied_is_restored_into(
    small: BatchContext, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    small.create(2)
    small.keep()
    small.end(State.SUCCEEDED)
    make_backup(small.settings, tmp_path / "b")
    with read(small.engine) as connection:
        there = connection.execute(select(levels)).mappings().all()
    assert there
    with postgres_server.database(migrated=True) as url:
        target = Settings(data_dir=tmp_path / "restored", database_url=url)
        engine = make_engine(url)
        with write(engine) as connection:
            connection.execute(insert(levels), [{**row, "turn": 99.0} for row in there])
        restore(target, tmp_path / "b")
        with read(engine) as connection:
            assert connection.execute(select(levels)).mappings().all() == there
            assert len(connection.execute(select(jobs.c.id)).all()) == 2
        engine.dispose()


def test_what_a_file_manager_left_in_a_backup_is_left_out_and_said(
    small: BatchContext, tmp_path: Path
) -> None:
    make_backup(small.settings, tmp_path / "b")
    (tmp_path / "b/files/.DS_Store").touch()
    (tmp_path / "b/files/images/a picture.png").touch()
    options = ["--data-dir", str(tmp_path / "restored")]
    back = CliRunner().invoke(program, ["restore", str(tmp_path / "b"), *options])
    assert back.exit_code == 0, back.output
    assert "files/.DS_Store: no file of a service" in back.stderr
    assert "files/images/a picture.png: no file of a service" in back.stderr
    assert len(os.listdir(tmp_path / "restored/files/images")) == 1


@pytest.mark.parametrize("size", [100_000, 10_000_000])
def test_an_sqlite_file_elsewhere_gets_its_name_once_it_is_whole(
    small: BatchContext, tmp_path: Path, size: int
) -> None:
    """On another file system, which is too small for it or not."""
    make_backup(small.settings, tmp_path / "b")
    with small_disk(tmp_path / "disk", size) as disk:
        target = Settings(data_dir=tmp_path / "restored", database_url=f"sqlite:///{disk}/x.db")
        if size == 100_000:
            with pytest.raises(BackupError, match=f"The disk of {disk} is full"):
                restore(target, tmp_path / "b")
            assert os.listdir(disk) == []
            return
        assert restore(target, tmp_path / "b").missing == []
        assert os.listdir(disk) == ["x.db"]
        # Only that one had to be elsewhere.
        assert not list(target.data_dir.glob("*.db*"))


def test_no_service_begins_in_a_backup(small: BatchContext, tmp_path: Path) -> None:
    make_backup(small.settings, tmp_path / "b")
    before = sorted(tmp_path.glob("b/**"))
    put_migrated(tmp_path / "empty.db")
    for folder in (tmp_path / "b", tmp_path / "b/data"):
        url = sqlite_url(tmp_path / "empty.db").render_as_string()
        with pytest.raises(BackupError, match="lies in the backup"):
            restore(Settings(data_dir=folder, database_url=url), tmp_path / "b")
    assert sorted(tmp_path.glob("b/**")) == before
