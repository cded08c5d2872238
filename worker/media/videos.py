"""Encodes videos: MP4, which every player shows, or animated WebP, which an <img> shows."""

import tempfile
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from PIL import ExifTags, Image
from torch import Tensor

from app.media.recipe_text import dump_recipe
from worker.contract.steps import Video, VideoFormat
from worker.media.pictures import to_image

MEDIA_TYPES: dict[VideoFormat, str] = {"mp4": "video/mp4", "webp": "image/webp"}

# Constant rate factor of H.264 that is visually lossless, or nearly so (FFmpeg wiki, "H.264").
CRF = "18"
WEBP_QUALITY = 85
# Rates such as 29.97 are 30000/1001.
_MAX_DENOMINATOR = 1001


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
    """H.264 in MP4; the recipe is the comment. Sides must be even: an odd last row or column is cropped."""
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
    for image in _held(video):
        width, height = (max(2, side - side % 2) for side in image.size)
        if not context.is_open:
            context.width, context.height = width, height
        levels = np.asarray(image.crop((0, 0, width, height)))
        frame = av.VideoFrame.from_ndarray(levels, format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)))
    container.mux(stream.encode())


def _webp(video: Video, recipe: dict[str, Any] | None) -> bytes:
    """An animated WebP that loops forever; the recipe is its EXIF image description."""
    exif = Image.Exif()
    if recipe is not None:
        exif[ExifTags.Base.ImageDescription] = dump_recipe(recipe, ascii_only=True)
    first, *others = _images(video)
    shown = round(1000 / video.rate)
    out = BytesIO()
    first.save(
        out,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=[shown] * len(others) + [shown + round(1000 * video.hold)],
        loop=0,
        quality=WEBP_QUALITY,
        exif=exif,
    )
    return out.getvalue()


def _held(video: Video) -> Iterator[Image.Image]:
    """The frames, the last one as often as it is shown."""
    for image in _images(video):
        yield image
    for _ in range(round(video.hold * video.rate)):
        yield image


def _images(video: Video) -> Iterator[Image.Image]:
    for data in video.frames:
        with Image.open(BytesIO(data), formats=("PNG",)) as image:
            yield image.convert("RGB")
