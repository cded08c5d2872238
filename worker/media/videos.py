"""Encodes videos: MP4, which every player shows, or animated WebP, which an <img> shows."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video import VideoStream
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from PIL import ExifTags, Image
from torch import Tensor

from app.media.recipe_text import dump_recipe
from worker.contract.interludes import between_parts
from worker.contract.steps import Video, VideoFormat
from worker.media.pictures import to_image

MEDIA_TYPES: dict[VideoFormat, str] = {"mp4": "video/mp4", "webp": "image/webp"}

# Constant rate factor of H.264 that is visually lossless, or nearly so (FFmpeg wiki, "H.264").
CRF = "18"
WEBP_QUALITY = 85
# Rates such as 29.97 are 30000/1001.
_MAX_DENOMINATOR = 1001
# A second, where frames have lengths of their own: what MPEG counts in.
_TICKS = 90_000
# Codecs of sound that players expect in an MP4.
SOUNDS = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "mp3float", "opus", "libopus"})


def encode_frame(picture: Tensor) -> bytes:
    """A frame of a Video: a picture ``(1, 3, H, W)`` in [0, 1] as a PNG without a recipe, compressed fast."""
    out = BytesIO()
    to_image(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()


def frame_name(number: int) -> str:
    """What a frame is called among the parts of a state."""
    return f"frame{number:04d}.png"


def encode_video(video: Video, recipe: dict[str, Any] | None = None) -> bytes:
    """The file of a video of at least one frame, with its recipe as metadata."""
    match video.format:
        case "mp4":
            return _mp4(video, recipe)
        case "webp":
            return _webp(video, recipe)


def _mp4(video: Video, recipe: dict[str, Any] | None) -> bytes:
    """H.264 in MP4; the recipe is the comment. Sides must be even: an odd last row or column is cropped, and
    the only one is shown twice.
    """
    with tempfile.TemporaryDirectory(prefix="impasto-") as folder:
        # By name: for faststart FFmpeg reads the file again, and moves the index to its start.
        path = Path(folder) / "video.mp4"
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            if recipe is not None:
                container.metadata["comment"] = dump_recipe(recipe)
            _write_frames(container, video)
        return path.read_bytes()


def _write_frames(container: OutputContainer, video: Video) -> None:
    rate = Fraction(video.rate).limit_denominator(_MAX_DENOMINATOR)
    stream = container.add_stream("libx264", rate=rate, options={"crf": CRF})
    context = stream.codec_context
    context.pix_fmt = "yuv420p"
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.IEC61966_2_1
    with ExitStack() as stack:
        sound = None if video.sound is None else stack.enter_context(av.open(BytesIO(video.sound), "r"))
        copied = None if sound is None else container.add_stream_from_template(sound.streams.audio[0])
        begin = Fraction(0) if sound is None else _begin(sound)
        at, lengths = max(Fraction(0), Fraction(video.start) - begin), dict[int, int]()
        # Without times of their own, each is shown for one tick.
        tick = 1 / rate if video.seconds is None and not at else Fraction(1, _TICKS)
        context.time_base = tick
        for image, seconds in _held(video):
            width, height = (max(2, side - side % 2) for side in image.size)
            if not context.is_open:
                context.width, context.height = width, height
            levels = np.asarray(image)[:height, :width]
            missing = height - levels.shape[0], width - levels.shape[1]
            levels = np.pad(levels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
            frame = av.VideoFrame.from_ndarray(levels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
            end = at + Fraction(seconds)
            frame.pts, frame.time_base = round(at / tick), tick
            lengths[frame.pts] = round(end / tick) - frame.pts
            at = end
            container.mux(_timed(stream.encode(frame), lengths))
        container.mux(_timed(stream.encode(), lengths))
        if sound is not None and copied is not None:
            _copy_sound(sound, container, copied, begin, at)


def _timed(
    packets: "list[av.Packet[VideoStream]]", lengths: Mapping[int, int]
) -> "list[av.Packet[VideoStream]]":
    """Packets with the lengths of their frames, by the times of these: the encoder gives all the mean."""
    for packet in packets:
        if packet.pts is not None:
            packet.duration = lengths[packet.pts]
    return packets


def _begin(sound: InputContainer) -> Fraction:
    """When a file begins, with its picture or its sound, in seconds: cuts of a stream do so at any time."""
    return max(Fraction(0), Fraction(sound.start_time or 0, av.time_base))


def _copy_sound(
    sound: InputContainer, into: OutputContainer, stream: AudioStream, begin: Fraction, end: Fraction
) -> None:
    """Copy the sound up to a time in seconds, counted from ``begin`` in those of the file."""
    for packet in sound.demux(sound.streams.audio[0]):
        if packet.pts is None or packet.dts is None or packet.time_base is None:
            continue
        before = round(begin / packet.time_base)
        packet.pts, packet.dts = packet.pts - before, packet.dts - before
        if packet.pts * packet.time_base >= end:
            return
        packet.stream = stream
        into.mux(packet)


def _webp(video: Video, recipe: dict[str, Any] | None) -> bytes:
    """An animated WebP that loops forever; the recipe is its EXIF image description."""
    exif = Image.Exif()
    if recipe is not None:
        exif[ExifTags.Base.ImageDescription] = dump_recipe(recipe, ascii_only=True)
    first, *others = _images(video)
    shown = [round(1000 * each) for each in _seconds(video)]
    shown[-1] += round(1000 * video.hold)
    out = BytesIO()
    first.save(
        out,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=shown,
        loop=0,
        quality=WEBP_QUALITY,
        exif=exif,
    )
    return out.getvalue()


def _seconds(video: Video) -> Sequence[Fraction | float]:
    """For how long each frame is shown, without the hold."""
    if video.seconds is not None:
        return video.seconds
    return [1 / Fraction(video.rate).limit_denominator(_MAX_DENOMINATOR)] * len(video.frames)


def _held(video: Video) -> Iterator[tuple[Image.Image, Fraction | float]]:
    """The frames with their length, the last one as often as it is shown."""
    seconds = _seconds(video)
    for image, length in zip(_images(video), seconds, strict=True):
        yield image, length
    for _ in range(round(video.hold * video.rate)):
        yield image, seconds[-1]


def _images(video: Video) -> Iterator[Image.Image]:
    for data in video.frames:
        between_parts()
        with Image.open(BytesIO(data), formats=("PNG",)) as image:
            yield image.convert("RGB")
