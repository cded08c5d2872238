"""What of a recipe can be asked for again here.

A recipe comes with a picture that anybody may have made: nothing in it is trusted.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine

from app.database.ids import is_id
from app.database.texts import problem_of_text
from app.datasets.builtin import built_in
from app.datasets.repository import find_dataset
from app.errors import FieldError
from app.images.repository import Image, find_images
from app.jobs.job import Artifact
from app.jobs.repository import get_artifact
from app.kinds import KINDS, Params
from app.networks.catalogue import Catalogue

# Params that are named of those that are left out, and characters of a name and of a reason.
MAX_LEFT_OUT = 20
MAX_NAME, MAX_REASON = 60, 200


@dataclass(frozen=True)
class Reusable:
    """The params of a recipe that this service takes, and what it leaves out: a param each, and why."""

    kind: str
    params: dict[str, Any]
    left_out: list[FieldError]


def reusable(engine: Engine, recipe: Mapping[str, Any]) -> Reusable | None:
    """What of a recipe can be asked for here; None if it is none.

    Networks have their present names. Pictures are there if they are stored here, with the same content.
    """
    kind, params = recipe.get("kind"), recipe.get("params")
    if not isinstance(kind, str) or not isinstance(params, dict):
        return None
    try:
        if problem_of_text(recipe) is not None:
            return None
        if kind not in KINDS or not KINDS[kind].listed:
            return Reusable(kind[:MAX_NAME], {}, [FieldError("kind", "This service has no such kind.")])
        cls = KINDS[kind].params
        wrong = _wrong_params(cls, params)
    except RecursionError:
        return None
    known = {
        name: params[name] for name in cls.model_fields if name not in wrong and params.get(name) is not None
    }
    catalogue = Catalogue(engine)
    known = cls.present_values(known, catalogue.present_names(networks_of(recipe)))
    wrong |= dict(_missing(engine, catalogue, cls, known, recipe.get("inputs")))
    left_out = [
        FieldError(name[:MAX_NAME], reason[:MAX_REASON])
        for name, reason in sorted(wrong.items(), key=lambda item: item[0] not in cls.model_fields)
    ]
    found = {name: value for name, value in known.items() if name not in wrong}
    return Reusable(kind, found, left_out[:MAX_LEFT_OUT])


def networks_of(recipe: Mapping[str, Any]) -> dict[str, str]:
    """The hashes of the networks that a recipe was made with, by their names in its params."""
    found: dict[str, str] = {}
    further = recipe.get("further_networks")
    for network in further if isinstance(further, list) else ():
        match network:
            case {"name": str(name), "sha256": str(sha256)}:
                found[name] = sha256
    match recipe:
        # Recipes of earlier versions have the name of today there, and that of the job in the params.
        case {"network": {"sha256": str(sha256)}, "params": {"network": str(name)}}:
            found[name] = sha256
    return found


def _wrong_params(cls: type[Params], params: Mapping[str, Any]) -> dict[str, str]:
    """Params that the class refuses one by one, and why."""
    wrong = dict.fromkeys(params.keys() - cls.model_fields.keys(), "There is no such param.")
    try:
        # As JSON has it, without conversion: what is stored is taken as it is.
        known = {name: value for name, value in params.items() if name not in wrong}
        cls.model_validate_json(json.dumps(known), strict=True)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            if each["type"] == "missing":
                continue
            # What is wrong as a whole, such as numbers or lists that no parser takes, has no place.
            names = [str(each["loc"][0])] if each["loc"] else [*known]
            wrong |= dict.fromkeys(names, f"{each['msg']}.")
    return wrong


def _missing(
    engine: Engine, catalogue: Catalogue, cls: type[Params], params: Mapping[str, Any], hashes: Any
) -> Iterator[tuple[str, str]]:
    """Params that name what is not here, and why; ``hashes`` are those of the files by param."""
    for name in cls.picture_fields():
        if name in params:
            expected = hashes.get(name) if isinstance(hashes, dict) else None
            if _hashes_of(engine, params[name]) != expected:
                yield name, "This is not stored here."
    for name in cls.dataset_fields():
        if name in params and built_in(params[name]) is None and find_dataset(engine, params[name]) is None:
            yield name, "This set is not here."
    for name in cls.network_fields():
        if any(catalogue.find(each) is None for each in _as_list(params.get(name, []))):
            yield name, "This network is not here."


def _hashes_of(engine: Engine, references: str | list[str]) -> list[str | None]:
    """The SHA-256 of stored pictures, None for one that is not stored."""
    found: list[str | None] = []
    for reference in _as_list(references):
        owner, _, artifact = reference.partition("/")
        stored: Artifact | Image | None = None
        if is_id(owner) and artifact:
            stored = get_artifact(engine, owner, artifact)
        elif is_id(owner):
            stored = find_images(engine, {owner}).get(owner)
        found.append(None if stored is None else stored.sha256)
    return found


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
