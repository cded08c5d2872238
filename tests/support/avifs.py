"""Makes AVIF files with 10 bits a channel (by SVT-AV1), of which Pillow writes none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray


def avif10(pixels: NDArray[Any], code_points: tuple[int, int] = (1, 13)) -> bytes:
    """An AVIF of RGB pixels (H, W, 3) in 16 bits, of which 10 are kept; sides are even, and 64 px or more.

    ``code_points`` are those of primaries and transfer characteristics (ITU-T H.273).
    """
    out = BytesIO()
    with _kept_schedule(), av.open(out, "w", format="avif") as container:
        options = {"crf": "1", "preset": "8", "svtav1-params": "avif=1"}
        stream = container.add_stream("libsvtav1", rate=1, options=options)
        context = stream.codec_context
        context.width, context.height = pixels.shape[1], pixels.shape[0]
        context.pix_fmt, context.color_range = "yuv420p10le", ColorRange.JPEG
        context.colorspace = Colorspace.ITU709
        context.color_primaries, context.color_trc = code_points
        frame = av.VideoFrame(context.width, context.height, "yuv420p10le")
        for plane, samples in zip(frame.planes, _planes(pixels), strict=True):
            rows = np.zeros((len(samples), plane.line_size // 2), "<u2")
            rows[:, : samples.shape[1]] = np.rint(1023 * samples)
            plane.update(rows.tobytes())
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


@contextmanager
def _kept_schedule() -> Iterator[None]:
    """Undo what SVT-AV1 does where it may: it gives the thread that opens it the highest realtime priority.

    Every process that the tests start later would have it, too, and take all cores from the others.
    """
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def _planes(pixels: NDArray[Any]) -> list[NDArray[Any]]:
    """Y, and Cb and Cr of half the sides, in [0, 1], by BT.709; what FFmpeg converts is two levels off."""
    red, green, blue = np.moveaxis(pixels / 65535, -1, 0)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    height, width = luma.shape
    chroma = [(blue - luma) / 1.8556 + 512 / 1023, (red - luma) / 1.5748 + 512 / 1023]
    halves = [each.reshape(height // 2, 2, width // 2, 2).mean((1, 3)) for each in chroma]
    return [luma, *(each.clip(0, 1) for each in halves)]
