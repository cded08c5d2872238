"""DeepDream: what a network sees in a picture, made stronger step by step, from coarse to fine.

Mordvintsev, Olah, Tyka, "Inceptionism: going deeper into neural networks", 2015, and their notebook: octaves
that carry over the detail alone, rolled pictures, and steps of one mean length. Gradients with bands of equal
strength are from TensorFlow's notebook of 2016.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.kinds.deep_dream import ResolvedDeepDream
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState, Video
from worker.media.videos import encode_frame, frame_name
from worker.optim.descent import Descent, Evaluation, numbers
from worker.optim.memory import require_memory
from worker.optim.optimizers.gradient import NormalizedGradient
from worker.optim.pyramids.laplacian import normalize, with_tones_of
from worker.optim.pyramids.octaves import Octave, draw_roll, next_octave, plan_octaves
from worker.optim.pyramids.scales import fit, resize
from worker.synthesis.dream_frames import frames_of
from worker.synthesis.dream_loss import DreamLoss, make_terms
from worker.synthesis.needed_size import Size, as_loaded, smallest_size

# Mirrored pixels around a picture that is rolled. Without them, what the network makes of the seam is a band
# of its own along the edges, some ten pixels wide.
MARGIN = 16


def deep_dream(
    params: ResolvedDeepDream,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Dream of the picture or clip ``image``, a step of the ascent a step; of a video frame after frame.

    The longer side of the result is ``params.size``. The numbers of a step are what each layer adds to the
    objective, which is to grow, and their ``total``.

    Raises InputError if a picture is too narrow for the layers, or none of them answers to it at all.
    """
    run = _Run(params, inputs, network, compute)
    if resume is not None:
        run.restore(resume)
    while run.frame < run.frames.count:
        yield from run.dream()
    return run.outcome()


class _Run:
    """A dream at ``frame``, and of it at ``octave``.

    ``start`` is what the frame starts from, ``picture`` what the octave before has made of it, ``terms`` what
    its last step found; ``done`` are the frames before, as PNG files. ``descent`` is that of the octave, None
    until it begins.
    """

    def __init__(
        self,
        params: ResolvedDeepDream,
        inputs: Inputs,
        network: Network,
        compute: Compute,
    ) -> None:
        self.params = params
        self.compute = compute
        self.frames = frames_of(params, inputs.picture_or_clip("image"))
        self.start = self.picture = self.frames.start(0, None).to(compute.device)
        self.octaves = _plan(params, self.start, inputs.sides("image")[0], network)
        height, width = self.start.shape[2:]
        require_memory(network, params.layers, (height, width), params.size, compute)
        coarse = resize(self.start, self.octaves[0].height, self.octaves[0].width)
        guide = inputs.picture("guide").to(compute.device) if "guide" in inputs else None
        self.loss = DreamLoss(network, make_terms(params, network, coarse, guide))
        self.dead = self.loss.dead(coarse)
        _require_gradient(params, self.loss, self.dead)
        self.frame = self.octave = 0
        self.descent: Descent | None = None
        self.done: list[bytes] = []
        self.terms: Mapping[str, Tensor] = {}
        self.before: dict[str, float] | None = None

    def dream(self) -> Iterator[Step]:
        """Dream the frame at work to its end, and make the next one ready."""
        if self.before is None:
            self.before = self.loss.values(_padded(self.start))
        while self.octave < len(self.octaves):
            octave = self.octaves[self.octave]
            descent = self.descent or self._descent(next_octave(self.start, self.picture, octave))
            while descent.taken < self.params.steps:
                descent.step(partial(self._evaluate, octave, descent.taken))
                yield self._step(descent)
            like = resize(self.start, octave.height, octave.width)
            self.picture = with_tones_of(descent.variables, like, self.params.tone_shift)
            self.terms, self.descent = descent.terms, None
            self.octave += 1
        self.frame, self.octave = self.frame + 1, 0
        if self.frames.count > 1:
            self.done.append(encode_frame(self.picture))
        if self.frame < self.frames.count:
            self.start = self.picture = self.frames.start(self.frame, self.picture).to(self.picture)

    def _descent(self, picture: Tensor) -> Descent:
        # Rolled pictures do not compare.
        return Descent(picture, NormalizedGradient(self.params.strength / 255), deterministic=False)

    def _evaluate(self, octave: Octave, taken: int, picture: Tensor) -> Evaluation:
        """The loss of a picture that is rolled, so that no place is always at the edge.

        The seam where its edges meet is not in the picture: a margin of mirrored pixels keeps it out.
        """
        rows, columns = draw_roll(self.params.jitter, octave, self.params.seed, self.frame, taken)
        evaluation = self.loss(_padded(picture).roll((rows, columns), (2, 3)))
        gradient = _cropped(evaluation.gradient.roll((-rows, -columns), (2, 3)), picture)
        return replace(evaluation, gradient=normalize(gradient, self.params.laplacian_levels))

    def _step(self, descent: Descent) -> Step:
        of_frame = len(self.octaves) * self.params.steps
        done = self.octave * self.params.steps + descent.taken
        return Step(
            done=self.frame * of_frame + done,
            total=self.frames.count * of_frame,
            losses=partial(numbers, descent.terms, negated=True),
            image=descent.variables.detach,
            state=partial(self._state, descent),
            milestone=self.frames.count > 1 and done == of_frame,
        )

    def _state(self, descent: Descent) -> StepState:
        """All that :meth:`restore` needs; a step is asked for it before the next is taken."""
        state = descent.state()
        start = {"start": self.start.to("cpu", copy=True).contiguous()} if self.frame > 0 else {}
        return StepState(
            {**state.tensors, **start},
            {**state.values, "frame": self.frame, "octave": self.octave, "before": self.before},
            {frame_name(number): frame for number, frame in enumerate(self.done)},
        )

    def restore(self, state: StepState) -> None:
        """Go on from a step's state, bit for bit."""
        self.frame, self.octave = state.values["frame"], state.values["octave"]
        self.before = state.values["before"]
        self.done = [state.parts[frame_name(number)] for number in range(self.frame)]
        if self.frame > 0:
            # A copy, because the last bits of a sum may depend on how what was read from a file is aligned.
            self.start = state.tensors["start"].to(self.compute.device, copy=True)
        self.descent = self._descent(self.start)
        self.descent.restore(state)

    def outcome(self) -> Outcome:
        """The last frame, the video if there are several, and the numbers."""
        height, width = self.picture.shape[2:]
        result: dict[str, Any] = {
            "width": width,
            "height": height,
            "objective": [
                {"term": name, "before": (self.before or {}).get(name), "after": value}
                for name, value in numbers(self.terms, negated=True).items()
            ],
            "octaves": [{"width": each.width, "height": each.height} for each in self.octaves],
            "octaves_left_out": self.params.octaves - len(self.octaves),
            "without_answer": self.dead,
        }
        if self.params.strongest is not None:
            result["channels"] = {term.name: list(term.channels) for term in self.loss.terms}
        videos = {}
        if self.frames.count > 1:
            result |= {"frames": self.frames.count, "fps": self.frames.rate}
            if self.frames.sound_is is not None:
                result["sound"] = self.frames.sound_is
            videos["video"] = Video(
                self.done,
                self.frames.rate,
                self.params.format,
                seconds=self.frames.seconds,
                sound=self.frames.sound,
                start=self.frames.first_shown,
            )
        return Outcome({"image": self.picture.to("cpu", copy=True)}, result, videos)


def _padded(picture: Tensor) -> Tensor:
    """A picture (1, C, H, W) within mirrored pixels, MARGIN on each side or as many as it has."""
    margin = min(MARGIN, *(side - 1 for side in picture.shape[2:]))
    return F.pad(picture, (margin,) * 4, mode="reflect")


def _cropped(padded: Tensor, like: Tensor) -> Tensor:
    """The middle, of the size of ``like``."""
    top, left = ((whole - side) // 2 for whole, side in zip(padded.shape[2:], like.shape[2:], strict=True))
    return padded[..., top : top + like.shape[2], left : left + like.shape[3]]


def _plan(params: ResolvedDeepDream, start: Tensor, file: Size, network: Network) -> list[Octave]:
    """The octaves at which the layers see something. InputError if they do not at the full size.

    ``file`` are the sides of the picture or clip before it was resized to ``start``.
    """
    layers = [name for name, weight in params.layers.items() if weight > 0]
    smallest = network.minimum_side(layers)
    height, width = start.shape[2:]
    if min(height, width) < smallest:
        enough = smallest_size(params.size, lambda size: min(fit(as_loaded(file, size), size)), smallest)
        remedy = "layers nearer to the picture, or a less narrow one"
        if enough is not None:
            remedy = f"layers nearer to the picture. The smallest size that works is {enough}"
        raise InputError(
            "size",
            f"At size {params.size} the picture is only {min(height, width)} px across; the layers need "
            f"{smallest} px. Take {'a larger size, or ' if enough else ''}{remedy}.",
        )
    return plan_octaves(height, width, params.octaves, params.octave_scale, smallest)


def _require_gradient(params: ResolvedDeepDream, loss: DreamLoss, dead: list[str]) -> None:
    """InputError if no term has a gradient: there is nothing to dream of."""
    asked = sum(len(term.channels) or 1 for term in loss.terms)
    if len(dead) == asked:
        field = "channels" if params.channels else "guide" if params.guide else "layers"
        raise InputError(
            field,
            f"{', '.join(dead)} of {params.network} has no gradient at this picture: it is 0 "
            "everywhere (a dead unit, or a picture without any contrast). Take another.",
        )
