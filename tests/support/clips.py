"""Small clips in every format, made when asked for."""

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
from PIL import Image


def frames(count: int, size: tuple[int, int] = (32, 24)) -> list[Image.Image]:
    """Pictures that get brighter, with a bar that moves to the right."""
    width, height = size
    made = []
    for number in range(count):
        levels = np.full((height, width, 3), 20 + 150 * number // max(1, count - 1), np.uint8)
        left = number * (width - 4) // max(1, count - 1)
        levels[:, left : left + 4] = (250, 40, 40)
        made.append(Image.fromarray(levels))
    return made


def gif(count: int = 5, milliseconds: int = 80, size: tuple[int, int] = (32, 24)) -> bytes:
    return _animation("GIF", count, milliseconds, size)


def webp(count: int = 5, milliseconds: int = 80, size: tuple[int, int] = (32, 24)) -> bytes:
    return _animation("WEBP", count, milliseconds, size)


def _animation(format: str, count: int, milliseconds: int, size: tuple[int, int]) -> bytes:
    out = BytesIO()
    first, *others = frames(count, size)
    first.save(out, format, save_all=True, append_images=others, duration=milliseconds, loop=0)
    return out.getvalue()


def mp4(count: int = 5, rate: int = 12, size: tuple[int, int] = (32, 24), **options: str) -> bytes:
    return _film("mp4", "libx264", count, rate, size, options)


def webm(count: int = 5, rate: int = 12, size: tuple[int, int] = (32, 24), **options: str) -> bytes:
    return _film("webm", "libvpx", count, rate, size, options)


def _film(
    container_format: str,
    codec: str,
    count: int,
    rate: int,
    size: tuple[int, int],
    options: dict[str, str],
) -> bytes:
    out = BytesIO()
    with av.open(out, "w", format=container_format, options=options) as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        context = stream.codec_context
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        for image in frames(count, size):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()
