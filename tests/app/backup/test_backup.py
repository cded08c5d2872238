"""Backups of services, and what is restored of them, on each database and from one to the other."""

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, Table, insert, inspect, select
from typer.testing import CliRunner

from app.backup import making
from app.backup.making import make_backup
from app.backup.manifest import BackupError, sha256_of
from app.backup.restoring import restore
from app.backup.rows import TABLE_MODULES
from app.cli import program
from app.database.engine import make_engine, read, write
from app.database.ids import new_id
from app.database.metadata import metadata
from app.database.migrations import configuration
from app.datasets.tables import dataset_members, datasets
from app.images.tables import images
from app.jobs import repository
from app.jobs.claims import report_progress, save_checkpoint
from app.jobs.states import State
from app.jobs.storage_keys import checkpoint_key
from app.jobs.tables import chores, jobs
from app.networks.tables import networks
from app.settings import Settings
from app.storage import FolderStorage
from app.supervision.startup import claim_data_dir
from app.workers import repository as workers
from tests.support.batch_context import BatchContext
from tests.support.batches import give
from tests.support.databases import put_migrated

SHA = "ab" * 32


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[BatchContext]:
    """A service, by its database and folder, with something of everything."""
    engine = make_engine(database_url)
    context = BatchContext(engine, tmp_path / "data")
    fill(context)
    yield context
    engine.dispose()


def fill(context: BatchContext) -> None:
    context.create(6, 2)
    context.keep()
    for job in context.end(State.SUCCEEDED, 2):
        give(context.engine, context.storage, job.id, "image", b"a picture")
    context.end(State.FAILED)
    (running,) = context.claim()
    report_progress(
        context.engine, running, {"done": 7, "total": 9, "losses": {"x": 0.1}, "eta_seconds": None}
    )
    key = checkpoint_key(running.job.id, 1, 7)
    context.storage.put(key, b"a state")
    save_checkpoint(context.engine, running, key, 7)
    (cancelled,) = context.claim()
    repository.request_cancel(context.engine, cancelled.job.id)
    image, dataset, network = context.add_image(imported=True), new_id(), new_id()
    shared: dict[str, Any] = {"sha256": SHA, "bytes": 1, "created_at": 1.1e9 + 1 / 3}
    with write(context.engine) as connection:
        values = {"name": "pets", "source": "upload", "options": {}, "state": "open", "members": 1}
        connection.execute(insert(datasets).values(id=dataset, duplicates=0, **values, **shared))
        member = {
            "position": 0,
            "image_id": image,
            "sha256": SHA,
            "label": "cat ü \U0001f408",
            "name": "a.png",
        }
        connection.execute(
            insert(dataset_members).values(dataset_id=dataset, boxes=[[0, 0.5, 1, 1]], **member)
        )
        key = f"networks/{network}/1.safetensors"
        values = {"name": "mine", "card": {"a": [1, None]}, "key": key, "origin": "import"}
        connection.execute(insert(networks).values(id=network, **values, **shared))
        connection.execute(insert(chores).values(name="scrub", begun_at=1e9))
    context.storage.put(key, b"w")
    workers.register(context.engine, worker_id="w", lanes=["long"], device="cpu", host="h", pid=1)


def settings_of(context: BatchContext) -> Settings:
    url = context.engine.url.render_as_string(hide_password=False)
    return Settings(data_dir=context.settings.data_dir, database_url=url)


def rows_of(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    with read(engine) as connection:
        return {
            table.name: [
                dict(row)
                for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            ]
            for table in metadata.sorted_tables
        }


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and ".tmp" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_no_table_is_forgotten(tmp_path: Path) -> None:
    put_migrated(tmp_path / "a.db")
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    made = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    assert {
        value.name for module in TABLE_MODULES for value in vars(module).values() if isinstance(value, Table)
    } == made


@pytest.mark.medium
def test_all_rows_and_files_come_back_whatever_the_databases(
    context: BatchContext, target: Settings, tmp_path: Path
) -> None:
    before, files = rows_of(context.engine), files_of(context.storage.root)
    manifest, copied = make_backup(settings_of(context), tmp_path / "backup")
    assert (manifest.jobs, manifest.pictures, manifest.files) == (5, 1, len(files))
    assert copied.unreadable == {}
    # What it was made of is left alone.
    assert (rows_of(context.engine), files_of(context.storage.root)) == (before, files)

    restored = restore(target, tmp_path / "backup")
    assert (restored.released, restored.missing) == (2, [])
    engine = make_engine(target.resolved_database_url)
    after = rows_of(engine)
    running = {row["id"]: row for row in before["jobs"] if row["state"] == "running"}
    assert len(running) == 2
    for old, new in zip(before["jobs"], after["jobs"], strict=True):
        if new["id"] not in running:
            assert new == old
        else:
            changed = {name for name in new if new[name] != old[name]}
            assert {"state", "worker_id", "lease_until", "seq"} <= changed
            assert new["state"] == ("cancelled" if old["cancel_requested_at"] else "queued")
            assert (new["seq"], new["lost_attempts"], new["attempt"]) == (old["seq"] + 1, 0, 1)
    for name in before.keys() - {"jobs", "job_events", "workers", "chores"}:
        assert after[name] == before[name], name
    assert [row for row in after["job_events"] if row in before["job_events"]] == before["job_events"]
    assert len(after["job_events"]) == len(before["job_events"]) + 2
    assert (after["workers"], after["chores"]) == ([], [])
    assert files_of(target.data_dir / "files") == files

    # The service goes on with it.
    there = BatchContext(engine, target.data_dir)
    claims = there.claim(9)
    goes_on = next(claim for claim in claims if claim.job.checkpoint)
    assert goes_on.attempt == 2 and goes_on.job.progress is not None
    engine.dispose()


@pytest.mark.medium
def test_what_changes_while_it_is_copied_is_there(
    context: BatchContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are deleted, and those that come, before and after the moment of the database."""
    snapshot = making.snapshot
    image = context.add_image()
    made: list[str] = []

    def changing(engine: Engine, path: Path) -> None:
        made.append(context.add_image())
        snapshot(engine, path)
        with write(engine) as connection:
            connection.execute(
                metadata.tables["images"].delete().where(metadata.tables["images"].c.id == image)
            )
        context.storage.delete(f"images/{image}")
        made.append(context.add_image())

    monkeypatch.setattr(making, "snapshot", changing)
    make_backup(settings_of(context), tmp_path / "backup")
    target = Settings(data_dir=tmp_path / "restored")
    assert restore(target, tmp_path / "backup").missing == []
    engine = make_engine(target.resolved_database_url)
    with read(engine) as connection:
        there = set(connection.execute(select(images.c.id)).scalars())
    engine.dispose()
    assert {image, made[0]} <= there and made[1] not in there
    assert f"images/{made[1]}" in files_of(target.data_dir / "files")


def test_what_is_missing_or_cannot_be_read_is_said_and_the_rest_comes_back(
    small: BatchContext, tmp_path: Path
) -> None:
    lost, folder = small.add_image(), small.add_image()
    small.storage.delete(f"images/{lost}")
    small.storage.delete(f"images/{folder}")
    (small.storage.root / "images" / folder).mkdir()
    # As a bad sector, a link that leads to itself cannot be read.
    (small.storage.root / "images/round").symlink_to("round")
    run = CliRunner().invoke
    backup = run(program, ["backup", str(tmp_path / "b"), "--data-dir", str(tmp_path / "data")])
    assert backup.exit_code == 1, backup.output
    assert "images/round: Too many levels of symbolic links" in backup.output
    assert "Backed up 0 jobs, 3 pictures and 1 files (1 bytes)" in backup.output
    back = run(program, ["restore", str(tmp_path / "b"), "--data-dir", str(tmp_path / "restored")])
    assert back.exit_code == 0, back.output
    assert f"images/{lost}: its file is missing" in back.output
    assert f"images/{folder}: its file is missing" in back.output
    assert "have to be uploaded again" in back.output


def test_a_file_of_the_same_size_and_other_content_is_restored(small: BatchContext, tmp_path: Path) -> None:
    image = small.add_image()
    small.settings.weights.path.mkdir(parents=True)
    (small.settings.weights.path / "vgg19.safetensors").write_bytes(b"right")
    make_backup(small.settings, tmp_path / "b")
    target = Settings(data_dir=tmp_path / "restored")
    there = {
        target.data_dir / "files/images" / image: b"y",
        target.weights.path / "vgg19.safetensors": b"wrong",
    }
    for path, data in there.items():
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    assert restore(target, tmp_path / "b").missing == []
    assert [path.read_bytes() for path in there] == [b"x", b"right"]


def test_a_restore_that_was_interrupted_is_done_again(
    small: BatchContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = small.add_image()
    make_backup(small.settings, tmp_path / "b")
    target = Settings(data_dir=tmp_path / "restored")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("app.backup.restoring._put_in_place", interrupted)
        with pytest.raises(KeyboardInterrupt):
            restore(target, tmp_path / "b")
    half = target.data_dir / "files/images" / image
    half.write_bytes(b"")
    assert not (target.data_dir / "impasto.db").exists()
    assert restore(target, tmp_path / "b").missing == []
    assert half.read_bytes() == b"x"
    assert not (target.data_dir / "impasto.db.restoring").exists()


def test_a_backup_of_an_earlier_version_is_migrated_and_one_of_a_later_is_refused(
    small: BatchContext, tmp_path: Path
) -> None:
    make_backup(small.settings, tmp_path / "b")
    path = tmp_path / "b/manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "revision": "9999", "version": "7.0"}))
    with pytest.raises(BackupError, match=r"version 7\.0"):
        restore(Settings(data_dir=tmp_path / "restored"), tmp_path / "b")
    path.write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(BackupError, match="format"):
        restore(Settings(data_dir=tmp_path / "restored"), tmp_path / "b")
    database = tmp_path / "b/impasto.db"
    command.downgrade(configuration(f"sqlite:///{database}"), "0011")
    old = {**manifest, "revision": "0011", "database_sha256": sha256_of(database)}
    path.write_text(json.dumps(old))
    assert restore(Settings(data_dir=tmp_path / "restored"), tmp_path / "b").missing == []


def test_nothing_is_replaced_and_nobody_is_disturbed(small: BatchContext, tmp_path: Path) -> None:
    make_backup(small.settings, tmp_path / "b")
    with pytest.raises(BackupError, match="not empty: name a new folder"):
        make_backup(small.settings, tmp_path / "b")
    with pytest.raises(BackupError, match=r"in use \(1 images\)"):
        restore(small.settings, tmp_path / "b")
    target = Settings(data_dir=tmp_path / "restored")
    with claim_data_dir(target.data_dir), pytest.raises(BackupError, match="Another service"):
        restore(target, tmp_path / "b")
    # A service that was started, and did nothing yet.
    put_migrated(target.data_dir / "impasto.db")
    engine = make_engine(target.resolved_database_url)
    workers.register(engine, worker_id="w", lanes=["long"], device="cpu", host="h", pid=1)
    with pytest.raises(BackupError, match="stop the service"):
        restore(target, tmp_path / "b")
    workers.unregister(engine, "w")
    engine.dispose()
    assert restore(target, tmp_path / "b").missing == []


def test_what_is_no_backup_is_refused(small: BatchContext, tmp_path: Path) -> None:
    target = Settings(data_dir=tmp_path / "restored")
    with pytest.raises(BackupError, match=r"no whole backup: it has no manifest.json"):
        restore(target, tmp_path / "nowhere")
    with pytest.raises(BackupError, match="no service in"):
        make_backup(target, tmp_path / "b")
    with pytest.raises(BackupError, match="lies in the data folder"):
        make_backup(small.settings, small.storage.root / "images/b")
    make_backup(small.settings, tmp_path / "b")
    with sqlite3.connect(tmp_path / "b/impasto.db") as connection:
        connection.execute("DELETE FROM images")
    connection.close()
    with pytest.raises(BackupError, match="damaged"):
        restore(target, tmp_path / "b")
    (tmp_path / "b/impasto.db").unlink()
    with pytest.raises(BackupError, match=r"no impasto.db"):
        restore(target, tmp_path / "b")
    assert os.listdir(tmp_path / "b") and not (target.data_dir / "impasto.db").exists()


def test_the_backup_is_private_and_holds_no_leftovers(small: BatchContext, tmp_path: Path) -> None:
    (small.storage.root / ".tmp/half").write_bytes(b"half a file")
    weights = tmp_path / "data/weights"
    weights.mkdir()
    (weights / "vgg19.safetensors").write_bytes(b"weights")
    make_backup(small.settings, tmp_path / "b")
    assert sorted(os.listdir(tmp_path / "b")) == ["files", "impasto.db", "manifest.json", "weights"]
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0
    assert len(files_of(tmp_path / "b/files")) == 1
    target = Settings(data_dir=tmp_path / "restored")
    restore(target, tmp_path / "b")
    assert (target.data_dir / "weights/vgg19.safetensors").read_bytes() == b"weights"
    assert isinstance(FolderStorage(target.data_dir / "files"), FolderStorage)
    engine = make_engine(target.resolved_database_url)
    with read(engine) as connection:
        assert connection.execute(select(jobs)).all() == []
    engine.dispose()
