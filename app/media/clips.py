"""Headers of clips: GIF, animated WebP, MP4 (and QuickTime), WebM (and Matroska).

Only the structure is read, without decoding a frame, which is quick and needs no memory: tables of samples
and headers of blocks are counted, and their contents skipped.
"""

import struct

from app.media.errors import PictureError, damaged_clip, truncated
from app.media.gif import GIF_SIGNATURES, read_gif
from app.media.headers import Format, Header
from app.media.magic import BRANDS
from app.media.mp4 import read_mp4
from app.media.webm import read_webm
from app.media.webp import read_webp

# Bytes at the start of a file that are enough to recognise a clip.
CLIP_HEAD = 32


def is_clip_type(media_type: str) -> bool:
    """Whether files of a media type are always clips."""
    return media_type.startswith("video/")


def clip_format(data: bytes) -> Format | None:
    """The format of a clip by its first bytes; None for a still picture or anything else."""
    if data.startswith(GIF_SIGNATURES):
        return "GIF"
    if data[4:8] == b"ftyp" and data[8:12] not in BRANDS:
        return "MP4"
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return "WEBM"
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and len(data) > 20 and data[20] & 0x02:
        return "WEBP"
    return None


def is_clip(data: bytes) -> bool:
    """Whether a whole file is a clip, and no GIF of a single frame, which is a picture as good as any."""
    format = clip_format(data)
    if format != "GIF":
        return format is not None
    try:
        return read_gif(data).frames > 1
    except PictureError:
        return True


def read_clip_header(data: bytes) -> Header:
    """Read the structure of a whole clip. Raises PictureError if it is no clip, truncated or damaged."""
    readers = {"GIF": read_gif, "WEBP": read_webp, "MP4": read_mp4, "WEBM": read_webm}
    format = clip_format(data)
    if format is None:
        raise PictureError(
            "This is not a clip. Send an MP4, WebM, GIF or animated WebP file.", "not_a_picture"
        )
    try:
        header = readers[format](data)
    except (struct.error, IndexError):
        # The readers index into the file, so reading past its end means that it is truncated.
        raise truncated("clip") from None
    if header.width == 0 or header.height == 0 or header.frames == 0:
        raise damaged_clip("no frames")
    return header
