"""A ZIP of pictures that was uploaded to a set, with an optional table of labels in it or beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from app.datasets.errors import UnusableLabels, UnusableZip
from app.datasets.layout import MAX_TABLE_BYTES, Layout, arrange, is_table, read_labels
from app.datasets.repository import Limits
from app.datasets.zip_reader import DamagedEntry, Entry, read_entries, read_entry
from app.storage import Storage


@dataclass(frozen=True)
class Upload:
    """An open ZIP, its entries by name, and which of them become which members."""

    file: BinaryIO
    entries: dict[str, Entry]
    layout: Layout

    def read(self, path: str) -> bytes:
        """The content of an entry. Raises DamagedEntry, UnusableZip."""
        return read_entry(self.file, self.entries[path])


def zip_key(folder: str) -> str:
    """The key of the ZIP of an upload whose files lie in a folder of the storage."""
    return f"{folder}/members.zip"


def labels_key(folder: str) -> str:
    """The key of the table that came beside it."""
    return f"{folder}/labels.csv"


@contextmanager
def open_upload(storage: Storage, folder: str, limits: Limits) -> Iterator[Upload]:
    """The upload in a folder of the storage. Raises UnusableZip, UnusableLabels; FileNotFoundError."""
    size = storage.size(zip_key(folder))
    with storage.open(zip_key(folder)) as file:
        yield read_upload(file, size, _table_beside(storage, folder), limits)


def read_upload(file: BinaryIO, size: int, table: bytes | None, limits: Limits) -> Upload:
    """The upload in an open ZIP of ``size`` bytes, with the ``table`` beside it if there is one.

    Raises UnusableZip, UnusableLabels.
    """
    every = read_entries(file, size, limits.bytes)
    entries = {entry.name: entry for entry in every if not entry.is_hidden}
    layout = arrange(entries, _labels(file, entries, table))
    if not layout.members:
        raise UnusableZip(
            f"None of the {len(entries)} files in the ZIP is a picture: JPEG, PNG, WebP, HEIC, AVIF, TIFF "
            "and BMP are taken."
        )
    if len(layout.members) > limits.members:
        raise UnusableZip(
            f"It has {len(layout.members):,} pictures; a set may have {limits.members:,}. Leave some out."
        )
    return Upload(file, entries, layout)


def _table_beside(storage: Storage, folder: str) -> bytes | None:
    try:
        with storage.open(labels_key(folder)) as file:
            return file.read()
    except FileNotFoundError:
        return None


def _labels(file: BinaryIO, entries: dict[str, Entry], beside: bytes | None) -> dict[str, str | None] | None:
    tables = [entry for entry in entries.values() if is_table(entry.name)]
    if beside is not None:
        return read_labels(beside)
    if not tables:
        return None
    if len(tables) > 1:
        names = ", ".join(table.name for table in tables[:3])
        raise UnusableLabels(f"There are several tables in the ZIP: {names}. Leave the one with the labels.")
    if tables[0].size > MAX_TABLE_BYTES:
        raise UnusableLabels(f"{tables[0].name} has more than {MAX_TABLE_BYTES:,} bytes.")
    try:
        return read_labels(read_entry(file, tables[0]))
    except DamagedEntry as error:
        raise UnusableLabels(f"{tables[0].name} cannot be read. {error}") from None
