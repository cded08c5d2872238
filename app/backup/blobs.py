"""Copies of the files of a storage."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO

from app.storage import Storage
from app.storage.folder import CHUNK, WRITERS


@dataclass
class Copied:
    """Files that were copied, by key with their bytes; files and folders that cannot be read, and why."""

    sizes: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def leave_out(self, key: str, error: OSError) -> None:
        """Note that a folder cannot be read. Raises the error of the folder that has all others."""
        if key == ".":
            raise error
        self.unreadable[key] = reason_of(error)


def copy_blobs(
    keys: Iterable[str],
    read: Callable[[str], BinaryIO],
    target: Storage,
    copied: Copied,
    name: Callable[[str], str] = str,
) -> None:
    """Copy what ``read`` opens under some keys, and note it in ``copied``. Raises StorageFull, OSError.

    What has gone when its turn comes is left out, and so is what cannot be read now: the rest is copied.
    ``name`` gives the key that a file gets.
    """

    def copy(key: str) -> None:
        # What an earlier call found.
        copied.unreadable.pop(key, None)
        try:
            file = read(key)
        except FileNotFoundError:
            return  # deleted meanwhile
        except OSError as error:
            copied.unreadable[key] = reason_of(error)
            return
        with file:
            stored = target.put(name(key), _chunks(file))
        copied.sizes[key] = stored.bytes

    def attempt(key: str) -> None:
        try:
            copy(key)
        except _Unreadable as error:
            copied.unreadable[key] = str(error)

    with ThreadPoolExecutor(WRITERS, thread_name_prefix="copy") as pool:
        for _ in pool.map(attempt, keys):
            pass


def reason_of(error: OSError) -> str:
    """What the operating system says of an error; errors of libraries have words of their own."""
    return error.strerror or str(error)


class _Unreadable(Exception):
    """A file is there, and reading it fails: no OSError, which would be one of the target."""


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read(CHUNK)
        except OSError as error:
            raise _Unreadable(reason_of(error)) from error
        if not chunk:
            return
        yield chunk
