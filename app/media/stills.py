"""Headers of still pictures, read from their structure without decoding a pixel.

The whole structure is read, so that a truncated file is recognised, and in a PNG a wrong checksum. A file is
taken if its pixels are there: what viewers do without, such as an end marker or a text, may be missing.
"""

from app.media.bmp import read_bmp
from app.media.errors import PictureError, damaged
from app.media.gif import GIF_SIGNATURES, read_gif
from app.media.headers import Header
from app.media.heif import heif_format, read_heif
from app.media.jpeg import ended_jpeg, read_jpeg
from app.media.magic import is_safetensors, name_of, remedy_for
from app.media.png import PNG_SIGNATURE, pixels_of_png, read_png
from app.media.tiff import TIFF_SIGNATURES, reachable_tiff, read_tiff
from app.media.webp import ended_webp, read_webp


def read_header(data: bytes) -> Header:
    """Read the structure of a whole file. Raises PictureError if it is unsupported, truncated or damaged."""
    if not data:
        raise PictureError("The file is empty (0 bytes). Was it sent completely?", "empty")
    if data.startswith(PNG_SIGNATURE):
        header = read_png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        header = read_jpeg(data)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        header = read_webp(data)
    elif data.startswith(TIFF_SIGNATURES):
        header = _read_tiff(data)
    elif data.startswith(b"BM"):
        header = read_bmp(data)
    elif data.startswith(GIF_SIGNATURES):
        header = read_gif(data, "picture")
    elif (format := heif_format(data)) is not None:
        header = read_heif(data, format)
    else:
        raise _refusal(data)
    if header.width == 0 or header.height == 0:
        raise damaged(f"{header.width}×{header.height} pixels")
    return header


def for_decoder(data: bytes, header: Header) -> bytes:
    """The file without what a decoder would stumble over although the pixels are there."""
    match header.format:
        case "PNG":
            return pixels_of_png(data)
        case "JPEG":
            return data if header.ends else ended_jpeg(data)
        case "WEBP":
            return data if header.ends else ended_webp(data)
        case "TIFF":
            return reachable_tiff(data)
        case _:
            return data


def _read_tiff(data: bytes) -> Header:
    found = read_tiff(data)
    return Header(
        "TIFF",
        found.width,
        found.height,
        found.alpha != "none",
        bits=found.bits,
        premultiplied=found.alpha == "premultiplied",
    )


def _refusal(data: bytes) -> PictureError:
    if is_safetensors(data[:9], len(data)):
        return PictureError(
            "This is a safetensors file, not a picture. A kept state is gone on from by the id of its job, "
            "or by `impasto style --continue-from`. If the job is gone, send the picture that it made.",
            "unsupported_format",
        )
    name = name_of(data)
    if name is None:
        return PictureError(
            "This is not a picture. Send a JPEG, PNG, WebP, HEIC, AVIF or TIFF file.", "not_a_picture"
        )
    return PictureError(f"This is {name}, which is not supported: {remedy_for(name)}.", "unsupported_format")
