"""Videos from frames, and back."""

from io import BytesIO
from typing import Any, get_args

import av
import numpy as np
import pytest
import torch
from PIL import Image

from app.media.recipe_text import read_recipe
from worker.contract.steps import Video, VideoFormat
from worker.media.clips import open_clip
from worker.media.videos import encode_frame, encode_video

FORMATS = get_args(VideoFormat)
RECIPE = {"kind": "deep_dream", "params": {"seed": 7, "note": "Zürich, ὄνειρος"}}


def plain(color: tuple[float, float, float], height: int = 24, width: int = 32) -> torch.Tensor:
    return torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, height, width)


def video(colors: list[tuple[float, float, float]], format: Any, rate: float = 12, **size: int) -> Video:
    return Video([encode_frame(plain(color, **size)) for color in colors], rate, format)


@pytest.mark.parametrize("format", FORMATS)
def test_frames_come_back_in_order_and_color(format: VideoFormat) -> None:
    colors = [
        (0.9, 0.1, 0.1),
        (0.1, 0.8, 0.2),
        (0.2, 0.2, 0.9),
        (0.5, 0.5, 0.5),
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
    ]
    clip = open_clip(encode_video(video(colors, format)), "image")
    assert (clip.count, clip.height, clip.width) == (6, 24, 32)
    assert clip.rate == pytest.approx(12, rel=0.02)
    for color, frame in zip(colors, clip.frames(), strict=True):
        assert torch.allclose(frame.mean((0, 2, 3)), torch.tensor(color), atol=0.03)
    (last,) = clip.frames(5)
    assert float(last.mean()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("height", "width"), [(24, 1), (1, 24), (1, 1)])
def test_a_side_of_one_pixel_gets_no_black_line(height: int, width: int) -> None:
    clip = open_clip(encode_video(video([(0.9, 0.8, 0.7)], "mp4", height=height, width=width)), "image")

    assert (clip.height, clip.width) == (max(2, height), max(2, width))
    (frame,) = clip.frames()
    assert float((frame - torch.tensor([0.9, 0.8, 0.7]).view(1, 3, 1, 1)).abs().max()) < 0.05


@pytest.mark.parametrize("format", FORMATS)
def test_the_recipe_travels_with_the_file(format: VideoFormat) -> None:
    data = encode_video(video([(0.2, 0.4, 0.6)] * 2, format), RECIPE)
    assert read_recipe(BytesIO(data)) == RECIPE
    assert read_recipe(BytesIO(encode_video(video([(0.2, 0.4, 0.6)] * 2, format)))) is None


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_frames_make_the_same_file(format: VideoFormat) -> None:
    frames = video([(0.2, 0.4, 0.6), (0.6, 0.4, 0.2)], format)
    assert encode_video(frames, RECIPE) == encode_video(frames, RECIPE)


def test_an_odd_side_loses_its_last_line_in_mp4_alone() -> None:
    sizes = {}
    for format in FORMATS:
        clip = open_clip(encode_video(video([(0.3,) * 3, (0.8,) * 3], format, height=25, width=33)), "image")
        sizes[format] = (clip.height, clip.width)
    assert sizes == {"mp4": (24, 32), "webp": (25, 33)}


# Below and above what players take for high definition, and the smallest.
@pytest.mark.medium
@pytest.mark.parametrize(
    ("height", "width"), [(2, 2), (24, 32), (480, 640), (718, 1278), (720, 1280), (1280, 720)]
)
def test_an_mp4_says_how_its_colors_are_meant_and_means_it(height: int, width: int) -> None:
    colors = [(200, 60, 30), (40, 180, 90), (60, 80, 220), (255, 0, 0), (255, 255, 255), (0, 0, 0)]
    data = encode_video(
        video([(r / 255, g / 255, b / 255) for r, g, b in colors], "mp4", height=height, width=width)
    )
    with av.open(BytesIO(data), "r") as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        for color, frame in zip(colors, container.decode(video=0), strict=True):
            # ITU-T H.273: BT.709 matrix, limited range, BT.709 primaries, the transfer of sRGB.
            tags = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
            assert tags == (1, 1, 1, 13)
            assert middle(frame) == pytest.approx(bt709(*color), abs=2)


def middle(frame: av.VideoFrame) -> list[int]:
    """Y, Cb and Cr in the middle of a yuv420p frame."""
    height, width = frame.height, frame.width
    planes = [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
    return [
        int(planes[0][height // 2, width // 2]),
        *(int(each[height // 4, width // 4]) for each in planes[1:]),
    ]


def bt709(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """Y, Cb and Cr of 8 bits in limited range, by ITU-R BT.709, section 3."""
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    chroma = ((blue - luma) / 1.8556, (red - luma) / 1.5748)
    return 16 + 219 / 255 * luma, 128 + 224 / 255 * chroma[0], 128 + 224 / 255 * chroma[1]


def test_an_mp4_has_its_rate_and_plays_at_once() -> None:
    data = encode_video(video([(0.3, 0.3, 0.3)] * 3, "mp4", rate=30000 / 1001))
    with av.open(BytesIO(data), "r") as container:
        rate = container.streams.video[0].average_rate
        assert rate is not None and float(rate) == pytest.approx(29.97, rel=1e-3)
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_webp_repeats_for_ever() -> None:
    with Image.open(BytesIO(encode_video(video([(0, 0, 0), (1, 1, 1)], "webp")))) as image:
        assert image.info["loop"] == 0 and image.n_frames == 2  # type: ignore[attr-defined]
