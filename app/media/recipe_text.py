"""The recipe inside a file made here: JSON.

A PNG has it in an international text chunk, a WebP in the description of its EXIF data, an MP4 in its
comment; a file that is a recipe and nothing else is plain JSON.
"""

import json
from typing import Any, BinaryIO

from PIL import ExifTags, Image, PngImagePlugin

RECIPE_KEY = "impasto"
# A recipe has a few kB; more is none of ours.
MAX_RECIPE_BYTES = 256 << 10


def dump_recipe(recipe: dict[str, Any], *, ascii_only: bool = False) -> str:
    """A recipe as JSON, the same text for the same recipe; ValueError for a number that is not finite."""
    return json.dumps(recipe, sort_keys=True, ensure_ascii=ascii_only, allow_nan=False)


def read_recipe(file: BinaryIO) -> dict[str, Any] | None:
    """The recipe that a file carries, decoding no pixel; None if it carries none that can be read.

    It is what some file says: check it like any params from outside.
    """
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    try:
        if head[4:8] == b"ftyp":
            text = _comment_of_video(file)
        elif head.lstrip().startswith(b"{"):
            text = file.read(MAX_RECIPE_BYTES + 1).decode()
        else:
            text = _text_of_picture(file)
    except Exception:  # not one of ours, or damaged: nothing to read a recipe from
        return None
    if text is None or len(text.encode()) > MAX_RECIPE_BYTES:
        return None
    try:
        recipe = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return recipe if isinstance(recipe, dict) else None


def _text_of_picture(file: BinaryIO) -> str | None:
    with Image.open(file, formats=("PNG", "WEBP")) as image:
        if image.format == "WEBP":
            text = image.getexif().get(ExifTags.Base.ImageDescription)
            return text if isinstance(text, str) else None
        text = image.info.get(RECIPE_KEY)
        return text if isinstance(text, PngImagePlugin.iTXt) else None


def _comment_of_video(file: BinaryIO) -> str | None:
    import av  # Takes time to load, and only the command line ever comes here.

    with av.open(file, format="mp4") as container:
        return container.metadata.get("comment")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
