"""The timelapse of a picture that is being painted."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from worker.contract.steps import Step, StepState, Video, VideoFormat
from worker.media.pictures import straight
from worker.media.videos import encode_frame, frame_name
from worker.optim.pyramids.scales import fit, resize
from worker.synthesis.stacking import R, Run, with_steps

# Of all frames; the last one is the finished picture.
MOST_FRAMES = 60
# Longer side of a frame in pixels. All frames are kept until the end: no more than 100 MB.
LONGEST_SIDE = 768
# Frames a second: 5 seconds in all, and how much longer the finished picture is shown, in seconds.
RATE = 12.0
HOLD = 1.0


class Timelapse:
    """Frames of a run so far, as PNG files, each enlarged to the size of the last.

    The frames so far are part of the state of each step.
    """

    def __init__(
        self,
        format_: VideoFormat,
        size: tuple[int, int],
        alpha: Tensor | None,
        resume: StepState | None,
    ) -> None:
        """``size`` is the result's height and width; ``alpha`` its transparency, (1, 1, H, W) in [0, 1], of
        any size: frames lie on white. ``resume`` is the state that the run goes on from, if it does.
        """
        self._format = format_
        whole = torch.empty(1).expand(size)
        self._size = fit(whole, min(LONGEST_SIDE, max(size)))
        self._alpha = None if alpha is None else resize(alpha, *self._size)
        parts = {} if resume is None else resume.parts
        self._frames = [parts[frame_name(number)] for number in range(len(parts))]
        self._due: set[int] | None = None

    def record(self, run: Run[R]) -> Run[R]:
        """A run whose steps are looked at."""
        return with_steps(run, self._look)

    def video(self, picture: Tensor) -> Video:
        """The frames, and the finished picture (1, 3, H, W) in [0, 1]."""
        return Video([*self._frames, self._frame(picture)], RATE, self._format, HOLD)

    def _look(self, step: Step) -> Step:
        if self._due is None:
            self._due = set(frame_steps(step.total))
        if step.done in self._due and step.image is not None:
            self._frames.append(self._frame(step.image()))
        return replace(step, state=partial(self._state, step.state))

    def _frame(self, picture: Tensor) -> bytes:
        frame = resize(picture, *self._size)
        if self._alpha is not None:
            alpha = self._alpha.to(frame)
            frame = torch.lerp(torch.ones_like(frame), straight(frame, alpha), alpha)
        return encode_frame(frame)

    def _state(self, inner: Callable[[], StepState]) -> StepState:
        state = inner()
        frames = {frame_name(number): frame for number, frame in enumerate(self._frames)}
        return StepState(state.tensors, state.values, {**state.parts, **frames})


def frame_steps(total: int) -> list[int]:
    """The steps, from 1 on, whose pictures are frames before the last: geometrically spaced.

    A picture changes most at first, where each step is a frame. There are MOST_FRAMES - 1 at most.
    """
    last = max(1, total - 1)
    steps = [1]
    while steps[-1] < last:
        left = MOST_FRAMES - 1 - len(steps)
        if left == 0:
            break
        ratio = (last / steps[-1]) ** (1 / left)
        steps.append(max(steps[-1] + 1, round(steps[-1] * ratio)))
    return steps
