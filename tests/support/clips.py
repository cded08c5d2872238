"""Small clips in every format, made when asked for."""

from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

# AVCOL_SPC_UNSPECIFIED.
UNTAGGED = 2


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


def flat_film(
    color: tuple[int, int, int],
    size: tuple[int, int],
    matrix: Colorspace,
    tag: int | None,
    color_range: ColorRange = ColorRange.MPEG,
) -> bytes:
    """An MP4 of one color in 8 bits, coded by ``matrix``, that claims to be of ``tag`` (None: says nothing).

    Tags are those of ITU-T H.273, table 4: 1 is BT.709, 5 and 6 are BT.601, 9 is BT.2020.
    """
    out = BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(12), options={"crf": "5"})
        context = stream.codec_context
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        if color_range != ColorRange.MPEG:
            context.color_range = color_range
        if tag is not None:
            context.colorspace = tag
        levels = np.broadcast_to(np.array(color, np.uint8), (size[1], size[0], 3))
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(levels), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=color_range)
        frame.colorspace = UNTAGGED if tag is None else tag
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


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


def film_with_sound(codec: str, container: str, seconds: float = 2.0) -> bytes:
    """A clip of 12 frames a second with a tone of 440 Hz."""
    out = BytesIO()
    with av.open(out, "w", format=container) as into:
        video = into.add_stream("libx264" if container == "mp4" else "libvpx", rate=12)
        video.codec_context.width, video.codec_context.height = 32, 24
        video.codec_context.pix_fmt = "yuv420p"
        audio: Any = into.add_stream(codec, rate=48000)
        audio.codec_context.layout = "mono"
        for image in frames(int(12 * seconds)):
            into.mux(video.encode(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")))
        into.mux(video.encode())
        tone = np.sin(np.arange(int(48000 * seconds)) / 48000 * 440 * 2 * np.pi).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        form = audio.codec_context.format.name
        resampler = av.AudioResampler(format=form, layout="mono", rate=48000, frame_size=960)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            into.mux(audio.encode(part))
        into.mux(audio.encode(None))
    return out.getvalue()


def sound_seconds(data: bytes) -> float:
    """How long the sound of a clip lasts; 0 without any."""
    with av.open(BytesIO(data), "r") as container:
        if not container.streams.audio:
            return 0
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
