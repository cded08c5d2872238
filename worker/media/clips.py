"""Clips, decoded frame by frame: GIF and WebP by Pillow, MP4 and WebM by PyAV.

Of a clip only the bytes of its file are kept in memory, never all its frames.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import Colorspace
from numpy.typing import NDArray
from PIL import Image, ImageSequence
from torch import Tensor

from app.errors import InputError
from app.media.clips import damaged_clip, read_clip_header
from app.media.errors import PictureError
from app.media.headers import Format
from app.media.inspect import PILLOW_PIXELS
from worker.optim.pyramids.scales import fit

log = logging.getLogger(__name__)

# AVCOL_SPC_UNSPECIFIED of FFmpeg: the file does not say how its colors are coded.
UNTAGGED = 2

# Height and width in pixels from which such a file is taken for high definition: BT.709, not BT.601.
HD_HEIGHT, HD_WIDTH = 720, 1280

# Frames per second of a clip that does not name its rate.
DEFAULT_RATE = 25.0


@dataclass(frozen=True)
class Clip:
    """A clip of ``count`` frames of ``height`` by ``width`` pixels as displayed, at ``rate`` frames/s.

    ``param`` is the param it was given for; a frame that will not decode raises an InputError that names it.
    """

    data: bytes = field(repr=False)
    format: Format
    param: str
    height: int
    width: int
    count: int
    rate: float

    def fit(self, long_side: int) -> tuple[int, int]:
        """Height and width with ``long_side`` as the longer side."""
        # A view of one number, so that no frame is allocated.
        return fit(torch.empty(1).expand(self.height, self.width), long_side)

    def frames(self, first: int = 0) -> Iterator[Tensor]:
        """The frames from number ``first`` on, float32 RGB (1, 3, H, W) in [0, 1], alpha over white."""
        for number, levels in enumerate(_decode(self.data, self.format, self.param)):
            if number >= first:
                # Contiguous as all pictures are: the last bits of a sum depend on the layout.
                yield torch.from_numpy(levels).permute(2, 0, 1)[None].contiguous().float() / 255


def open_clip(data: bytes, param: str) -> Clip:
    """A clip whose frames all decode. Raises InputError that names the param.

    They are decoded once to be counted, since the header of a file may be wrong.
    """
    try:
        header = read_clip_header(data)
    except PictureError as error:
        raise InputError(param, error.detail) from error
    count, shape = 0, (0, 0, 3)
    for levels in _decode(data, header.format, param):
        count, shape = count + 1, levels.shape
    if count == 0:
        raise InputError(param, damaged_clip("no frame of it can be decoded").detail)
    rate = header.frames / header.seconds if header.seconds > 0 else DEFAULT_RATE
    return Clip(data, header.format, param, shape[0], shape[1], count, rate)


def _decode(data: bytes, format: Format, param: str) -> Iterator[NDArray[np.uint8]]:
    """Frames (H, W, 3), 8 bits a color. Raises InputError that names the param."""
    frames = _pillow_frames(data) if format in ("GIF", "WEBP") else _video_frames(data)
    try:
        yield from frames
    except Exception as error:  # Pillow and FFmpeg raise a dozen types for damaged data
        log.info("cannot decode the clip of %s", param, exc_info=True)
        raise InputError(param, damaged_clip("a frame cannot be decoded").detail) from error


def _pillow_frames(data: bytes) -> Iterator[NDArray[np.uint8]]:
    with Image.open(BytesIO(data), formats=("GIF", "WEBP")) as image:
        for frame in ImageSequence.Iterator(image):
            colors = frame.convert("RGBA")
            white = Image.new("RGBA", colors.size, "white")
            yield np.array(Image.alpha_composite(white, colors).convert("RGB"))


def _video_frames(data: bytes) -> Iterator[NDArray[np.uint8]]:
    with av.open(BytesIO(data), "r") as container:
        container.streams.video[0].codec_context.options = {"max_pixels": str(PILLOW_PIXELS)}
        for frame in container.decode(video=0):
            levels: NDArray[Any] = frame.to_ndarray(format="rgb24", src_colorspace=_matrix(frame))
            # Phones record as the sensor lies, and store the rotation for display.
            yield np.ascontiguousarray(np.rot90(levels, round(frame.rotation / 90)))


def _matrix(frame: av.VideoFrame) -> Colorspace | None:
    """The matrix of the colors of a frame that is not tagged with one; None: by its tag, or it is RGB."""
    if frame.colorspace != UNTAGGED or frame.format.is_rgb:
        return None
    hd = frame.height >= HD_HEIGHT or frame.width >= HD_WIDTH
    return Colorspace.ITU709 if hd else Colorspace.ITU601
