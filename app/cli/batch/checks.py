"""Checks of all entries of a batch, before any is computed or any picture is sent."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.batches.schemas import LineProblem
from app.cli.batch.entries import Entry
from app.cli.batch.pictures import (
    PictureFile,
    PictureFinder,
    Pictures,
    clips_of,
    hashes,
    references,
    sides_of,
)
from app.errors import InputError, ServiceError
from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.kinds import KINDS, Params
from app.networks.catalogue import Catalogue

# What an entry asks for, as a text that is the same for the same results.
Key = str
# The hash of the content of a set: of resolved params, the name of the param, and what it is called.
HashOfSet = Callable[[Params, str, str], str]


def check_all(
    entries: Iterable[Entry], check: Callable[[Entry], Key]
) -> tuple[dict[str, Key], list[LineProblem]]:
    """The key of each entry that is right, by ``custom_id``; what is wrong with the others, one for each."""
    keys: dict[str, Key] = {}
    problems: list[LineProblem] = []
    for entry in entries:
        try:
            keys[entry.custom_id] = check(entry)
        except ServiceError as error:
            problems.append(entry.problem(error.field or "params", error.errors[0].detail))
    return keys, problems


@dataclass(frozen=True)
class LocalRequest:
    """What an entry is computed from in this process: resolved params, files and sets by param."""

    params: Params
    pictures: Pictures
    sets: dict[str, str]

    @property
    def files(self) -> dict[str, list[Path]]:
        """The paths of the pictures, by param."""
        return {
            name: [each.path for each in several if isinstance(each, PictureFile)]
            for name, several in self.pictures.items()
        }


def local_request(entry: Entry, finder: PictureFinder, catalogue: Catalogue) -> LocalRequest:
    """Check an entry that is computed here. Raises ServiceError that names the field."""
    given, pictures, sets = _read(entry, finder)
    if KINDS[entry.kind].command is None:
        raise InputError("kind", f"{entry.kind} is not computed without a service: name one with --url.")
    named = {name: Path(value).name or value for name, value in sets.items()}
    params = parse_params(
        entry.kind, given | named | references(KINDS[entry.kind].params, pictures), catalogue
    )
    _require_files(params, pictures)
    return LocalRequest(params, pictures, sets)


def local_key(entry: Entry, request: LocalRequest, catalogue: Catalogue, hash_of_set: HashOfSet) -> Key:
    """The key of an entry that is computed here. Raises InputError for a set that cannot be used."""
    params, inputs = request.params, dict(hashes(request.pictures))
    for name, value in request.sets.items():
        inputs[name] = [hash_of_set(params, name, value)]
    need = params.network_need()
    names = [*([] if need is None else [need.name]), *params.further_networks()]
    cards = {name: catalogue.find(name) for name in names}
    values = {k: v for k, v in params.model_dump(mode="json").items() if k not in inputs}
    weights = {name: None if card is None else card.sha256 for name, card in cards.items()}
    return _digest([entry.kind, values, inputs, weights, entry.reproducible])


def service_key(entry: Entry, finder: PictureFinder) -> Key:
    """Check an entry for a service, as far as that is possible without it; its key.

    Raises ServiceError that names the field.
    """
    given, pictures, sets = _read(entry, finder)
    params = parse_params(entry.kind, given | sets | references(KINDS[entry.kind].params, pictures), None)
    _require_files(params, pictures)
    values = {name: value for name, value in entry.params.items() if name not in pictures}
    return _digest([entry.kind, values, hashes(pictures), entry.reproducible])


def _read(entry: Entry, finder: PictureFinder) -> tuple[dict[str, Any], Pictures, dict[str, str]]:
    """The params of an entry without pictures and sets, its pictures, and its sets. Raises ServiceError."""
    if entry.kind not in KINDS:
        parse_params(entry.kind, {}, None)  # refuses it
    cls = KINDS[entry.kind].params
    try:
        pictures = finder.find(cls, entry.params)
    except InputError as error:
        raise ParamsError(error.errors) from None
    given = dict(entry.params)
    sets = {name: value for name in cls.dataset_fields() if isinstance(value := given.pop(name, None), str)}
    if not finder.ids:
        sets = {name: _path_of_set(finder.folder, value) for name, value in sets.items()}
    return {name: value for name, value in given.items() if name not in pictures}, pictures, sets


def _require_files(params: Params, pictures: Pictures) -> None:
    """Check what the files are, and their shapes; ParamsError."""
    errors = params.problems_of_clips(clips_of(type(params), pictures))
    errors += params.problems_of_sides(sides_of(pictures))
    if errors:
        raise ParamsError(errors)


def _path_of_set(folder: Path, given: str) -> str:
    return str(folder / given) if (folder / given).exists() else given


def _digest(value: list[Any] | Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
