"""What a folder of results already holds, so that a second run makes only what is missing."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from app.batches.file_names import FileNames, safe_name
from app.batches.summary import PICTURE
from app.cli.batch.entries import Entry
from app.cli.messages import USAGE, fail
from app.cli.output_files import replacing
from app.jobs.job import Json

RECORD, RESULTS, ERRORS = "batch.jsonl", "results.jsonl", "errors.jsonl"
# What is being written; anything in it was left by a run that was killed.
_TEMPORARIES = ".unfinished"
_HEADER = {"impasto": "batch", "version": 1}


# By artifact: the path of the file from the folder, and its size in bytes.
Files = dict[str, tuple[str, int]]


@dataclass(frozen=True)
class Done:
    """An entry that is done: what it was asked (``key``), its files, and where its line begins here."""

    key: str
    stem: str
    files: Files
    offset: int


@dataclass(frozen=True)
class OutputFolder:
    """A folder of results with its record: JSON Lines that are only appended to, each synced.

    The files of an entry are there before its line, which is why a line that is cut off loses nothing.
    """

    path: Path
    stems: dict[str, str]
    _file: BinaryIO
    # Without links: the pictures that entries are made from.
    inputs: frozenset[Path] = frozenset()
    _done: dict[str, Done] = field(default_factory=dict)
    # Lines of other types, in order: what is known of a service.
    notes: list[Json] = field(default_factory=list)

    def is_done(self, custom_id: str, key: str) -> bool:
        """Whether an entry is done as it is asked now, and its files are there."""
        done = self._done.get(custom_id)
        if done is None or (done.key, done.stem) != (key, self.stems[custom_id]):
            return False
        return all(_size(self.path / name) == size for name, size in done.files.values())

    def missing(self, entries: Iterable[Entry], keys: Mapping[str, str]) -> list[Entry]:
        """The entries with a key that are not done."""
        return [
            entry
            for entry in entries
            if (key := keys.get(entry.custom_id)) is not None and not self.is_done(entry.custom_id, key)
        ]

    def save(self, custom_id: str, artifact: str, ending: str, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Write a file of an entry; its path from the folder, and its size.

        The picture is called as the entry, and lies beside the others; other files lie in a folder of that
        name. Raises OSError, or what ``chunks`` do.
        """
        stem = self.stems[custom_id]
        name = f"{stem}{ending}" if artifact == PICTURE else f"{stem}/{safe_name(artifact)}{ending}"
        path = self.path / name
        if path.resolve() in self.inputs:
            reason = "entries are made from this picture, which would be lost: choose another folder"
            raise OSError(errno.EEXIST, reason, str(path))
        path.parent.mkdir(exist_ok=True)
        with replacing(path, self.path / _TEMPORARIES) as file:
            for chunk in chunks:
                file.write(chunk)
            return name, file.tell()

    def add(self, entry: Entry, key: str, files: Files, result: Json) -> None:
        """Record an entry whose files are written; ``result`` is what ``results.jsonl`` says of it."""
        line = {"done": entry.custom_id, "key": key, "stem": self.stems[entry.custom_id], "files": files}
        self._remember(line, self._append({**line, "result": result}))

    def note(self, line: Json) -> None:
        """Record something else, which is in ``notes`` from then on."""
        self._remember(line, self._append(line))

    def write_results(
        self, entries: Iterable[Entry], keys: Mapping[str, str], errors: Iterable[Json]
    ) -> None:
        """Write ``results.jsonl`` and ``errors.jsonl``, in the order of the entries."""
        with replacing(self.path / RESULTS, self.path / _TEMPORARIES) as file:
            for entry in entries:
                key = keys.get(entry.custom_id)
                if key is not None and self.is_done(entry.custom_id, key):
                    done = self._done[entry.custom_id]
                    self._file.seek(done.offset)
                    result = json.loads(self._file.readline())["result"]
                    files = {artifact: name for artifact, (name, _) in done.files.items()}
                    head = {"line": entry.line, "custom_id": entry.custom_id, "kind": entry.kind}
                    file.write(_line({**head, "state": "succeeded", "files": files, **result}))
        with replacing(self.path / ERRORS, self.path / _TEMPORARIES) as file:
            for error in sorted(errors, key=lambda error: error["line"]):
                file.write(_line(error))

    def _append(self, line: Json) -> int:
        offset = self._file.seek(0, os.SEEK_END)
        self._file.write(_line(line))
        self._file.flush()
        os.fsync(self._file.fileno())
        return offset

    def _remember(self, line: Json, offset: int) -> None:
        if "done" in line:
            self._done[line["done"]] = Done(line["key"], line["stem"], _files(line["files"]), offset)
        else:
            self.notes.append(line)

    def load(self) -> None:
        """Read the record, and remove what is there of a last line. Raises ValueError for another file."""
        self._file.seek(0)
        offset = 0
        for text in self._file:
            if not text.endswith(b"\n"):
                break
            line = json.loads(text)
            if offset == 0 and line != _HEADER:
                raise ValueError(f"{text[:80]!r} is not the first line of a record")
            if offset:
                self._remember(line, offset)
            offset += len(text)
        self._file.truncate(offset)
        if offset == 0:
            self._append(_HEADER)


@contextmanager
def output_folder(
    path: Path, entries: Iterable[Entry], inputs: Iterable[Path] = ()
) -> Iterator[OutputFolder]:
    """A folder of results, made if there is none, for this process alone; no result replaces an input.

    Exits with a message if it cannot be written to, or another run writes to it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        record = (path / RECORD).open("a+b")
    except OSError as error:
        fail(f"--output: {error.filename}: {error.strerror}.", USAGE)
    with record:
        try:
            fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fail(f"Another run writes to {path}: wait for its end, or choose another folder.")
        names = FileNames(RECORD, RESULTS, ERRORS)
        stems = {entry.custom_id: names.take(entry.custom_id, entry.line, ".png") for entry in entries}
        folder = OutputFolder(path, stems, record, frozenset(each.resolve() for each in inputs))
        try:
            folder.load()
        except (ValueError, KeyError, TypeError):
            fail(f"--output: {path / RECORD} is no record of an earlier run: choose another folder.", USAGE)
        shutil.rmtree(path / _TEMPORARIES, ignore_errors=True)
        (path / _TEMPORARIES).mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(path / _TEMPORARIES, ignore_errors=True)


def _files(values: Mapping[str, Sequence[Any]]) -> Files:
    return {artifact: (name, size) for artifact, (name, size) in values.items()}


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
