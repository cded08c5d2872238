"""Thumbnails of stored pictures, made on request.

The only module of the HTTP service that decodes pixels: of pictures whose limits were checked or that jobs
made, and of a few at a time.
"""

import threading
from collections.abc import Mapping
from enum import IntEnum
from http import HTTPStatus
from io import BytesIO
from math import inf
from typing import Annotated, BinaryIO

from fastapi import Query, Request, Response
from PIL import Image, ImageOps

from app.http.errors import FileGone
from app.http.file_responses import CACHE, is_known
from app.images.errors import NoThumbnail
from app.storage import Storage

MEDIA_TYPE = "image/webp"
QUALITY = 80
# Decoded at a time: a large picture takes some hundred megabytes and a second.
_at_a_time = threading.Semaphore(2)


class Side(IntEnum):
    """The longer sides to choose from, in pixels: few, so that caches are effective."""

    SMALL = 160
    MEDIUM = 320
    LARGE = 640


SideQuery = Annotated[
    Side | None,
    Query(description="Longer side in pixels: a small copy, as WebP, which is never larger than the file."),
]


def send_thumbnail(
    storage: Storage, key: str, media_type: str, sha256: str, side: Side, request: Request
) -> Response:
    """A thumbnail of a stored picture, or of the first frame of an animation; 304 if the client has it.

    Raises NoThumbnail for a file that is not a picture or cannot be decoded, FileGone.
    """
    etag = f'"{sha256}-{side}"'
    headers = {"ETag": etag, "Cache-Control": CACHE}
    if is_known(request, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if not media_type.startswith("image/"):
        raise NoThumbnail(f"A file of the type {media_type} has no small copy: leave out side.")
    image = read_small(storage, key, side)
    out = BytesIO()
    image.save(out, "WEBP", quality=QUALITY, icc_profile=image.info.get("icc_profile"))
    return Response(out.getvalue(), headers=headers, media_type=MEDIA_TYPE)


def read_small(storage: Storage, key: str, side: int, max_pixels: float = inf) -> Image.Image:
    """A stored picture, RGB or RGBA, reduced to ``side`` pixels at most.

    Its profile is in its ``info``, and how many pixels it had. Raises NoThumbnail if it cannot be decoded or
    has more than ``max_pixels``, FileGone.
    """
    try:
        with storage.open(key) as file, _at_a_time:
            return _shrink(file, side, max_pixels)
    except FileNotFoundError:
        raise FileGone from None
    except NoThumbnail:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen types for damaged data
        raise NoThumbnail("This picture cannot be decoded.") from error


def read_all_small(
    storage: Storage, keys: Mapping[str, str], side: int, max_pixels: float = inf
) -> dict[str, Image.Image]:
    """Small copies of the stored pictures of some keys that can be decoded, by the names that these have.

    The first ones, if all together have more than ``max_pixels`` before they are reduced.
    """
    found = {}
    left = max_pixels
    for name, key in keys.items():
        try:
            image = read_small(storage, key, side, left)
        except (NoThumbnail, FileGone):
            continue
        left -= image.info["pixels"]
        found[name] = image
    return found


def _shrink(file: BinaryIO, side: int, max_pixels: float) -> Image.Image:
    with Image.open(file) as opened:
        pixels = opened.width * opened.height
        if pixels > max_pixels:
            raise NoThumbnail(f"This picture has {pixels:,} pixels, too many to be reduced here.")
        profile = opened.info.get("icc_profile")
        opened.draft(None, (2 * side, 2 * side))  # reduces a JPEG alone
        # Of grey with more than 8 bits Pillow would keep the lowest 8.
        deep = opened.mode in ("I;16", "I;16B")
        image = opened.convert("I").point(lambda level: level / 257).convert("L") if deep else opened
        image = ImageOps.exif_transpose(image)
        if image.mode not in ("RGB", "RGBA"):
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
            profile = None
        image.thumbnail((side, side), reducing_gap=3.0)
        image.load()
        image.info = {"icc_profile": profile, "pixels": pixels}
        return image
