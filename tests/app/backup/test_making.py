"""What keeps a backup from being made, and what does not."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.backup.making import make_backup
from app.backup.manifest import BackupError, read_manifest
from app.backup.restoring import restore
from app.cli import program
from app.database.engine import make_engine
from app.settings import Settings
from app.storage import make_storage
from tests.support.batch_context import BatchContext
from tests.support.disks import small_disk


def test_weights_that_vanish_or_cannot_be_read_keep_nothing_else_out(
    small: BatchContext, tmp_path: Path
) -> None:
    weights = tmp_path / "data/weights"
    weights.mkdir()
    (weights / "vgg16.safetensors").write_bytes(b"weights")
    for name in (".vgg19.lock", "vgg19.pth.partial", "vgg19.pth.partial.json"):
        (weights / name).write_bytes(b"half")
    # As one that is renamed away at this moment, and a bad sector.
    (weights / "gone.pth").symlink_to("nowhere")
    (weights / "round.safetensors").symlink_to("round.safetensors")
    run = CliRunner().invoke
    made = run(program, ["backup", str(tmp_path / "b"), "--data-dir", str(tmp_path / "data")])
    assert made.exit_code == 1, made.output
    assert "weights/round.safetensors: Too many levels of symbolic links" in made.output
    assert os.listdir(tmp_path / "b/weights") == ["vgg16.safetensors"]

    (tmp_path / "b/weights/bad.safetensors").symlink_to("bad.safetensors")
    back = run(program, ["restore", str(tmp_path / "b"), "--data-dir", str(tmp_path / "restored")])
    assert back.exit_code == 0, back.output
    assert "weights/bad.safetensors: Too many levels of symbolic links" in back.output
    assert os.listdir(tmp_path / "restored/weights") == ["vgg16.safetensors"]


def make_deep(folder: Path) -> None:
    """Make a file in so many folders that no path leads to it."""
    name, levels = "d" * 190, 22
    folder.mkdir(parents=True, exist_ok=True)
    at = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("lost", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


def test_folders_that_cannot_be_read_keep_nothing_else_out(small: BatchContext, tmp_path: Path) -> None:
    run = CliRunner().invoke
    data, backup = tmp_path / "data", tmp_path / "b"
    for folder in (data / "weights", data / "files/jobs"):
        make_deep(folder)
    (data / "weights/vgg16.safetensors").write_bytes(b"weights")
    made = run(program, ["backup", str(backup), "--data-dir", str(data)])
    assert made.exit_code == 1, made.output
    assert made.output.count("File name too long") == 2
    copied = {path.name for path in backup.rglob("*") if path.is_file()}
    assert "vgg16.safetensors" in copied and "lost" not in copied
    assert {path.name for path in (data / "files/images").iterdir()} <= copied

    make_deep(backup / "weights")
    back = run(program, ["restore", str(backup), "--data-dir", str(tmp_path / "restored")])
    assert back.exit_code == 0, back.output
    assert back.output.count("File name too long") == 1
    assert os.listdir(tmp_path / "restored/weights") == ["vgg16.safetensors"]


@pytest.mark.medium
def test_a_full_disk_is_said_in_one_line_and_nothing_half_written_stays(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(database_url)
    BatchContext(engine, tmp_path / "data").add_image()
    engine.dispose()
    monkeypatch.setenv("IMPASTO_DATABASE_URL", database_url)
    # The database has three times as many.
    with small_disk(tmp_path / "disk", 100_000) as disk:
        (disk / "b").mkdir()
        options = ["--data-dir", str(tmp_path / "data")]
        made = CliRunner().invoke(program, ["backup", str(disk / "b"), *options])
        assert made.exit_code == 1
        assert made.stderr == f"impasto: The disk of {disk / 'b'} is full: choose another one.\n"
        assert os.listdir(disk / "b") == []


@pytest.mark.parametrize("place", ["data/weights/b", "data/b", "data/files/images/b"])
def test_no_backup_lies_in_the_data_folder(small: BatchContext, tmp_path: Path, place: str) -> None:
    with pytest.raises(BackupError, match="lies in the data folder"):
        make_backup(small.settings, tmp_path / place)
    assert not (tmp_path / place).exists()


@pytest.mark.parametrize("url", ["", "sqlite:///{}/none/mine.db"])
def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, url: str) -> None:
    settings = Settings(data_dir=tmp_path / "data", database_url=url.format(tmp_path))
    with pytest.raises(BackupError, match="There is no service in"):
        make_backup(settings, tmp_path / "b")
    assert os.listdir(tmp_path) == []


def test_folders_may_have_characters_that_have_a_meaning_in_a_url(
    small: BatchContext, tmp_path: Path
) -> None:
    manifest, _ = make_backup(small.settings, tmp_path / "what?mode=a#b%20")
    assert manifest.pictures == 1
    target = Settings(data_dir=tmp_path / "where?mode=a#b%20")
    assert restore(target, tmp_path / "what?mode=a#b%20").missing == []
    assert (target.data_dir / "impasto.db").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "what?mode=a#b%20", "where?mode=a#b%20"}


def test_two_backups_into_one_folder_leave_one_that_is_whole(small: BatchContext, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    for number in range(60):
        make_storage(settings).put(f"jobs/a/{number}", b"some of what a job made" * 100)
    together = threading.Barrier(2)

    def back_up(_: int) -> str | None:
        together.wait()
        try:
            make_backup(settings, tmp_path / "b")
        except BackupError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(back_up, range(2)))
    assert said.count(None) == 1, said
    assert next(filter(None, said)).endswith(("name a new folder for each.", "a new folder for each backup."))
    read_manifest(tmp_path / "b")
