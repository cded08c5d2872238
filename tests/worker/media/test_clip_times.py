"""Clips as a player shows them: cut, in square pixels, each frame for its own time, with sound."""

import struct
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from PIL import Image

from app.media.clips import read_clip_header
from app.media.headers import Header
from app.media.mp4 import read_mp4
from tests.support import clips
from tests.support.mp4s import with_edits
from worker.contract.steps import Video, VideoFormat
from worker.media.clips import _until_next, open_clip
from worker.media.videos import encode_frame, encode_video

UNEVEN = (2.0, 0.1, 0.1, 0.1)


def frames(count: int) -> list[bytes]:
    clip = open_clip(clips.gif(count), "image")
    return [encode_frame(frame) for frame in clip.frames()]


def uneven_gif() -> bytes:
    first, *others = clips.frames(4)
    out = BytesIO()
    first.save(
        out, "GIF", save_all=True, append_images=others, duration=[int(1000 * each) for each in UNEVEN]
    )
    return out.getvalue()


def test_frames_of_a_gif_last_as_long_as_it_says() -> None:
    clip = open_clip(uneven_gif(), "image")
    assert clip.seconds == UNEVEN
    assert clip.rate == pytest.approx(4 / 2.3)


@pytest.mark.parametrize("format", ["mp4", "webp"])
def test_frames_keep_their_own_times_in_a_video(format: VideoFormat) -> None:
    data = encode_video(Video(frames(4), 4 / 2.3, format, seconds=UNEVEN))
    assert open_clip(data, "image").seconds[:3] == pytest.approx(UNEVEN[:3], abs=1e-4)
    assert read_clip_header(data).seconds == pytest.approx(2.3, abs=0.02)


def test_a_clip_that_was_trimmed_counts_what_it_shows() -> None:
    data = clips.mp4(48, rate=12)
    trimmed = with_edits(data, [(1000, 12, 2.0)])
    header = read_mp4(trimmed)
    assert (header.frames, header.seconds) == (12, 1.0)
    assert open_clip(trimmed, "image").count == 12


def test_a_pause_before_a_clip_shows_no_frame() -> None:
    # Its first frame is shown at 2/12 s, since others are stored before those that they are needed for.
    header = read_mp4(with_edits(clips.mp4(24, rate=12), [(500, 12, None), (1000, 12, 2 / 12)]))
    assert (header.frames, header.seconds) == (12, 1.0)


def test_an_edit_list_that_shows_nothing_is_left_to_the_decoder() -> None:
    assert read_mp4(with_edits(clips.mp4(24, rate=12), [(1000, 12, 500.0)])).frames == 24


@pytest.mark.parametrize(("aspect", "width"), [(Fraction(2), 64), (Fraction(3, 4), 24), (Fraction(1), 32)])
def test_pixels_that_are_not_square_are_made_so(aspect: Fraction, width: int) -> None:
    out = BytesIO()
    with av.open(out, "w", format="mp4") as into:
        stream = into.add_stream("libx264", rate=12)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = 32, 24, "yuv420p"
        context.sample_aspect_ratio = aspect
        for image in clips.frames(3):
            into.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")))
        into.mux(stream.encode())
    clip = open_clip(out.getvalue(), "image")
    assert (clip.width, clip.height) == (width, 24)
    (first, *_) = clip.frames()
    assert first.shape == (1, 3, 24, width)
    # The bar, an eighth of the width, is at the left.
    assert float(first[0, 0, :, : width // 8].mean()) > 0.8
    assert float(first[0, 0, :, width // 4 :].mean()) < 0.3


def test_the_header_of_an_mp4_says_how_wide_it_is_shown() -> None:
    data = bytearray(clips.mp4())
    at = data.index(b"tkhd") + 4 + 76
    data[at : at + 4] = struct.pack(">I", 64 << 16)
    header = read_clip_header(bytes(data))
    assert (header.width, header.height) == (64, 24)


@pytest.mark.medium
@pytest.mark.parametrize(("codec", "container"), [("aac", "mp4"), ("libopus", "webm")])
def test_sound_is_copied_as_far_as_there_are_frames(codec: str, container: str) -> None:
    data = clips.film_with_sound(codec, container)
    assert open_clip(data, "image").sound == {"aac": "aac", "libopus": "opus"}[codec]
    for count in (12, 24):
        made = encode_video(Video(frames(count), 12, "mp4", sound=data))
        assert clips.sound_seconds(made) == pytest.approx(count / 12, abs=0.1)
        assert open_clip(made, "image").count == count


@pytest.mark.parametrize("seconds", [5e-324, 1e-9, 1e12])
def test_a_length_that_no_video_has_is_none(seconds: float) -> None:
    header = Header("WEBM", 32, 24, frames=3, seconds=seconds)
    assert _until_next([None] * 3, header) == [0.04] * 3
    # Nor have frames such times.
    assert _until_next([0.0, 1e-9, 2e-9], header) == [0.04] * 3


def test_a_clip_without_sound_has_none() -> None:
    assert open_clip(clips.mp4(), "image").sound is None


def test_a_gif_of_one_frame_is_a_picture() -> None:
    image = Image.new("RGB", (8, 8), (10, 200, 30))
    out = BytesIO()
    image.save(out, "GIF")
    assert read_clip_header(out.getvalue()).frames == 1
