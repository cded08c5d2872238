"""The folder of blobs: whole or not at all."""

import errno
import hashlib
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.settings import Settings
from app.storage import FolderStorage, StorageFull, make_storage, put_all


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "files")


def files_in(storage: FolderStorage) -> list[str]:
    return sorted(str(path.relative_to(storage.root)) for path in storage.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("data", [b"", b"paint", b"x" * 3_000_000], ids=["empty", "small", "large"])
def test_bytes_a_file_and_an_iterable_are_stored_alike(storage: FolderStorage, data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()
    for key, source in (
        ("images/a", data),
        ("images/b", BytesIO(data)),
        ("jobs/j-1/2/image.png", (data[at : at + 700_000] for at in range(0, len(data), 700_000))),
    ):
        stored = storage.put(key, source)
        assert (stored.key, stored.bytes, stored.sha256) == (key, len(data), digest)
        assert storage.size(key) == len(data)
        with storage.open(key) as file:
            assert file.read() == data
    assert files_in(storage) == ["images/a", "images/b", "jobs/j-1/2/image.png"]


@pytest.mark.parametrize("count", [0, 1, 40])
def test_several_are_stored_as_each_alone(storage: FolderStorage, count: int) -> None:
    blobs = {f"images/{number:02}": f"picture {number}".encode() * number for number in range(count)}
    stored = put_all(storage, blobs)
    assert [each.key for each in stored] == files_in(storage) == list(blobs)
    for each, data in zip(stored, blobs.values(), strict=True):
        assert (each.bytes, each.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert storage.path(each.key).read_bytes() == data


def test_one_of_several_that_fails_is_said(storage: FolderStorage) -> None:
    with pytest.raises(ValueError, match="malformed"):
        put_all(storage, {"images/a": b"a", "..": b"b", "images/c": b"c"})


def test_put_replaces_but_an_open_reader_keeps_what_it_has(storage: FolderStorage) -> None:
    storage.put("images/a", b"old")
    with storage.open("images/a") as reader:
        storage.put("images/a", b"new")
        assert reader.read() == b"old"
    assert storage.path("images/a").read_bytes() == b"new"


def test_everything_is_private_to_its_owner(storage: FolderStorage) -> None:
    storage.put("jobs/j/1/image.png", b"x")
    for path in [storage.root, *storage.root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "..",
        "a/../b",
        ".hidden",
        "a/.tmp",
        "a b",
        "a\\b",
        "a\0",
        "ä",
        "a\n",
        "x" * 201,
    ],
)
def test_a_malformed_key_is_refused_everywhere(storage: FolderStorage, key: str) -> None:
    for use in (storage.path, storage.open, storage.size, storage.delete, storage.delete_prefix):
        with pytest.raises(ValueError, match="malformed"):
            use(key)
    with pytest.raises(ValueError, match="malformed"):
        storage.put(key, b"x")
    assert files_in(storage) == []


@pytest.mark.medium
@hypothesis_settings(deadline=None)
@given(st.text(max_size=40))
def test_no_key_leads_out_of_the_folder_or_into_the_temporary_one(
    tmp_path_factory: pytest.TempPathFactory, key: str
) -> None:
    storage = FolderStorage(tmp_path_factory.getbasetemp() / "keys")
    try:
        path = storage.path(key)
    except ValueError:
        return
    assert Path(os.path.normpath(path)) == path
    assert path.is_relative_to(storage.root)
    assert path.relative_to(storage.root).parts[0] != ".tmp"


def test_a_source_that_fails_leaves_nothing_behind(storage: FolderStorage) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError("gone")

    storage.put("images/a", b"old")
    with pytest.raises(ConnectionResetError):
        storage.put("images/a", broken())
    assert files_in(storage) == ["images/a"]
    assert storage.path("images/a").read_bytes() == b"old"


def test_nothing_is_visible_until_all_of_it_is_there(storage: FolderStorage) -> None:
    def watching() -> Iterator[bytes]:
        yield b"half"
        assert not storage.path("images/a").exists()
        yield b"whole"

    storage.put("images/a", watching())
    assert storage.path("images/a").read_bytes() == b"halfwhole"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_and_leaves_nothing_behind(storage: FolderStorage) -> None:
    def on_a_full_disk() -> Iterator[bytes]:
        yield b"half"
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"more")

    with pytest.raises(StorageFull) as caught:
        storage.put("images/a", on_a_full_disk())
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert files_in(storage) == []


def test_a_writer_that_is_killed_leaves_nothing_to_see(storage: FolderStorage) -> None:
    storage.put("images/a", b"old")
    program = """
import sys
from pathlib import Path
from app.storage import FolderStorage

def endless():
    while True:
        yield b"x" * 100_000
        print("writing", flush=True)

FolderStorage(Path(sys.argv[1])).put("images/a", endless())
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(storage.root)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for _ in range(5):
            assert writer.stdout.readline() == "writing\n"
        writer.kill()
    assert storage.path("images/a").read_bytes() == b"old"
    assert len(files_in(storage)) == 2
    assert storage.clean_leftovers(older_than=0) == 1
    assert files_in(storage) == ["images/a"]


def test_a_missing_blob(storage: FolderStorage) -> None:
    storage.put("images/a", b"a")
    storage.delete("images/a")
    storage.delete("images/none")
    storage.delete_prefix("jobs/none")
    storage.delete_prefix("jobs/none", keep={"jobs/none/a"})
    with pytest.raises(FileNotFoundError):
        storage.open("images/none")
    with pytest.raises(FileNotFoundError):
        storage.size("images/none")


def test_delete_takes_one_blob(storage: FolderStorage) -> None:
    storage.put("images/a", b"a")
    storage.put("images/b", b"b")
    storage.delete("images/a")
    assert files_in(storage) == ["images/b"]


def test_delete_prefix_takes_whole_segments_only(storage: FolderStorage) -> None:
    for key in ("jobs/j1/1/image.png", "jobs/j1/2/checkpoint", "jobs/j10/1/image.png", "images/j1"):
        storage.put(key, b"x")
    storage.delete_prefix("jobs/j1")
    with pytest.raises(NotADirectoryError):
        storage.delete_prefix("images/j1")  # a blob, not a folder
    assert files_in(storage) == ["images/j1", "jobs/j10/1/image.png"]
    assert not storage.path("jobs/j1").exists()


def test_delete_prefix_keeps_what_it_is_told_to(storage: FolderStorage) -> None:
    for key in ("jobs/j/1/image.png", "jobs/j/2/image.png", "jobs/j/2/preview.jpg", "jobs/j/state"):
        storage.put(key, b"x")
    storage.delete_prefix("jobs/j", keep={"jobs/j/2/image.png"})
    assert files_in(storage) == ["jobs/j/2/image.png"]
    assert not storage.path("jobs/j/1").exists()


def test_leftovers_of_a_crash_go_after_a_day(storage: FolderStorage) -> None:
    storage.put("images/a", b"a")
    crashed = storage.root / ".tmp" / "tmpcrash"
    crashed.write_bytes(b"half")
    (storage.root / ".tmp" / "tmpfolder").mkdir()
    (storage.root / ".tmp" / "tmpfolder" / "image.png").write_bytes(b"x")
    assert storage.clean_leftovers() == 0
    time.sleep(0.02)
    assert storage.clean_leftovers(older_than=0.01) == 2
    assert files_in(storage) == ["images/a"]


def test_the_storage_of_the_settings_lies_in_the_data_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    make_storage(settings).put("images/a", b"a")
    with make_storage(settings).open("images/a") as file:
        assert file.read() == b"a"
    assert (tmp_path / "data" / "files" / "images" / "a").read_bytes() == b"a"


def test_one_entry_that_cannot_be_looked_at_hides_no_other(tmp_path: Path) -> None:
    # The path of one with a long name is longer than the system takes.
    root = tmp_path
    while len(str(root)) < 3700:
        root /= "x" * 100
    root /= "x" * (3899 - len(str(root)))
    storage = FolderStorage(root)
    storage.put("images/a", b"a")
    folder = os.open(root / "images", os.O_RDONLY)
    os.close(os.open("b" * 200, os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    unreadable = {}
    found = storage.list_old("images", -60, lambda key, error: unreadable.update({key: error.errno}))
    assert (found, unreadable) == (["a"], {"images/" + "b" * 200: errno.ENAMETOOLONG})
    with pytest.raises(OSError, match="File name too long"):
        storage.list_old("images", -60)


def test_folders_that_cannot_be_read_are_left_out(storage: FolderStorage) -> None:
    storage.put("jobs/a/1/image.png", b"x")
    for round_ in ("images", "jobs/b"):
        storage.path(round_).symlink_to(Path(round_).name)
    unreadable = []
    for prefix in ("images", "jobs/b"):
        assert list(storage.list_keys(prefix, lambda key, error: unreadable.append(key))) == []
        with pytest.raises(OSError, match="Too many levels"):
            list(storage.list_keys(prefix))
    assert storage.list_old("images", 0, lambda key, error: unreadable.append(key)) == []
    assert unreadable == ["images", "jobs/b", "images"]
    with pytest.raises(OSError, match="Too many levels"):
        storage.list_old("images", 0)


def test_a_storage_that_is_away_as_a_whole_is_no_folder_that_cannot_be_read(storage: FolderStorage) -> None:
    storage.root.rename(storage.root.with_name("moved"))
    storage.root.symlink_to(storage.root.name)
    for use in (lambda: storage.list_old("images", 0, ignore), lambda: list(storage.list_keys("", ignore))):
        with pytest.raises(OSError, match=r"Too many levels|is its disk mounted"):
            use()


@pytest.mark.parametrize("is_mount_point", [True, False])
def test_a_storage_that_is_away_has_not_lost_its_blobs(storage: FolderStorage, is_mount_point: bool) -> None:
    storage.put("images/a", b"paint")
    moved = storage.root.rename(storage.root.with_name("moved"))
    if is_mount_point:
        storage.root.mkdir()
    uses: list[Callable[[], object]] = [
        lambda: storage.open("images/a"),
        lambda: storage.size("images/a"),
        lambda: storage.delete("images/a"),
        lambda: storage.delete_prefix("images"),
        lambda: storage.list_old("images", 0),
        lambda: list(storage.list_keys()),
    ]
    for use in uses:
        with pytest.raises(OSError, match="is its disk mounted") as raised:
            use()
        assert not isinstance(raised.value, FileNotFoundError)
    if is_mount_point:
        assert list(storage.root.iterdir()) == []
        storage.root.rmdir()
    moved.rename(storage.root)
    with storage.open("images/a") as file:
        assert file.read() == b"paint"


def test_a_picture_that_would_be_the_first_one_is_not_missing(storage: FolderStorage) -> None:
    """As where a worker was started on the place of a disk, before anything was on the disk."""
    storage.put("jobs/j/1/image.png", b"made here")
    for use in (storage.open, storage.size):
        with pytest.raises(OSError, match="is its disk mounted") as raised:
            use("images/a")
        assert not isinstance(raised.value, FileNotFoundError)


def ignore(key: str, error: OSError) -> None:
    """A part that cannot be read is no matter."""
