"""Clips decoded, frame by frame."""

from collections.abc import Callable

import pytest
import torch
from av.video.reformatter import ColorRange, Colorspace

from app.errors import InputError
from tests.support import clips
from worker.media.clips import open_clip

MAKERS: dict[str, Callable[..., bytes]] = {
    "GIF": clips.gif,
    "WEBP": clips.webp,
    "MP4": clips.mp4,
    "WEBM": clips.webm,
}


@pytest.mark.parametrize("format", MAKERS)
def test_every_frame_in_order(format: str) -> None:
    clip = open_clip(MAKERS[format](6), "image")
    assert (clip.count, clip.height, clip.width) == (6, 24, 32)
    assert clip.rate == pytest.approx(12.5 if format in ("GIF", "WEBP") else 12, rel=0.05)
    shown = list(clip.frames())
    assert all(frame.shape == (1, 3, 24, 32) and frame.is_contiguous() for frame in shown)
    for number, frame in enumerate(shown):
        level = (20 + 150 * number // 5) / 255
        # Away from the bar, which is at the left first and at the right last.
        part = frame[..., 12:] if number < 3 else frame[..., :12]
        assert float(part.mean()) == pytest.approx(level, abs=0.04)


def test_a_clip_is_entered_anywhere() -> None:
    clip = open_clip(clips.mp4(6), "image")
    assert torch.equal(next(clip.frames(4)), list(clip.frames())[4])
    assert list(clip.frames(6)) == []


def test_sizes_keep_the_aspect() -> None:
    assert open_clip(clips.gif(), "image").fit(64) == (48, 64)


@pytest.mark.parametrize("format", MAKERS)
def test_what_will_not_decode_names_the_param(format: str) -> None:
    data = MAKERS[format](6, size=(64, 48))
    for damaged in (data[: len(data) // 2], data[:200], b"\0" * 64):
        with pytest.raises(InputError) as error:
            open_clip(damaged, "image")
        assert error.value.field == "image"


BT709, BT601, BT2020 = Colorspace.ITU709, Colorspace.ITU601, Colorspace.BT2020
COLORS = [(200, 60, 30), (40, 180, 90), (60, 80, 220), (128, 128, 128)]


def levels(data: bytes) -> list[int]:
    """The mean color of the first frame in 8 bits."""
    picture = next(open_clip(data, "image").frames())
    return [round(255 * float(channel)) for channel in picture.mean((0, 2, 3))]


@pytest.mark.medium
@pytest.mark.parametrize("color_range", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((1280, 720), BT709),
        ((720, 1280), BT709),
        ((1280, 536), BT709),
        ((960, 720), BT709),
        ((1278, 718), BT601),
        ((720, 576), BT601),
        ((32, 24), BT601),
    ],
)
def test_an_untagged_video_has_the_colors_of_its_size(
    size: tuple[int, int], matrix: Colorspace, color_range: ColorRange
) -> None:
    for color in COLORS:
        film = clips.flat_film(color, size, matrix, None, color_range)
        assert levels(film) == pytest.approx(color, abs=3)


@pytest.mark.medium
@pytest.mark.parametrize("size", [(1280, 720), (64, 48)])
@pytest.mark.parametrize(("matrix", "tag"), [(BT709, 1), (BT601, 5), (BT601, 6), (BT2020, 9)])
def test_a_tagged_video_has_the_colors_of_its_tag(
    size: tuple[int, int], matrix: Colorspace, tag: int
) -> None:
    for color in COLORS:
        assert levels(clips.flat_film(color, size, matrix, tag)) == pytest.approx(color, abs=3)


def test_matrices_are_told_apart() -> None:
    """What the tests above measure is larger than what they allow."""
    color = COLORS[0]
    assert (
        max(
            abs(a - b) for a, b in zip(levels(clips.flat_film(color, (64, 48), BT709, 5)), color, strict=True)
        )
        > 10
    )


def test_vp8_is_bt601_at_any_size() -> None:
    """By its specification, RFC 6386, section 9.2."""
    picture = next(open_clip(clips.webm(1, size=(1280, 720)), "image").frames())
    bar = 255 * picture[0, :, 100:-100, 1]
    assert bar.mean(1).tolist() == pytest.approx((250, 40, 40), abs=4)
