"""Options taken from the recipe in a file that a job made."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from app.errors import InputError
from app.kinds import KindSpec, Params
from app.kinds.spec import PRESET
from app.media.recipe_text import read_recipe
from app.networks.catalogue import Catalogue


def recipe_params(
    spec: KindSpec[Params],
    file: Path,
    pictures: Mapping[str, Sequence[Path]],
    given: Mapping[str, Any],
    catalogue: Catalogue,
) -> dict[str, Any]:
    """The params in the recipe of a file, without its pictures, overridden by the ``given`` ones.

    A network that was renamed since has its new name. Prints a note on stderr if ``pictures``, by param,
    differ from those that the file was made from. Raises InputError if the file has no recipe of that kind.
    """
    try:
        with file.open("rb") as opened:
            recipe = read_recipe(opened)
    except OSError as error:
        raise InputError("recipe", f"{file} cannot be read: {error.strerror}.") from error
    if recipe is None or not isinstance(recipe.get("params"), dict):
        raise InputError("recipe", f"{file} contains no recipe: name a file that Impasto made.")
    if recipe.get("kind") != spec.name:
        raise InputError("recipe", f"{file} was made by {recipe.get('kind')!r}, not by {spec.name!r}.")
    if PRESET in given:
        raise InputError(PRESET, "The recipe already says all that a preset would: leave out one of them.")
    hashes = recipe.get("inputs")
    for name, paths in pictures.items():
        now = [_sha256(path) for path in paths if path.is_file()]
        if isinstance(hashes, dict) and hashes.get(name) != now:
            typer.echo(f"impasto: note: {name} is not the picture that {file} was made from.", err=True)
    params = {
        name: value for name, value in recipe["params"].items() if name not in spec.params.picture_fields()
    }
    return _with_network(params, recipe.get("network"), catalogue) | dict(given)


def _with_network(params: dict[str, Any], network: Any, catalogue: Catalogue) -> dict[str, Any]:
    """The params with the present name of the network that the recipe names, if its weights are here."""
    match network:
        case {"name": str(name), "sha256": str(sha256)} if "network" in params:
            card = catalogue.find(name, sha256)
            return params if card is None else {**params, "network": card.name}
    return params


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
