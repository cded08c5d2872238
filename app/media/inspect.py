"""Checks of an uploaded picture that decode no pixel, which is quick and needs no memory.

Pixels are decoded only in the worker; these checks give an answer at once. The exception is a JPEG without an
end marker, which is decoded at an eighth of its size, one at a time in a process.
"""

import os
from dataclasses import dataclass, replace
from io import BytesIO
from typing import BinaryIO

from PIL import Image

from app.media.clips import CLIP_HEAD, clip_format, read_clip_header
from app.media.errors import PictureError, damaged
from app.media.headers import Format, Header
from app.media.jpeg import open_jpeg, require_rows
from app.media.orientation import orientation_of
from app.media.stills import for_decoder, read_header
from app.settings import Settings

MEDIA_TYPES: dict[Format, str] = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "HEIF": "image/heic",
    "AVIF": "image/avif",
    "GIF": "image/gif",
    "MP4": "video/mp4",
    "WEBM": "video/webm",
}
# Orientations of EXIF (tag 274) that swap width and height.
_ON_ITS_SIDE = (5, 6, 7, 8)
# Pillow opens nothing larger (twice its own warning limit), whatever the settings are.
PILLOW_PIXELS = 178_956_970


@dataclass(frozen=True)
class PictureInfo:
    """A picture, or a clip of ``frames``, that may be uploaded.

    ``width`` and ``height`` are pixels as displayed, after the rotation that ``orientation`` (EXIF, 1
    to 8) asks for. ``bytes`` is the size of the file.
    """

    format: Format
    media_type: str
    width: int
    height: int
    has_alpha: bool
    orientation: int
    bytes: int
    frames: int = 1


@dataclass(frozen=True)
class OpenedPicture:
    """A still picture with a complete structure, opened by Pillow and not yet decoded.

    ``data`` is the file as decoders take it.
    """

    header: Header
    data: bytes
    image: Image.Image
    orientation: int


def inspect_picture(file: BinaryIO, settings: Settings) -> PictureInfo:
    """Check format, limits, frames and end marker. Raises PictureError, which says what to do.

    ``file`` is read from its start, wherever its position is, and left at its start.
    """
    data = _read(file, settings.max_image_bytes, "Send a smaller copy, or a JPEG.")
    header = read_header(data)
    _check_limits(header, settings)
    picture = open_picture(data, header)
    picture.image.close()
    return _info(header, picture.orientation, len(data))


def inspect_upload(file: BinaryIO, settings: Settings) -> PictureInfo:
    """Check a file that may be a picture or a clip, as :func:`inspect_picture` does."""
    file.seek(0)
    head = file.read(CLIP_HEAD)
    return inspect_picture(file, settings) if clip_format(head) is None else inspect_clip(file, settings)


def inspect_clip(file: BinaryIO, settings: Settings) -> PictureInfo:
    """Check structure, limits, frames and length of a clip. Raises PictureError, which says what to do."""
    data = _read(file, settings.max_clip_bytes, "Send a shorter or smaller clip.")
    header = read_clip_header(data)
    _check_limits(header, settings)
    if header.frames > settings.max_clip_frames:
        raise PictureError(
            f"The clip has {header.frames} frames; at most {settings.max_clip_frames} are taken. Cut it.",
            "frames",
        )
    pixels = header.frames * header.width * header.height
    if pixels > settings.max_clip_pixels:
        raise PictureError(
            f"The clip has {header.frames} frames of {header.width}×{header.height} = {pixels / 1e6:.0f} "
            f"megapixels; at most {settings.max_clip_pixels / 1e6:g} are taken. Make it smaller or shorter.",
            "pixels",
        )
    if header.seconds > settings.max_clip_seconds:
        raise PictureError(
            f"The clip lasts {header.seconds:.1f} s; at most {settings.max_clip_seconds:g} s are taken. "
            "Cut it.",
            "seconds",
        )
    return _info(replace(header, has_alpha=False), 1, len(data))


def _info(header: Header, orientation: int, size: int) -> PictureInfo:
    width, height = displayed(header, orientation)
    return PictureInfo(
        format=header.format,
        media_type=MEDIA_TYPES[header.format],
        width=width,
        height=height,
        has_alpha=header.has_alpha,
        orientation=orientation,
        bytes=size,
        frames=header.frames,
    )


def displayed_sides(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, as displayed, of the picture that a file holds. Raises PictureError."""
    picture = open_picture(data)
    picture.image.close()
    return displayed(picture.header, picture.orientation)


def displayed(header: Header, orientation: int) -> tuple[int, int]:
    """Width and height in pixels after the rotation that the EXIF orientation asks for."""
    return (header.height, header.width) if orientation in _ON_ITS_SIDE else (header.width, header.height)


def _read(file: BinaryIO, most: int, remedy: str) -> bytes:
    """All of a file, which is left at its start. Raises PictureError for more than ``most`` bytes."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > most:
        raise PictureError(
            f"The file has {size / 1e6:.1f} MB; at most {most / 1e6:g} MB are taken. {remedy}", "bytes"
        )
    data = file.read()
    file.seek(0)
    return data


def open_picture(data: bytes, header: Header | None = None) -> OpenedPicture:
    """Open a whole file with Pillow, decoding nothing yet. Raises PictureError if that fails.

    Of a JPEG without an end marker an eighth of the size is decoded, to see whether rows are missing; others
    wait for that, and it takes up to 6 bytes a pixel.
    Applies no limit of size: a picture made by a job may be larger than an upload.
    """
    header = header or read_header(data)
    if header.frames > 1:
        raise PictureError(
            f"The picture is animated ({header.frames} frames). Save one frame as JPEG or PNG.", "animated"
        )
    if header.format == "JPEG" and not header.ends:
        require_rows(data)
    data = for_decoder(data, header)
    try:
        image = open_jpeg(data) if header.format == "JPEG" else _opened(data, header)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(header, PILLOW_PIXELS) from error
    except Exception as error:  # Pillow's readers raise a dozen types for damaged files
        raise damaged("its header cannot be read") from error
    if not isinstance(image.info.get("icc_profile"), bytes):
        # What a TIFF has as numbers is no profile.
        image.info.pop("icc_profile", None)
    if header.exif is not None:
        image.info.setdefault("exif", header.exif)
    orientation = orientation_of(image)
    # Of a TIFF Pillow says the size as displayed.
    size = displayed(header, orientation) if header.format == "TIFF" else (header.width, header.height)
    if image.size != size:
        raise damaged("its sizes contradict each other")
    return OpenedPicture(header, data, image, orientation)


def _opened(data: bytes, header: Header) -> Image.Image:
    return Image.open(BytesIO(data), formats=(header.format,))


def _check_limits(header: Header, settings: Settings) -> None:
    width, height = header.width, header.height
    most = min(settings.max_image_pixels, PILLOW_PIXELS)
    if width * height > most:
        raise _too_many_pixels(header, most)
    if max(width, height) > settings.max_image_side:
        raise PictureError(
            f"The picture has {width}×{height} pixels; no side may be longer than "
            f"{settings.max_image_side}. Send a smaller copy.",
            "side",
        )
    if max(width, height) > settings.max_image_aspect * min(width, height):
        raise PictureError(
            f"The picture has {width}×{height} pixels; the longer side may be at most "
            f"{settings.max_image_aspect:g} times the shorter. Crop it.",
            "aspect",
        )


def _too_many_pixels(header: Header, most: int) -> PictureError:
    return PictureError(
        f"The picture has {header.width}×{header.height} = {header.width * header.height / 1e6:.1f} "
        f"megapixels; at most {most / 1e6:g} are taken. Send a smaller copy.",
        "pixels",
    )
