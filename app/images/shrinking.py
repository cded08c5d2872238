"""Small copies of large pictures, with no second copy of all their pixels in memory."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from app.media.headers import Cicp, Header
from app.media.inspect import open_picture
from app.media.orientation import orientation_of, turned
from app.media.stills import for_decoder
from app.media.webp import first_frame

if TYPE_CHECKING:
    from av.video.plane import VideoPlane

# How far the box filter may go before a better one does the rest: Pillow's documentation calls results from
# 3 on indistinguishable.
_BOX_MARGIN = 3
# Pixels that are converted at a time.
_BAND_PIXELS = 1 << 20

Size = tuple[int, int]
# Rows of a picture, from one to before another.
Rows = Callable[[int, int], Image.Image]


def shrink(data: bytes, header: Header, side: int) -> Image.Image:
    """The picture of a file, or its first frame, as displayed, RGB or RGBA, at most ``side`` pixels long.

    Its profile is in its ``info``. Of Pillow's and FFmpeg's decoders each raises errors of its own.
    """
    if header.frames > 1:
        data = for_decoder(data, header)
        opened: Image.Image = Image.open(BytesIO(data), formats=(header.format,))
        orientation = orientation_of(opened)
    else:
        picture = open_picture(data, header)
        data, opened, orientation = picture.data, picture.image, picture.orientation
    with opened:
        profile = opened.info.get("icc_profile") if opened.mode in ("RGB", "RGBA") else None
        opened.draft(None, (2 * side, 2 * side))  # reduces a JPEG alone
        # As displayed of a TIFF, which Pillow turns by itself.
        size = _fit(opened.size, side)
        if header.format == "WEBP" and header.frames > 1 and (frame := first_frame(data)) is not None:
            data, header = frame, replace(header, frames=1)
        if header.format == "WEBP" and header.frames == 1:
            small = _reduced_webp(data, header, size)
        else:
            opened.load()
            small = _in_bands(lambda top, stop: opened.crop((0, top, opened.width, stop)), opened.size, size)
        if small.mode == "RGBa":
            small = small.convert("RGBA")
        if header.format != "TIFF":
            small = turned(small, orientation)
        if header.cicp is not None:
            small, profile = _shown(small, header.cicp), None
        small.info = {"icc_profile": profile}
        return small


def _shown(small: Image.Image, cicp: Cicp) -> Image.Image:
    """A picture of some code points in sRGB."""
    if cicp.is_srgb:
        return small
    import numpy as np  # slow to import, and used for few pictures

    from app.media.cicp import to_srgb

    colors = to_srgb(np.asarray(small.convert("RGB"), np.float32) / np.float32(255), cicp)
    made = Image.fromarray(np.rint(255 * colors).astype(np.uint8))
    if small.mode == "RGBA":
        made.putalpha(small.getchannel("A"))
    return made


def _fit(size: Size, side: int) -> Size:
    scale = min(1, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _factors(size: Size, small: Size) -> Size:
    """How many pixels across and down become one before they are resized."""
    across, down = (int(whole / part / _BOX_MARGIN) for whole, part in zip(size, small, strict=True))
    return max(1, across), max(1, down)


def _in_bands(rows: Rows, size: Size, small: Size) -> Image.Image:
    """A picture of ``size``, some rows at a time in RGB or RGBa, reduced to the size ``small``."""
    (width, height), (across, down) = size, _factors(size, small)
    step = down * max(1, _BAND_PIXELS // (width * down))
    bands = [
        _in_colors(rows(top, min(height, top + step))).reduce((across, down))
        for top in range(0, height, step)
    ]
    reduced = Image.new(bands[0].mode, (-(-width // across), -(-height // down)))
    for place, band in enumerate(bands):
        reduced.paste(band, (0, place * step // down))
    # The last row and column may stand for fewer pixels than the others.
    return reduced.resize(small, box=(0, 0, width / across, height / down))


def _in_colors(image: Image.Image) -> Image.Image:
    """A picture as RGB, or as RGBa, whose colors do not bleed from where it is transparent."""
    if image.mode in ("I;16", "I;16B"):
        # Of grey with more than 8 bits Pillow would keep the lowest 8.
        image = image.convert("I").point(lambda level: level / 257).convert("L")
    if image.mode == "RGBA" or image.has_transparency_data:
        return image.convert("RGBA").convert("RGBa")
    return image.convert("RGB")


def _reduced_webp(data: bytes, header: Header, small: Size) -> Image.Image:
    """A WebP reduced to the size ``small``. Pillow would hold all its pixels four times."""
    from av.video.reformatter import Interpolation  # slow to import

    from app.media.ffmpeg import decode_still

    frame = decode_still(data, header)
    size = header.width, header.height
    if not header.has_alpha or frame.format.name == "yuv420p":
        width, height = (
            -(-whole // factor) for whole, factor in zip(size, _factors(size, small), strict=True)
        )
        interpolation = Interpolation.BICUBIC if (width, height) == size else Interpolation.AREA
        colors = frame.reformat(width, height, "rgb24", interpolation=interpolation).planes[0]
        return _rows(colors, "RGB", width, 0, height).resize(small)
    if frame.format.name == "argb":
        return _in_bands(partial(_rows, frame.planes[0], "ARGB", header.width), size, small)
    # Not to RGBA at once: FFmpeg's conversion spoils the last columns of some widths.
    colors, alpha = frame.reformat(format="rgb24").planes[0], frame.planes[3]

    def rows(top: int, stop: int) -> Image.Image:
        band = _rows(colors, "RGB", header.width, top, stop)
        band.putalpha(_rows(alpha, "L", header.width, top, stop))
        return band

    return _in_bands(rows, size, small)


def _rows(plane: "VideoPlane", order: str, width: int, top: int, stop: int) -> Image.Image:
    """Some rows of a plane whose samples are in an ``order``."""
    part = memoryview(plane)[top * plane.line_size : stop * plane.line_size]
    mode = "RGBA" if order == "ARGB" else order
    return Image.frombytes(mode, (width, stop - top), part, "raw", order, plane.line_size, 1)
