"""Which files of a folder or a ZIP are members of a set, under which names and labels.

The folders at the top are classes, as in torchvision's ImageFolder; ``train``, ``val`` and ``test`` at the
top are none (`folder_parts` says when), but the folders in them are. A folder around every picture is left
out, and no class. Pictures at the top have no label, unless a table gives them one.
"""

import csv
import hashlib
import io
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.datasets.dataset import MAX_LABEL, is_text
from app.datasets.errors import UnusableLabels
from app.datasets.split import Part, folder_parts

K = TypeVar("K")

# Endings of pictures, those that are not read included: these are listed as refused, all else is ignored.
_PICTURES = {
    *("jpg", "jpeg", "jpe", "jfif", "png", "webp"),
    *("gif", "bmp", "tif", "tiff", "heic", "heif", "avif", "jxl", "jp2", "ppm", "pgm", "pbm"),
}
_FILE_COLUMNS = ("file", "filename", "file_name", "name", "path", "image", "picture", "id")
_LABEL_COLUMNS = ("label", "class", "category", "target")
MAX_TABLE_BYTES = 20_000_000


@dataclass(frozen=True)
class Layout:
    """The members of a set by the path of their file: name and label. ``ignored`` counts other files."""

    members: dict[str, tuple[str, str | None]]
    ignored: int
    # Rows of the table for which there is no picture.
    unmatched: list[str] = field(default_factory=list)


def is_picture(path: str) -> bool:
    """Whether a file should be a picture, by its ending."""
    return path.rpartition(".")[2].lower() in _PICTURES and "." in path


def is_table(path: str) -> bool:
    """Whether a file is a table of labels, by its ending."""
    return path.lower().endswith(".csv")


def arrange(paths: Iterable[str], labels: Mapping[str, str | None] | None = None) -> Layout:
    """Which of some paths are members. ``labels`` are those of a table by path or name of the file.

    In the order of names, which no program that makes ZIPs changes.
    """
    every = list(paths)
    pictures = sorted(path for path in every if is_picture(path))
    ignored = sum(not is_picture(path) and not is_table(path) for path in every)
    around = _around(pictures)
    names = [path[around:] for path in pictures]
    labeled = [(name, _label(name, part)) for name, part in zip(names, folder_parts(names), strict=True)]
    members = dict(zip(pictures, labeled, strict=True))
    unmatched = [] if labels is None else _apply(labels, members)
    return Layout(members, ignored, unmatched)


def read_labels(data: bytes) -> dict[str, str | None]:
    """Labels by file, from a CSV whose first line names its columns, ``file`` and ``label`` for example.

    Raises UnusableLabels.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableLabels("The table is not UTF-8: save it as CSV in UTF-8.") from None
    try:
        rows = csv.reader(io.StringIO(text, newline=""), _dialect(text), strict=True)
        header = [name.strip().lower() for name in next(rows, [])]
        file, label = _column(header, _FILE_COLUMNS), _column(header, _LABEL_COLUMNS)
        found: dict[str, str | None] = {}
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(file, label):
                raise UnusableLabels(f"Line {rows.line_num} has {len(row)} columns of {len(header)}.")
            name, value = (unicodedata.normalize("NFC", row[place].strip()) for place in (file, label))
            name = name.replace("\\", "/").removeprefix("./")
            if value and not is_text(value, MAX_LABEL):
                raise UnusableLabels(
                    f"Line {rows.line_num}: a label has at most {MAX_LABEL} characters, and no control "
                    "characters."
                )
            if found.get(name, value) != value:
                raise UnusableLabels(f"Line {rows.line_num}: {name[:80]!r} has two labels.")
            found[name] = value
    except csv.Error as error:
        raise UnusableLabels(f"The table cannot be read as CSV: {error}.") from None
    return {name: value or None for name, value in found.items()}


def _dialect(text: str) -> type[csv.Dialect]:
    """Separated by what the first line has: commas, or the semicolons and tabs of spreadsheets."""
    first = text.partition("\n")[0]

    class Separated(csv.excel):
        delimiter = max(",;\t", key=first.count)

    return Separated


def _column(header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    shown = ", ".join(header)[:200] or "nothing"
    raise UnusableLabels(f"Its first line has no column {names[0]!r}, but {shown}: begin it with file,label.")


def _around(paths: list[str]) -> int:
    """Characters of the folders that are around every picture."""
    if not paths:
        return 0
    folders = [path.rpartition("/")[0].split("/") for path in paths]
    common = 0
    while all(len(parts) > common and parts[common] == folders[0][common] != "" for parts in folders):
        common += 1
    return sum(len(part) + 1 for part in folders[0][:common])


def _label(name: str, part: Part | None) -> str | None:
    """The folder at the top, or the one in it if that is a ``part``.

    A name that is too long is cut, and ends with a part of its hash, so that it stays a class of its own.
    """
    folders = name.split("/")[0 if part is None else 1 : -1]
    if not folders or len(folders[0]) <= MAX_LABEL:
        return folders[0] if folders else None
    ending = f"~{hashlib.sha256(folders[0].encode()).hexdigest()[:8]}"
    return folders[0][: MAX_LABEL - len(ending)] + ending


def _apply(labels: Mapping[str, str | None], members: dict[str, tuple[str, str | None]]) -> list[str]:
    """Give members the labels of a table, in place; returns the rows without one picture."""
    index = NameIndex((path, {path, name}) for path, (name, _) in members.items())
    unmatched = []
    for key, label in labels.items():
        found = index.find(key)
        if len(found) == 1:
            members[found[0]] = (members[found[0]][0], label)
        else:
            unmatched.append(key)
    return unmatched


class NameIndex(Generic[K]):
    """Finds members, each known by a key, by their names and by those of their files."""

    def __init__(self, members: Iterable[tuple[K, Collection[str]]]) -> None:
        self._by_name: dict[str, list[K]] = {}
        self._by_file: dict[str, list[K]] = {}
        for key, names in members:
            files = {name.rpartition("/")[2] for name in names}
            for name in names:
                self._by_name.setdefault(name, []).append(key)
            for file in files | {file.rpartition(".")[0] for file in files}:
                self._by_file.setdefault(file, []).append(key)

    def named(self, name: str) -> list[K]:
        """Those with exactly this name."""
        return self._by_name.get(name, [])

    def find(self, name: str) -> list[K]:
        """Those with this name, or else those whose file has it, with or without its ending."""
        return self.named(name) or self._by_file.get(name, [])
