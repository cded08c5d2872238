"""Sets on this machine without a service: a folder, a ZIP, a table beside pictures, or a built-in one."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch

from app.datasets.builtin import BUILT_IN, parse_options
from app.datasets.dataset import content_hash
from app.datasets.errors import UnusableLabels, UnusableZip
from app.datasets.layout import Layout, arrange, is_table, read_labels
from app.datasets.repository import Limits
from app.datasets.uploads import read_upload
from app.datasets.zip_reader import DamagedEntry
from app.errors import InputError
from app.settings import Settings
from worker.contract.inputs import Member, Source
from worker.datasets.builtin import IN_ONE, BuiltInSet, Drawn
from worker.datasets.make_dataset import encode
from worker.media.pictures import Picture, load_picture


@dataclass(frozen=True)
class LocalSet:
    """The members of a set, in order, and the hash of its content: the same as in a service."""

    members: Sequence[Member]
    sha256: str
    # Files that are not read, with the reasons.
    skipped: list[tuple[str, str]] = field(default_factory=list)


def open_local(given: str, param: str, side: int | None, settings: Settings) -> LocalSet:
    """The set that a path or the name of a built-in set says. Raises InputError that names the param.

    ``side`` is that of :meth:`Params.picture_side`. A picture is read when it is asked for, and only hashed
    before.
    """
    path = Path(given)
    try:
        if path.is_dir():
            return _folder(path, param, side)
        if is_table(given):
            return _table(path, param, side)
        if path.is_file():
            return _zip(path, param, side, Limits(settings.max_dataset_members, settings.max_dataset_bytes))
    except OSError as error:
        raise InputError(param, f"{error.filename or given} cannot be read: {error.strerror}.") from error
    except (UnusableZip, UnusableLabels) as error:
        raise InputError(param, f"{given}: {error.detail}") from error
    if given in BUILT_IN:
        return _built_in(given)
    raise InputError(
        param,
        f"There is no {given!r}: name a folder, a ZIP, a CSV beside pictures, or {' or '.join(BUILT_IN)}.",
    )


def _folder(folder: Path, param: str, side: int | None) -> LocalSet:
    """Pictures in a folder, with a table of labels in it if there is one."""
    paths = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    tables = [name for name in paths if is_table(name)]
    if len(tables) > 1:
        raise UnusableLabels(f"There are several tables in it: {', '.join(tables[:3])}. Leave one.")
    labels = read_labels(paths[tables[0]].read_bytes()) if tables else None
    return _of_files(arrange(paths, labels), paths, param, side)


def _table(table: Path, param: str, side: int | None) -> LocalSet:
    """The pictures that a table names, by their paths from where it is."""
    labels = read_labels(table.read_bytes())
    paths = {name: table.parent / name for name in labels}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        raise InputError(
            param,
            f"{table} names {len(missing)} files that are not there, such as {missing[0]!r}: write paths "
            "from the folder of the table.",
        )
    members = {name: (name, label) for name, label in labels.items()}
    return _of_files(Layout(members, 0), paths, param, side)


def _of_files(layout: Layout, paths: dict[str, Path], param: str, side: int | None) -> LocalSet:
    _require_pictures(layout, param)
    members = []
    for name, (shown, label) in layout.members.items():
        path = paths[name]
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        members.append(Member(Source(sha256, partial(_load_file, path, param, side)), label, shown))
    return _of_members(members, [])


def _load_file(path: Path, param: str, side: int | None) -> Picture:
    try:
        return load_picture(path, param, side)
    except OSError as error:
        raise InputError(param, f"{path} cannot be read: {error.strerror}.") from error
    except InputError as error:
        raise InputError(param, f"{path}: {error.detail}") from error


def _zip(path: Path, param: str, side: int | None, limits: Limits) -> LocalSet:
    """The pictures in a ZIP; what is damaged in it is left out, as a service does."""
    file = path.open("rb")  # for as long as its members are in use
    try:
        upload = read_upload(file, path.stat().st_size, None, limits)
        members, skipped = [], []
        for name, (shown, label) in upload.layout.members.items():

            def load(name: str = name) -> Picture:
                return load_picture(io.BytesIO(upload.read(name)), param, side)

            try:
                sha256 = hashlib.sha256(upload.read(name)).hexdigest()
            except DamagedEntry as error:
                skipped.append((name, str(error)))
                continue
            members.append(Member(Source(sha256, load), label, shown))
    except BaseException:
        file.close()
        raise
    return _of_members(members, skipped)


def _built_in(name: str) -> LocalSet:
    """A built-in set, drawn a few dozen pictures at a time."""
    pictures = BuiltInSet(parse_options(name, {}))

    @lru_cache(maxsize=4)
    def drawn(block: int) -> list[Drawn]:
        return list(pictures.pictures(block * IN_ONE, (block + 1) * IN_ONE))

    def load(place: int) -> Picture:
        levels = drawn(place // IN_ONE)[place % IN_ONE].pixels.astype(np.float32) / np.float32(255)
        return Picture(torch.from_numpy(levels).permute(2, 0, 1)[None].contiguous())

    members = []
    for place in range(len(pictures)):
        each = drawn(place // IN_ONE)[place % IN_ONE]
        sha256 = hashlib.sha256(encode(each)).hexdigest()
        members.append(Member(Source(sha256, partial(load, place)), each.label, each.name))
    return _of_members(members, [])


def _of_members(members: list[Member], skipped: list[tuple[str, str]]) -> LocalSet:
    return LocalSet(members, content_hash((m.source.sha256, m.label, m.name) for m in members), skipped)


def _require_pictures(layout: Layout, param: str) -> None:
    if not layout.members:
        raise InputError(param, "There is no picture in it: JPEG, PNG and WebP are taken.")
