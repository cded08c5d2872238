"""The sound of a clip whose picture begins later, or whose times do not begin at 0."""

from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import numpy as np
import pytest

from models.network import Network
from tests.support import clips
from tests.worker.synthesis.test_deep_dream import CPU, make_params
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import run_steps
from worker.media.clips import open_clip
from worker.media.videos import encode_video
from worker.synthesis.deep_dream import deep_dream

RATE, SOUND_RATE = 12, 48_000
BEGINS, ENDS = 1.5, 2.5


def film(container: str, starts: float, sound_starts: float = 0.0) -> bytes:
    """Two seconds of frames from ``starts`` on, and three of sound: of a tone between BEGINS and ENDS."""
    out = BytesIO()
    mp4 = container == "mp4"
    with av.open(out, "w", format=container) as into:
        video = into.add_stream("libx264" if mp4 else "libvpx", rate=RATE)
        video.codec_context.width, video.codec_context.height = 32, 24
        video.codec_context.pix_fmt = "yuv420p"
        audio: Any = into.add_stream("aac" if mp4 else "libopus", rate=SOUND_RATE)
        audio.codec_context.layout = "mono"
        at = np.arange(3 * SOUND_RATE) / SOUND_RATE
        tone = np.where((at >= BEGINS) & (at < ENDS), np.sin(at * 440 * 2 * np.pi), 0).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = SOUND_RATE, round(sound_starts * SOUND_RATE)
        form = audio.codec_context.format.name
        resampler = av.AudioResampler(format=form, layout="mono", rate=SOUND_RATE, frame_size=960)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            into.mux(audio.encode(part))
        into.mux(audio.encode(None))
        for number, image in enumerate(clips.frames(2 * RATE)):
            shown = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
            shown.pts, shown.time_base = round(starts * RATE) + number, Fraction(1, RATE)
            into.mux(video.encode(shown))
        into.mux(video.encode())
    return out.getvalue()


def first_frame(data: bytes) -> float:
    with av.open(BytesIO(data), "r") as container:
        return float(next(container.decode(video=0)).time or 0)


def tone(data: bytes) -> tuple[float, float]:
    """From when to when there is a tone."""
    heard = []
    with av.open(BytesIO(data), "r") as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()).max(0) > 0.1)
            if frame.time is not None and len(loud):
                heard += [frame.time + float(loud[0]) / SOUND_RATE, frame.time + float(loud[-1]) / SOUND_RATE]
    return min(heard), max(heard)


def dreamt(data: bytes, network: Network) -> bytes:
    params = make_params(size=32, steps=1, octaves=1, format="mp4")
    inputs = Inputs.of({"image": [open_clip(data, "image")]})
    outcome = run_steps(deep_dream(params, inputs, network, Compute(CPU.device, network.dtype)))
    return encode_video(outcome.videos["video"])


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.medium
def test_sound_that_begins_before_the_picture_stays_with_it(network: Network, container: str) -> None:
    data = film(container, starts=1.0)
    made = dreamt(data, network)
    assert first_frame(made) == pytest.approx(1.0, abs=0.01)
    # To its end, a second after that of a picture that began at 0.
    assert tone(made) == pytest.approx((BEGINS, ENDS), abs=0.05)
    assert open_clip(made, "image").count == 2 * RATE


def test_times_that_begin_late_begin_at_0(network: Network) -> None:
    made = dreamt(film("webm", starts=5.5, sound_starts=5.0), network)
    assert first_frame(made) == pytest.approx(0.5, abs=0.02)
    assert tone(made) == pytest.approx((BEGINS, ENDS), abs=0.05)
