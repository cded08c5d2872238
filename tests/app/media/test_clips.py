"""What is said of a clip before a frame of it is decoded."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.media import PictureError, PictureInfo, inspect_picture, inspect_upload
from app.media.clips import clip_format, read_clip_header
from app.settings import Settings
from tests.support import clips, inspecting
from tests.support import strange_pictures as strange

MAKERS: dict[str, Callable[..., bytes]] = {
    "GIF": clips.gif,
    "WEBP": clips.webp,
    "MP4": clips.mp4,
    "WEBM": clips.webm,
}
EVERY = pytest.mark.parametrize("format", MAKERS)


def inspect(data: bytes, **limits: Any) -> PictureInfo:
    return inspect_upload(BytesIO(data), Settings(**limits))


refused = partial(inspecting.refused, by=inspect_upload)


@EVERY
@pytest.mark.parametrize("count", [2, 7])
def test_frames_size_and_length_are_read(format: str, count: int) -> None:
    header = read_clip_header(MAKERS[format](count, size=(48, 32)))
    assert (header.format, header.width, header.height, header.frames) == (format, 48, 32, count)
    expected = count * 0.08 if format in ("GIF", "WEBP") else count / 12
    assert header.seconds == pytest.approx(expected, rel=0.05)


@EVERY
def test_an_upload_says_what_it_is(format: str) -> None:
    data = MAKERS[format]()
    info = inspect(data)
    media_type = f"{'image' if format in ('GIF', 'WEBP') else 'video'}/{format.lower()}"
    assert (info.media_type, info.frames, info.bytes) == (media_type, 5, len(data))


def test_what_stands_still_is_a_picture() -> None:
    assert inspect(strange.noise("WEBP")).frames == 1
    assert clip_format(strange.noise("WEBP")) is None
    assert clip_format(strange.plain("AVIF")) is None


@EVERY
def test_a_picture_that_moves_is_refused_where_one_that_stands_still_is_needed(format: str) -> None:
    with pytest.raises(PictureError):
        inspect_picture(BytesIO(MAKERS[format]()), Settings())


@EVERY
@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_clip_frames": 4}, "frames"),
        ({"max_clip_seconds": 0.2}, "seconds"),
        ({"max_clip_bytes": 100}, "bytes"),
        ({"max_image_side": 31}, "side"),
        ({"max_image_pixels": 32 * 24 - 1}, "pixels"),
    ],
)
def test_limits(format: str, limits: dict[str, Any], reason: str) -> None:
    error = refused(MAKERS[format](), **limits)
    assert error.reason == reason and error.too_large


@EVERY
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_what_is_cut_off_is_told(format: str, share: float) -> None:
    data = MAKERS[format]()
    assert refused(data[: int(share * len(data))]).reason in ("truncated", "damaged")


def test_a_stream_in_fragments_is_refused() -> None:
    data = clips.mp4(12, movflags="frag_keyframe+empty_moov")
    assert "fragments" in refused(data).detail


def test_a_film_recorded_live_is_measured_by_its_blocks() -> None:
    header = read_clip_header(clips.webm(12, live="1"))
    assert header.frames == 12 and header.seconds == pytest.approx(1, rel=0.1)


def test_a_gif_without_pauses_is_as_slow_as_browsers_show_it() -> None:
    assert read_clip_header(clips.gif(5, milliseconds=0)).seconds == pytest.approx(0.5)


@pytest.mark.medium
@given(st.sampled_from(sorted(MAKERS)), st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_refused_or_overlooked_but_never_a_crash(format: str, data: st.DataObject) -> None:
    good = bytearray(CLIPS[format])
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    stop = data.draw(st.integers(0, len(good)))
    for damaged in (bytes(good), bytes(good[:stop])):
        try:
            inspect(damaged)
        except PictureError as error:
            assert error.detail


CLIPS = {format: make() for format, make in MAKERS.items()}
