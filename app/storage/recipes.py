"""The recipe inside a PNG made here: JSON in an international text chunk."""

import json
from typing import Any, BinaryIO

from PIL import Image, PngImagePlugin

RECIPE_KEY = "impasto"
# A recipe has a few kB; more is none of ours.
MAX_RECIPE_BYTES = 256 << 10


def dump_recipe(recipe: dict[str, Any]) -> str:
    """A recipe as JSON, the same text for the same recipe; ValueError for a number that is not finite."""
    return json.dumps(recipe, sort_keys=True, ensure_ascii=False, allow_nan=False)


def read_recipe(file: BinaryIO) -> dict[str, Any] | None:
    """The recipe that a PNG carries, decoding no pixel; None if it carries none that can be read.

    It is what some file says: check it like any params from outside.
    """
    file.seek(0)
    try:
        with Image.open(file, formats=("PNG",)) as image:
            text = image.info.get(RECIPE_KEY)
    except Exception:  # not a PNG, or one that Pillow cannot read: nothing to read a recipe from
        return None
    if not isinstance(text, PngImagePlugin.iTXt) or len(text.encode()) > MAX_RECIPE_BYTES:
        return None
    try:
        recipe = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return recipe if isinstance(recipe, dict) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
