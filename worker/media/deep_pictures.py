"""Decodes pictures with 16 bits a channel, of which Pillow would keep 8."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.media.ffmpeg import decode_still
from app.media.headers import Header
from app.media.inspect import OpenedPicture

# Channels of FFmpeg's pixel formats, each in both byte orders.
_CHANNELS = {"gray16": 1, "ya16": 2, "rgb48": 3, "rgba64": 4}

Floats = NDArray[np.float32]


def is_deep(picture: OpenedPicture) -> bool:
    """Whether a picture has 16 bits a channel that Pillow would not keep. It keeps those of plain grey."""
    return picture.header.bits == 16 and not picture.image.mode.startswith("I;16")


def read_deep(
    picture: OpenedPicture, fit: Callable[[Image.Image], Image.Image]
) -> tuple[Floats, Floats | None]:
    """Colors over white (H, W, 3 or 1 for grey) and alpha (H, W; None if opaque), in [0, 1].

    ``fit`` resizes and turns a channel, a picture of mode F. What is resized is the color over white, as
    ``worker.media.pictures`` says. Raises ValueError, or FFmpeg's error, if the data are damaged.
    """
    header = picture.header
    # Raises an error where data are damaged or end too early, which FFmpeg fills with something.
    picture.image.load()
    samples = _samples(picture.data, header)
    colors = 1 if samples.shape[2] < 3 else 3
    alpha = _in_unit(samples[..., colors]) if header.has_alpha and samples.shape[2] > colors else None
    fitted = []
    for channel in range(colors):
        values = _in_unit(samples[..., channel])
        if alpha is not None:
            values = (values if header.premultiplied else values * alpha) + (1 - alpha)
        fitted.append(_resized(values, fit))
    over_white = np.stack(fitted, axis=-1)
    if alpha is None or alpha.min() == 1:
        return over_white, None
    return over_white, _resized(alpha, fit)


def _samples(data: bytes, header: Header) -> NDArray[np.uint16]:
    """All samples of the picture in a PNG or TIFF file, (H, W, C)."""
    frame = decode_still(data, header)
    name, order = frame.format.name[:-2], frame.format.name[-2:]
    if name not in _CHANNELS:
        raise ValueError(f"the pixels are {frame.format.name}")
    plane = frame.planes[0]
    dtype: np.dtype[np.uint16] = np.dtype("<u2" if order == "le" else ">u2")
    rows = np.frombuffer(memoryview(plane), dtype).reshape(-1, plane.line_size // 2)
    channels = _CHANNELS[name]
    return rows[: frame.height, : frame.width * channels].reshape(frame.height, frame.width, channels)


def _in_unit(samples: NDArray[np.uint16]) -> Floats:
    return samples.astype(np.float32) / np.float32(65535)


def _resized(values: Floats, fit: Callable[[Image.Image], Image.Image]) -> Floats:
    """A channel as ``fit`` makes it; Lanczos may overshoot, which is clipped."""
    fitted: Floats = np.asarray(fit(Image.fromarray(values)), dtype=np.float32)
    return fitted.clip(0, 1)
