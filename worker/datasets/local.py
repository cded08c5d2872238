"""Sets on this machine without a service: a folder, a ZIP, a table beside pictures, or a built-in one."""

import hashlib
import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch

from app.datasets.builtin import BUILT_IN, parse_options
from app.datasets.cifar10 import Cifar10Error
from app.datasets.dataset import content_hash
from app.datasets.errors import UnusableLabels, UnusableZip
from app.datasets.layout import Layout, arrange, is_table, read_labels
from app.datasets.repository import Limits
from app.datasets.split import split_members
from app.datasets.uploads import read_upload
from app.datasets.zip_reader import DamagedEntry, Entry, read_entry
from app.errors import InputError
from app.media import PictureError, inspect_picture
from app.settings import Settings
from worker.contract.inputs import Member, Source
from worker.datasets.builtin import IN_ONE, Drawn, open_built_in
from worker.datasets.make_dataset import encode
from worker.media.pictures import Picture, load_picture

# Of `Params.picture_side` and `Params.picture_short_side`.
Sides = tuple[int | None, int | None]


@dataclass(frozen=True)
class LocalSet:
    """The members of a set, in order, and the hash of its content: the same as in a service."""

    members: Sequence[Member]
    sha256: str
    # Files that are not read, with the reasons.
    skipped: list[tuple[str, str]] = field(default_factory=list)


def open_local(given: str, param: str, sides: Sides, settings: Settings) -> LocalSet:
    """The set that a path or the name of a built-in set says. Raises InputError that names the param.

    A picture is decoded when it is asked for; before, it is only checked and hashed. What is damaged is left
    out, as a service does.
    """
    path = Path(given)
    try:
        if path.is_dir():
            return _folder(path, param, sides, settings)
        if is_table(given):
            return _table(path, param, sides, settings)
        if path.is_file():
            return _zip(path, param, sides, settings)
    except OSError as error:
        raise InputError(param, f"{error.filename or given} cannot be read: {error.strerror}.") from error
    except (UnusableZip, UnusableLabels) as error:
        raise InputError(param, f"{given}: {error.detail}") from error
    if given in BUILT_IN:
        try:
            return _built_in(given, settings)
        except Cifar10Error as error:
            raise InputError(param, str(error)) from error
    raise InputError(
        param,
        f"There is no {given!r}: name a folder, a ZIP, a CSV beside pictures, or a built-in set: "
        f"{', '.join(BUILT_IN)}.",
    )


def _folder(folder: Path, param: str, sides: Sides, settings: Settings) -> LocalSet:
    """Pictures in a folder, with a table of labels in it if there is one."""
    paths = {
        unicodedata.normalize("NFC", path.relative_to(folder).as_posix()): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    tables = [name for name in paths if is_table(name)]
    if len(tables) > 1:
        raise UnusableLabels(f"There are several tables in it: {', '.join(tables[:3])}. Leave one.")
    labels = read_labels(paths[tables[0]].read_bytes()) if tables else None
    return _of_files(arrange(paths, labels), paths, param, sides, settings)


def _table(table: Path, param: str, sides: Sides, settings: Settings) -> LocalSet:
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
    return _of_files(Layout(members, 0), paths, param, sides, settings)


def _of_files(
    layout: Layout, paths: dict[str, Path], param: str, sides: Sides, settings: Settings
) -> LocalSet:
    members, skipped = [], []
    for name, (shown, label) in layout.members.items():
        path = paths[name]
        sha256, reason = _check(path.read_bytes, settings)
        if sha256 is None:
            skipped.append((name, reason))
        else:
            members.append(Member(Source(sha256, partial(_load_file, path, param, sides)), label, shown))
    return _of_members(members, skipped, param)


def _check(read: Callable[[], bytes], settings: Settings) -> tuple[str | None, str]:
    """The hash of a picture; or None, and why it cannot be a member. Its pixels are not decoded."""
    try:
        data = read()
        inspect_picture(io.BytesIO(data), settings)
    except DamagedEntry as error:
        return None, str(error)
    except PictureError as error:
        return None, error.detail
    return hashlib.sha256(data).hexdigest(), ""


def _load_file(path: Path, param: str, sides: Sides) -> Picture:
    try:
        return load_picture(path, param, *sides)
    except OSError as error:
        raise InputError(param, f"{path} cannot be read: {error.strerror}.") from error
    except InputError as error:
        raise InputError(param, f"{path}: {error.detail}") from error


def _zip(path: Path, param: str, sides: Sides, settings: Settings) -> LocalSet:
    members, skipped = [], []
    limits = Limits(settings.max_dataset_members, settings.max_dataset_bytes)
    with path.open("rb") as file:
        upload = read_upload(file, path.stat().st_size, None, limits)
        for name, (shown, label) in upload.layout.members.items():
            sha256, reason = _check(partial(upload.read, name), settings)
            if sha256 is None:
                skipped.append((name, reason))
            else:
                load = partial(_load_entry, path, upload.entries[name], param, sides)
                members.append(Member(Source(sha256, load), label, shown))
    return _of_members(members, skipped, param)


def _load_entry(path: Path, entry: Entry, param: str, sides: Sides) -> Picture:
    try:
        with path.open("rb") as file:
            data = read_entry(file, entry)
        return load_picture(io.BytesIO(data), param, *sides)
    except OSError as error:
        raise InputError(param, f"{path} cannot be read: {error.strerror}.") from error
    except (UnusableZip, DamagedEntry) as error:
        raise InputError(param, f"{path} has changed: {error}") from error
    except InputError as error:
        raise InputError(param, f"{entry.name}: {error.detail}") from error


def _built_in(name: str, settings: Settings) -> LocalSet:
    """A built-in set, drawn a few dozen pictures at a time."""
    pictures = open_built_in(parse_options(name, {}), settings.data_dir)

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
    return _of_members(members, [], name)


def _of_members(members: list[Member], skipped: list[tuple[str, str]], param: str) -> LocalSet:
    """A set of these members. Raises InputError if there are none."""
    if not members:
        reason = f" {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise InputError(param, f"There is no picture in it: JPEG, PNG, WebP and TIFF are taken.{reason}")
    keys = [(member.source.sha256, member.label, member.name) for member in members]
    parts = split_members(keys)
    placed = [replace(member, part=part) for member, part in zip(members, parts, strict=True)]
    return LocalSet(placed, content_hash((*key, None) for key in keys), skipped)
