"""The recipe in a file that a job made: JSON.

A PNG has it in an international text chunk, a JPEG or WebP in the description of its EXIF data, a TIFF in
its description, an MP4 in its comment, a state in its header; a recipe file is plain JSON.
"""

import json
from contextlib import suppress
from io import BytesIO
from typing import Any, BinaryIO

from PIL import ExifTags, Image

from app.media.clips import CLIP_HEAD, clip_format
from app.media.errors import PictureError
from app.media.jpeg import open_jpeg
from app.media.png import PNG_SIGNATURE, text_of_png
from app.media.stills import for_decoder, read_header

RECIPE_KEY = "impasto"
# In the header of a safetensors file.
STATE_RECIPE_KEY = "impasto_recipe"
# A recipe has a few kB; longer texts are something else.
MAX_RECIPE_BYTES = 256 << 10


def dump_recipe(recipe: dict[str, Any], *, ascii_only: bool = False) -> str:
    """A recipe as JSON, the same text for the same recipe. Raises ValueError for infinity and NaN."""
    return json.dumps(recipe, sort_keys=True, ensure_ascii=ascii_only, allow_nan=False)


def read_recipe(file: BinaryIO) -> dict[str, Any] | None:
    """The recipe in a file, read without decoding pixels; None if there is none that can be read.

    It is untrusted: validate it like params of a request.
    """
    file.seek(0)
    head = file.read(CLIP_HEAD)
    file.seek(0)
    try:
        if clip_format(head) == "MP4":
            text = _comment_of_video(file)
        elif head[8:9] == b"{":
            text = _text_of_state(file, int.from_bytes(head[:8], "little"))
        elif head.lstrip().startswith(b"{"):
            text = file.read(MAX_RECIPE_BYTES + 1).decode()
        else:
            text = _text_of_picture(file)
    except Exception:  # another format, or damaged: no recipe
        return None
    if text is None or len(text.encode()) > MAX_RECIPE_BYTES:
        return None
    try:
        recipe = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return recipe if isinstance(recipe, dict) else None


def _text_of_picture(file: BinaryIO) -> str | None:
    data = file.read()
    if data.startswith(PNG_SIGNATURE):
        found = text_of_png(data, RECIPE_KEY, MAX_RECIPE_BYTES)
        return None if found is None else found.decode()
    with _opened(data) as image:
        text = image.getexif().get(ExifTags.Base.ImageDescription)
        return text if isinstance(text, str) else None


def _opened(data: bytes) -> Image.Image:
    if data.startswith(b"\xff\xd8"):
        return open_jpeg(data)
    # The recipe may be there though pixels are not: then the file is opened as it is.
    with suppress(PictureError):
        data = for_decoder(data, read_header(data))
    return Image.open(BytesIO(data), formats=("WEBP", "TIFF"))


def _text_of_state(file: BinaryIO, size: int) -> str | None:
    """The recipe in the header of a safetensors file, ``size`` bytes of JSON after the first eight."""
    # Its recipe, and as much of losses, names and sizes.
    if size > 2 * MAX_RECIPE_BYTES:
        return None
    file.seek(8)
    text = json.loads(file.read(size))["__metadata__"][STATE_RECIPE_KEY]
    return text if isinstance(text, str) else None


def _comment_of_video(file: BinaryIO) -> str | None:
    import av  # Slow to import, and used only by the command line: the service asks for no clip's recipe.

    with av.open(file, format="mp4") as container:
        return container.metadata.get("comment")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
