"""Blobs by key in a folder: uploaded pictures (``images/<id>``) and what jobs make
(``jobs/<job id>/<attempt>/image.png``)."""

import contextlib
import errno
import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from app.settings import Settings
from app.storage.errors import StorageFull

log = logging.getLogger(__name__)

CHUNK = 1 << 20
# What the keys of pictures begin with.
PICTURES = "images"
# The disk is full, or its quota.
FULL = (errno.ENOSPC, errno.EDQUOT)
DAY_SECONDS = 86_400.0
# Blobs that are written at a time: each waits for the disk, which takes several in one go. 64 of 15 kB take
# 50 ms, and 430 one after the other; more writers make large ones slower.
WRITERS = 8
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
# Gets the key of a file or folder that cannot be read, and why it cannot.
OnUnreadable = Callable[[str, OSError], object]


def raise_unreadable(key: str, error: OSError) -> None:
    """End with the first that cannot be read. Raises OSError."""
    raise error


@dataclass(frozen=True)
class Stored:
    """A blob that was stored durably; ``sha256`` is in hexadecimal."""

    key: str
    bytes: int
    sha256: str


class Storage(Protocol):
    """A store of blobs by key. Keys are made by the server, never taken from a request."""

    def put(self, key: str, data: bytes | Iterable[bytes] | BinaryIO) -> Stored:
        """Store a blob whole or not at all, replacing what had its key; StorageFull."""

    def open(self, key: str) -> BinaryIO:
        """The blob for reading; FileNotFoundError if it is gone. The caller closes it.

        Raises another OSError if it cannot be read now, or all files are away.
        """

    def size(self, key: str) -> int:
        """Bytes of the blob. Raises as :meth:`open` does."""

    def require_space(self, size: int = 0) -> None:
        """Raises StorageFull if there is not the space for ``size`` bytes above what must stay free."""

    def delete(self, key: str) -> None:
        """Delete a blob, if it is there."""

    def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> None:
        """Delete every blob whose key begins with ``prefix/``, except those in ``keep``."""

    def list_old(
        self, prefix: str, older_than: float, on_unreadable: OnUnreadable = raise_unreadable
    ) -> list[str]:
        """The names that follow ``prefix/`` in keys, but for those that changed in ``older_than`` seconds.

        ``on_unreadable`` gets what cannot be read, which is left out. Raises OSError without it, or if the
        whole storage cannot be read.
        """

    def list_keys(self, prefix: str = "", on_unreadable: OnUnreadable = raise_unreadable) -> Iterator[str]:
        """The keys of all blobs, or of those below ``prefix/``; what changes meanwhile may be left out.

        ``on_unreadable`` gets the folders that cannot be read, which are left out. Raises OSError without it,
        or if the whole storage cannot be read.
        """

    def clean_leftovers(self, older_than: float = DAY_SECONDS) -> int:
        """Remove temporary files of writers that were killed; returns their number."""


class FolderStorage:
    """Blobs as files of a folder, which all processes and machines of the service share.

    A blob is written under a temporary name in ``.tmp``, flushed to the disk and renamed, so that a reader
    sees all of it or nothing, even after a power failure.
    """

    def __init__(self, root: Path, min_free_bytes: int = 0) -> None:
        """``min_free_bytes`` stay free for jobs that run, and for the database, if clients add files."""
        self.root = root
        self._min_free_bytes = min_free_bytes
        self._temporary = root / ".tmp"
        for folder in _make_folders(self._temporary):
            sync_folder(folder)

    def put(self, key: str, data: bytes | Iterable[bytes] | BinaryIO) -> Stored:
        """Store a blob whole or not at all, replacing what had its key; StorageFull.

        If reading an iterable or a file raises, the exception passes through and nothing is stored.
        """
        target = self.path(key)
        digest, length = hashlib.sha256(), 0
        temporary: Path | None = None
        try:
            handle, name = tempfile.mkstemp(dir=self._temporary)
            temporary = Path(name)
            with os.fdopen(handle, "wb") as file:
                for chunk in _chunks(data):
                    digest.update(chunk)
                    length += len(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            changed = [target.parent, *_make_folders(target.parent)]
            os.replace(temporary, target)
            # After all changes: most file systems then write them in one go.
            for folder in changed:
                sync_folder(folder)
        except BaseException as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in FULL:
                raise StorageFull(f"no space left for {key}") from error
            raise
        return Stored(key, length, digest.hexdigest())

    def open(self, key: str) -> BinaryIO:
        """The blob for reading; FileNotFoundError if it is gone. The caller closes it.

        Raises another OSError if it cannot be read now, or all files are away.
        """
        with self._unless_gone(key):
            return self.path(key).open("rb")

    def path(self, key: str) -> Path:
        """The path of a blob, whether or not it exists. Raises ValueError for a malformed key."""
        return self.root.joinpath(*_segments(key))

    def size(self, key: str) -> int:
        """Bytes of the blob. Raises as :meth:`open` does."""
        with self._unless_gone(key):
            return self.path(key).stat().st_size

    def require_space(self, size: int = 0) -> None:
        """Raises StorageFull if there is not the space for ``size`` bytes above what must stay free."""
        wanted = size + self._min_free_bytes
        missing = wanted - shutil.disk_usage(self.root).free
        if self._min_free_bytes and missing > 0:
            raise StorageFull(f"{missing:,} of {wanted:,} bytes are missing")

    def delete(self, key: str) -> None:
        """Delete a blob, if it is there. Raises IsADirectoryError if a folder has taken its place."""
        with contextlib.suppress(FileNotFoundError), self._unless_gone():
            self.path(key).unlink()

    def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> None:
        """Delete every blob whose key begins with ``prefix/``, except those in ``keep``.

        With nothing to keep, the deletion is atomic, unless the disk is too full to rename a folder. Raises
        NotADirectoryError if a file has taken the place of the folder.
        """
        folder = self.path(prefix)
        if keep:
            _prune(folder, {self.path(key) for key in keep})
            return
        if not folder.is_dir():
            if folder.exists():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
            self._require_folder()
            return
        doomed = self._temporary / uuid.uuid4().hex
        try:
            folder.rename(doomed)
        except FileNotFoundError:
            return  # deleted meanwhile
        except OSError as error:
            if error.errno not in FULL:
                raise
            doomed = folder
        shutil.rmtree(doomed)

    def list_old(
        self, prefix: str, older_than: float, on_unreadable: OnUnreadable = raise_unreadable
    ) -> list[str]:
        """The names that follow ``prefix/`` in keys, but for those that changed in ``older_than`` seconds.

        ``on_unreadable`` gets what cannot be read, which is left out. Raises OSError without it, or if the
        whole storage cannot be read.
        """
        folder, report = self.path(prefix), self._unless_away(on_unreadable)
        try:
            entries = list(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            self._require_folder()
            return []
        except OSError as error:
            report(prefix, error)
            return []
        old = _old_of(entries, older_than, lambda entry, error: report(f"{prefix}/{entry.name}", error))
        return [entry.name for entry in old]

    def list_keys(self, prefix: str = "", on_unreadable: OnUnreadable = raise_unreadable) -> Iterator[str]:
        """The keys of all blobs, or of those below ``prefix/``; what changes meanwhile may be left out.

        ``on_unreadable`` gets the folders that cannot be read, which are left out. Raises OSError without it,
        or if the whole storage cannot be read.
        """
        self._require_folder()
        return keys_in(self.root, prefix, on_unreadable=self._unless_away(on_unreadable))

    @contextlib.contextmanager
    def _unless_gone(self, key: str = "") -> Iterator[None]:
        """Let FileNotFoundError through. Raises OSError instead if the folder is away, with all files."""
        try:
            yield
        except FileNotFoundError:
            self._require_folder(key)
            raise

    def _require_folder(self, key: str = "") -> None:
        """Raises OSError if this is not the folder that it was, but the place where its disk was mounted.

        Nor is it if a picture that is missing would be the first one: only those that were stored are asked
        for, and their folder stays when the last one is deleted.
        """
        pictures = self.root / PICTURES
        is_first = key.startswith(f"{PICTURES}/") and not pictures.is_dir()
        if is_first or not self._temporary.is_dir():
            reason = "the folder of all files is not there: is its disk mounted?"
            raise OSError(errno.EIO, reason, str(self.root)) from None

    def _unless_away(self, on_unreadable: OnUnreadable) -> OnUnreadable:
        """Has a part that cannot be read reported. Raises OSError if the whole cannot: it is not to blame."""

        def report(key: str, error: OSError) -> None:
            with os.scandir(self.root) as entries:
                next(entries, None)
            on_unreadable(key, error)

        return report

    def clean_leftovers(self, older_than: float = DAY_SECONDS) -> int:
        """Delete entries of the temporary folder older than ``older_than`` seconds; returns their number."""
        gone = 0

        def on_error(entry: Path, error: OSError) -> None:
            log.warning("%s cannot be deleted: %s", entry, error)

        for entry in _old_of(self._temporary.iterdir(), older_than, on_error):
            try:
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            except FileNotFoundError:
                continue  # its writer finished, or another process deleted it
            except OSError as error:
                on_error(entry, error)
                continue
            gone += 1
        return gone

    def close(self) -> None:
        """Remove the temporary folder, once nothing is put any more."""
        shutil.rmtree(self._temporary)


def keys_in(
    root: Path,
    prefix: str = "",
    on_other: Callable[[Path], object] = lambda path: None,
    on_unreadable: OnUnreadable = raise_unreadable,
) -> Iterator[str]:
    """The keys of the files of a folder that may be read-only, or of those below ``prefix/``.

    ``on_other`` gets each file and folder whose name no key has, such as the temporary folder; it is left
    out, and so may be what changes meanwhile. So are the folders that cannot be read, if ``on_unreadable``
    takes them; without it raises OSError.
    """

    def on_error(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            on_unreadable(Path(error.filename).relative_to(root).as_posix(), error)

    top = root.joinpath(*_segments(prefix)) if prefix else root
    for folder, folders, names in os.walk(top, onerror=on_error):
        for name in (*folders, *names):
            if not _SEGMENT.fullmatch(name):
                on_other(Path(folder, name))
        folders[:] = sorted(filter(_SEGMENT.fullmatch, folders))
        for name in sorted(filter(_SEGMENT.fullmatch, names)):
            yield Path(folder, name).relative_to(root).as_posix()


def _old_of(
    entries: Iterable[Path], older_than: float, on_error: Callable[[Path, OSError], object]
) -> list[Path]:
    """Those that have not changed for so many seconds; ``on_error`` gets what cannot be looked at."""
    found = []
    for entry in entries:
        try:
            # ctime, the last change of name or content: a rename does not change a folder's mtime.
            if time.time() - entry.lstat().st_ctime >= older_than:
                found.append(entry)
        except FileNotFoundError:
            continue  # its writer finished, or another process deleted it
        except OSError as error:
            on_error(entry, error)
    return found


def put_all(storage: Storage, blobs: Mapping[str, bytes | BinaryIO]) -> list[Stored]:
    """Store blobs by key, several at a time, each whole or not at all; StorageFull: some are there."""
    if len(blobs) == 1:
        return [storage.put(key, data) for key, data in blobs.items()]
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="put") as pool:
        return list(pool.map(storage.put, blobs.keys(), blobs.values()))


def make_storage(settings: Settings) -> Storage:
    """The folder ``files`` in the data folder, which it makes.

    Where there is a database, :func:`app.jobs.stored_files.open_storage` looks first whether it is the one.
    """
    return FolderStorage(files_folder(settings), settings.min_free_bytes)


def files_folder(settings: Settings) -> Path:
    """The folder of all files of a service."""
    return settings.data_dir / "files"


def _segments(key: str) -> list[str]:
    segments = key.split("/")
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError(f"malformed storage key {key!r}")
    return segments


def _chunks(data: bytes | Iterable[bytes] | BinaryIO) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
    elif hasattr(data, "read"):
        while chunk := data.read(CHUNK):
            yield chunk
    else:
        yield from data


def _prune(folder: Path, keep: Set[Path]) -> None:
    """Delete all files below ``folder`` except those to keep, and the folders that are then empty."""
    for path, _, names in os.walk(folder, topdown=False):
        for file in (Path(path, name) for name in names):
            if file not in keep:
                file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty, or deleted by another process meanwhile
            os.rmdir(path)


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and its parents, private to their owner; returns those that have a new entry to flush."""
    if folder.is_dir():
        return []
    changed = _make_folders(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    return [folder.parent, *changed]


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
