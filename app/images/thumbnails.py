"""Thumbnails of stored pictures, made on request, and kept as long as there is room.

The only part of the HTTP service that decodes whole pictures: those whose limits were checked or that jobs
made, and a few at a time, in threads of their own, so that no other request waits for one.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import partial
from http import HTTPStatus
from io import BytesIO
from math import inf
from typing import Annotated, NamedTuple

import anyio
from anyio import to_thread
from fastapi import Query, Request, Response
from PIL import Image

from app.http.errors import FileGone, FilesUnavailable
from app.http.file_responses import CACHE, is_known, send_file
from app.images.errors import NoThumbnail
from app.images.shrinking import shrink
from app.media.stills import read_header
from app.storage import Storage

log = logging.getLogger(__name__)

MEDIA_TYPE = "image/webp"
QUALITY = 80
# Decoded at a time: a large picture takes some hundred megabytes and a second.
AT_A_TIME = 2
# Pixels decoded at a time, up to 9 bytes each, or 16 of a WebP whose first frame is not all of it.
# One with more than half is alone.
PIXELS_AT_A_TIME = 40_000_000
_turn = threading.Lock()
_thumbnail_threads = anyio.CapacityLimiter(AT_A_TIME)
# A page asks for fifty pictures at once, and with as many threads the event loop, which is one among them,
# would seldom get its turn.
_lookup_threads = anyio.CapacityLimiter(2 * AT_A_TIME)
# Sheets are drawn for seconds, which thumbnails should not wait for.
_sheet_threads = anyio.CapacityLimiter(AT_A_TIME)
# A thumbnail has some 5 to 50 kB.
_KEPT_BYTES = 32 << 20


class _Kept:
    """Bytes by key, the last used ones, up to ``most`` bytes of them all together."""

    def __init__(self, most: int) -> None:
        self._most, self._bytes = most, 0
        self._found: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def add(self, key: str, data: bytes) -> None:
        with self._lock:
            self._bytes += len(data) - len(self._found.pop(key, b""))
            self._found[key] = data
            while self._bytes > self._most:
                self._bytes -= len(self._found.popitem(last=False)[1])


class _Room:
    """Shares of a number of pixels among pictures: at most AT_A_TIME of them, or a large one alone."""

    def __init__(self, pixels: int) -> None:
        self._most, self._left = pixels, pixels
        self._changed = threading.Condition()

    def take(self, pixels: int) -> int:
        """Wait until there is room for a picture; what it takes is to be given back."""
        wanted = min(max(pixels, self._most // AT_A_TIME), self._most)
        with self._changed:
            self._changed.wait_for(lambda: wanted <= self._left)
            self._left -= wanted
        return wanted

    def give(self, taken: int) -> None:
        """Give back what a picture took."""
        with self._changed:
            self._left += taken
            self._changed.notify()


_room = _Room(PIXELS_AT_A_TIME)
# By content, which is the same for every service of this process.
_kept = _Kept(_KEPT_BYTES)


class Side(IntEnum):
    """The longer sides to choose from, in pixels: few, so that caches are effective."""

    SMALL = 160
    MEDIUM = 320
    LARGE = 640


SideQuery = Annotated[
    Side | None,
    Query(description="Longer side in pixels: a small copy, as WebP, which is never larger than the file."),
]


class Stored(NamedTuple):
    """A stored file."""

    key: str
    media_type: str
    sha256: str


async def send_stored(
    storage: Storage, find: Callable[[], Stored], side: Side | None, request: Request
) -> Response:
    """The file that ``find`` finds, in a thread, or with a side its thumbnail.

    Raises what ``find`` does, and as :func:`send_file` and :func:`send_thumbnail`.
    """
    file = await to_thread.run_sync(find, limiter=_lookup_threads)
    if side is None:
        return await to_thread.run_sync(partial(send_file, storage, *file, request), limiter=_lookup_threads)
    return await send_thumbnail(storage, *file, side, request)


async def send_thumbnail(
    storage: Storage, key: str, media_type: str, sha256: str, side: Side, request: Request
) -> Response:
    """A thumbnail of a stored picture, or of the first frame of an animation; 304 if the client has it.

    Raises NoThumbnail for a file that is not a picture or cannot be decoded, FileGone, FilesUnavailable.
    """
    etag = f'"{sha256}-{side}"'
    headers = {"ETag": etag, "Cache-Control": CACHE}
    if is_known(request, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if not media_type.startswith("image/"):
        raise NoThumbnail(f"A file of the type {media_type} has no small copy: leave out side.")
    data = _kept.get(etag)
    if data is None:
        make = partial(_make, storage, key, side, etag)
        data = await to_thread.run_sync(make, limiter=_thumbnail_threads)
    return Response(data, headers=headers, media_type=MEDIA_TYPE)


async def in_sheet_thread(draw: Callable[[], Response]) -> Response:
    """The answer of ``draw``, which decodes many pictures, in one of a few threads for that."""
    return await to_thread.run_sync(draw, limiter=_sheet_threads)


def _make(storage: Storage, key: str, side: Side, etag: str) -> bytes:
    """The file of a thumbnail, which another request may have made while this one waited."""
    if (found := _kept.get(etag)) is not None:
        return found
    image = read_small(storage, key, side)
    out = BytesIO()
    image.save(out, "WEBP", quality=QUALITY, icc_profile=image.info.get("icc_profile"))
    _kept.add(etag, out.getvalue())
    return out.getvalue()


def read_small(storage: Storage, key: str, side: int, max_pixels: float = inf) -> Image.Image:
    """A stored picture, RGB or RGBA, reduced to ``side`` pixels at most.

    Its profile is in its ``info``, and how many pixels it had. Raises NoThumbnail if it cannot be decoded or
    has more than ``max_pixels``, FileGone, FilesUnavailable.
    """
    try:
        return _read_small(storage, key, side, max_pixels)
    except (NoThumbnail, FileGone, FilesUnavailable):
        raise
    except Exception as error:  # Pillow's decoders raise a dozen types for damaged data
        raise NoThumbnail("This picture cannot be decoded.") from error


def _read_small(storage: Storage, key: str, side: int, max_pixels: float) -> Image.Image:
    # One at a time reads its file and waits for room, so that no other one is overtaken for ever.
    with _turn:
        data = _read(storage, key)
        header = read_header(data)
        pixels = header.width * header.height
        if pixels > max_pixels:
            raise NoThumbnail(f"This picture has {pixels:,} pixels, too many to be reduced here.")
        taken = _room.take(pixels)
    try:
        image = shrink(data, header, side)
    finally:
        _room.give(taken)
    image.info["pixels"] = pixels
    return image


def _read(storage: Storage, key: str) -> bytes:
    """A stored file. Its errors are told here from those of decoders, some of which are OSErrors, too."""
    try:
        with storage.open(key) as file:
            return file.read()
    except FileNotFoundError:
        raise FileGone from None
    except OSError as error:
        log.error("a picture cannot be read: %s", error)
        raise FilesUnavailable(error.strerror or str(error)) from error


class SmallPictures(NamedTuple):
    """Small copies of stored pictures by name; ``all_read``: no file was missing or unreadable."""

    pictures: dict[str, Image.Image]
    all_read: bool


def read_all_small(
    storage: Storage, keys: Mapping[str, str], side: int, max_pixels: float = inf
) -> SmallPictures:
    """Small copies of the stored pictures of some keys that can be decoded, by the names that these have.

    The first ones, if all together have more than ``max_pixels`` before they are reduced.
    """
    found: dict[str, Image.Image] = {}
    left, all_read = max_pixels, True
    for name, key in keys.items():
        try:
            image = read_small(storage, key, side, left)
        except NoThumbnail:
            continue
        except (FileGone, FilesUnavailable):
            all_read = False
            continue
        left -= image.info["pixels"]
        found[name] = image
    return SmallPictures(found, all_read)
