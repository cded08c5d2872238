"""Clips decoded, frame by frame."""

from collections.abc import Callable

import pytest
import torch

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
