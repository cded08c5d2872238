"""Options taken from a file that was made here."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from app.errors import InputError
from app.kinds import KindSpec, Params
from app.kinds.presets import PRESET
from app.media.recipe_text import read_recipe


def recipe_params(
    spec: KindSpec[Params], file: Path, pictures: Mapping[str, Sequence[Path]], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The params of a kind that made a file, with the given ones over them and without its pictures.

    Says so on stderr if ``pictures``, by param, are not those that it was made from. Raises InputError
    for a file that carries no recipe of that kind.
    """
    try:
        with file.open("rb") as opened:
            recipe = read_recipe(opened)
    except OSError as error:
        raise InputError("recipe", f"{file} cannot be read: {error.strerror}.") from error
    if recipe is None or not isinstance(recipe.get("params"), dict):
        raise InputError("recipe", f"{file} carries no recipe: name a file that Impasto made.")
    if recipe.get("kind") != spec.name:
        raise InputError("recipe", f"{file} was made by {recipe.get('kind')!r}, not by {spec.name!r}.")
    if PRESET in given:
        raise InputError(PRESET, "The recipe already says all that a preset would: leave out one of them.")
    hashes = recipe.get("inputs")
    for name, paths in pictures.items():
        now = [_sha256(path) for path in paths if path.is_file()]
        if isinstance(hashes, dict) and hashes.get(name) != now:
            typer.echo(f"impasto: note: {name} is not the picture that {file} was made from.", err=True)
    without_pictures = {
        name: value for name, value in recipe["params"].items() if name not in spec.params.picture_fields()
    }
    return without_pictures | dict(given)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
