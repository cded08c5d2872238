"""Clips, decoded frame by frame: GIF and WebP by Pillow, MP4 and WebM by PyAV.

Frames are as a player shows them: turned, and in square pixels. Of a clip only the bytes of its file are kept
in memory, never all its frames.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import Colorspace, Interpolation
from numpy.typing import NDArray
from PIL import Image, ImageSequence
from torch import Tensor

from app.errors import InputError
from app.media.clips import read_clip_header
from app.media.errors import PictureError, damaged_clip
from app.media.headers import Format, Header, shown_seconds
from app.media.inspect import PILLOW_PIXELS
from app.media.stills import for_decoder
from worker.optim.pyramids.scales import fit, resize

log = logging.getLogger(__name__)

# AVCOL_SPC_UNSPECIFIED of FFmpeg: the file does not say how its colors are coded.
UNTAGGED = 2

# Height and width in pixels from which such a file is taken for high definition: BT.709, not BT.601.
HD_HEIGHT, HD_WIDTH = 720, 1280

# Frames per second of a clip that does not name its rate.
DEFAULT_RATE = 25.0
# Beyond these a file does not say how long its frames are shown: no video has them.
LOWEST_RATE, HIGHEST_RATE = 1e-3, 1000.0
# What a header may have counted too few, beside as many again.
MORE_FRAMES = 16
# The longer side of a pixel over the shorter; real ones are below 2.4.
MAX_PIXEL_ASPECT = 8

ROUNDED = 128

# Levels (H, W, 3), 8 bits a color; and when the frame is shown or for how long, in seconds, if it is known.
Frame = tuple[NDArray[np.uint8], float | None]


@dataclass(frozen=True)
class Clip:
    """A clip of frames of ``height`` by ``width`` pixels as displayed, each for its own time in ``seconds``.

    The first is shown at ``start``, in seconds of the file. ``sound`` is the codec of its sound, None if it
    has none. ``param`` is the param it was given for; a frame that will not decode raises an InputError that
    names it.
    """

    data: bytes = field(repr=False)
    format: Format
    param: str
    height: int
    width: int
    seconds: tuple[float, ...]
    start: float = 0.0
    sound: str | None = None

    @property
    def count(self) -> int:
        """How many frames it has."""
        return len(self.seconds)

    @property
    def rate(self) -> float:
        """Frames a second, on average."""
        return self.count / sum(self.seconds)

    def fit(self, long_side: int) -> tuple[int, int]:
        """Height and width with ``long_side`` as the longer side."""
        # A view of one number, so that no frame is allocated.
        return fit(torch.empty(1).expand(self.height, self.width), long_side)

    def frames(self, first: int = 0) -> Iterator[Tensor]:
        """The frames from number ``first`` on, float32 RGB (1, 3, H, W) in [0, 1], alpha over white."""
        sides = self.width, self.height
        for number, (levels, _) in enumerate(_decode(self.data, self.format, sides, self.param)):
            if number >= first:
                # Contiguous as all pictures are: the last bits of a sum depend on the layout.
                frame = torch.from_numpy(levels).permute(2, 0, 1)[None].contiguous().float() / 255
                # Of a clip whose size changes, the first frame has it.
                yield resize(frame, self.height, self.width)


def open_clip(data: bytes, param: str) -> Clip:
    """A clip whose frames all decode. Raises InputError that names the param.

    They are decoded once to be counted, since the header of a file may be wrong.
    """
    try:
        header = read_clip_header(data)
    except PictureError as error:
        raise InputError(param, error.detail) from error
    data = for_decoder(data, header)
    height = width = 0
    times = list[float | None]()
    for levels, time in _decode(data, header.format, (header.width, header.height), param):
        if not times:
            height, width = levels.shape[:2]
        times.append(time)
        if len(times) > 2 * header.frames + MORE_FRAMES:
            raise InputError(
                param, damaged_clip(f"more than the {header.frames} frames that it states").detail
            )
    if not times:
        raise InputError(param, damaged_clip("no frame of it can be decoded").detail)
    if header.format in ("GIF", "WEBP"):
        seconds = [time or 1 / DEFAULT_RATE for time in times]
        return Clip(data, header.format, param, height, width, tuple(seconds))
    seconds = _until_next(times, header)
    sound = _codec_of_sound(data)
    return Clip(data, header.format, param, height, width, tuple(seconds), times[0] or 0.0, sound)


def _until_next(times: Sequence[float | None], header: Header) -> list[float]:
    """How long frames last that begin at these times, in seconds; the last one as long as on average."""
    rate = header.frames / header.seconds if header.seconds > 0 else DEFAULT_RATE
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        rate = DEFAULT_RATE
    known = [time for time in times if time is not None]
    lasts = [later - time for time, later in pairwise(known)]
    if len(known) < len(times) or not lasts or min(lasts) <= 0 or len(lasts) / sum(lasts) > HIGHEST_RATE:
        return [1 / rate] * len(times)
    return [*lasts, sum(lasts) / len(lasts)]


def _codec_of_sound(data: bytes) -> str | None:
    with av.open(BytesIO(data), "r") as container:
        streams = container.streams.audio
        return streams[0].codec_context.name if streams else None


def _decode(data: bytes, format: Format, sides: tuple[int, int], param: str) -> Iterator[Frame]:
    """The frames: of GIF and WebP with their length, of others with their time.

    ``sides`` are width and height as displayed. Raises InputError that names the param.
    """
    frames = _pillow_frames(data) if format in ("GIF", "WEBP") else _video_frames(data, sides)
    try:
        yield from frames
    except Exception as error:  # Pillow and FFmpeg raise a dozen types for damaged data
        log.info("cannot decode the clip of %s", param, exc_info=True)
        raise InputError(param, damaged_clip("a frame cannot be decoded").detail) from error


def _pillow_frames(data: bytes) -> Iterator[Frame]:
    with Image.open(BytesIO(data), formats=("GIF", "WEBP")) as image:
        for frame in ImageSequence.Iterator(image):
            colors = frame.convert("RGBA")
            white = Image.new("RGBA", colors.size, "white")
            levels = np.array(Image.alpha_composite(white, colors).convert("RGB"))
            yield levels, shown_seconds(frame.info.get("duration", 0) / 1000)


def _video_frames(data: bytes, sides: tuple[int, int]) -> Iterator[Frame]:
    # Whatever else in the file may say how large it is. FFmpeg counts sides that it has rounded up.
    longer, shorter = max(sides) + ROUNDED, min(sides) + ROUNDED
    most = min(PILLOW_PIXELS, MAX_PIXEL_ASPECT * longer * shorter)
    with av.open(BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"max_pixels": str(most)}
        aspect = float(stream.sample_aspect_ratio or 1)
        for frame in container.decode(stream):
            # As wide as a player shows it, and as high as it is stored.
            width = _square(frame, aspect)
            levels: NDArray[Any] = frame.to_ndarray(
                format="rgb24",
                width=width,
                src_colorspace=_matrix(frame),
                interpolation=Interpolation.BILINEAR if width == frame.width else Interpolation.BICUBIC,
            )
            # Phones record as the sensor lies, and store the rotation for display.
            yield np.ascontiguousarray(np.rot90(levels, round(frame.rotation / 90))), frame.time


def _square(frame: av.VideoFrame, aspect: float) -> int:
    """The width of a frame in pixels that are square, if stored ones are ``aspect`` times as wide as high."""
    if not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT:
        return frame.width
    return max(1, min(round(frame.width * aspect), PILLOW_PIXELS // frame.height))


def _matrix(frame: av.VideoFrame) -> Colorspace | None:
    """The matrix of the colors of a frame that is not tagged with one; None: by its tag, or it is RGB."""
    if frame.colorspace != UNTAGGED or frame.format.is_rgb:
        return None
    hd = frame.height >= HD_HEIGHT or frame.width >= HD_WIDTH
    return Colorspace.ITU709 if hd else Colorspace.ITU601
