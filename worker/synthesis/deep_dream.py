"""DeepDream: what a network sees in a picture, made stronger step by step, from coarse to fine.

Mordvintsev, Olah, Tyka, "Inceptionism: going deeper into neural networks", 2015, and their notebook: octaves
that carry over the detail alone, rolled pictures, and steps of one mean length. Gradients with bands of equal
strength are from TensorFlow's notebook of 2016.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.kinds.deep_dream import DeepDreamParams
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, State, Step, Steps, Video
from worker.media.videos import encode_frame
from worker.optim.laplacian import normalize
from worker.optim.octaves import Octave, carry, draw_roll, plan_octaves
from worker.optim.pyramid import resize
from worker.optim.solvers import NormalizedGradient
from worker.synthesis.dream_frames import frames_of
from worker.synthesis.dream_objective import DreamObjective, make_terms, numbers

# Mirrored pixels around a picture that is rolled. Without them, what the network makes of the seam is a band
# of its own along the edges, some ten pixels wide.
MARGIN = 16


def deep_dream(
    params: DeepDreamParams,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: State | None = None,
) -> Steps:
    """Dream of the picture or clip ``image``, a step of the ascent a step; of a video frame after frame.

    ``params`` are resolved; pictures are of any size; ``network`` is prepared for ``compute``; ``resume`` is
    the state of a step, to go on from there. The longer side of the result is ``params.size``. The numbers of
    a step are what each layer adds to the objective, which is to grow, and their ``total``.

    Raises InputError if a picture is too narrow for the layers, or none of them answers to it at all.
    """
    run = _Run(params, inputs, network, compute)
    if resume is not None:
        run.restore(resume)
    while run.frame < run.frames.count:
        yield from run.dream()
    return run.outcome()


class _Run:
    """A dream on its way: at ``frame``, of it at ``octave``, of which ``taken`` steps are taken.

    ``start`` is what the frame starts from and ``picture`` how it looks now; ``terms`` is what the last step
    found there, and ``done`` the frames before, as PNG files.
    """

    def __init__(
        self,
        params: DeepDreamParams,
        inputs: Inputs,
        network: Network,
        compute: Compute,
    ) -> None:
        self.params = params
        self.compute = compute
        self.frames = frames_of(params, inputs.picture_or_clip("image"))
        self.start = self.picture = self.frames.start(0, None).to(compute.device)
        self.octaves = _plan(params, self.start, network)
        coarse = resize(self.start, self.octaves[0].height, self.octaves[0].width)
        guide = inputs.picture("guide").to(compute.device) if "guide" in inputs else None
        self.objective = DreamObjective(network, make_terms(params, network, coarse, guide))
        self.silent = self.objective.silent(coarse)
        _require_an_answer(params, self.objective, self.silent)
        self.solver = NormalizedGradient(params.strength / 255)
        self.frame = self.octave = self.taken = 0
        self.done: list[bytes] = []
        self.terms: Mapping[str, Tensor] = {}
        self.before: dict[str, float] | None = None

    def dream(self) -> Iterator[Step]:
        """Dream the frame at work to its end, and make the next one ready."""
        if self.before is None:
            self.before = self.objective.values(_framed(self.start))
        while self.octave < len(self.octaves):
            octave = self.octaves[self.octave]
            if self.taken == 0:
                self.picture = carry(self.start, self.picture, octave)
            while self.taken < self.params.steps:
                self._ascend(octave)
                yield self._step()
            self.octave, self.taken = self.octave + 1, 0
        self.frame, self.octave = self.frame + 1, 0
        if self.frames.count > 1:
            self.done.append(encode_frame(self.picture))
        if self.frame < self.frames.count:
            self.start = self.picture = self.frames.start(self.frame, self.picture).to(self.picture)

    def _ascend(self, octave: Octave) -> None:
        """One step, on a picture that is rolled and rolled back, so that no place is always at the edge.

        Where its edges meet there is an edge that is not in the picture: it is kept out by a margin of
        mirrored pixels.
        """
        rows, columns = draw_roll(self.params.jitter, octave, self.params.seed, self.frame, self.taken)
        framed = _framed(self.picture)
        self.terms, gradient = self.objective(framed.roll((rows, columns), (2, 3)))
        gradient = _unframed(gradient.roll((-rows, -columns), (2, 3)), self.picture)
        gradient = normalize(gradient, self.params.laplacian_levels)
        # The solver descends.
        self.picture = self.solver.propose(self.picture, -gradient)
        self.taken += 1

    def _step(self) -> Step:
        of_frame = len(self.octaves) * self.params.steps
        done = self.octave * self.params.steps + self.taken
        picture, terms = self.picture, self.terms
        return Step(
            done=self.frame * of_frame + done,
            total=self.frames.count * of_frame,
            losses=lambda: numbers(terms),
            image=lambda: picture.to("cpu", copy=True),
            state=self._state,
            milestone=self.frames.count > 1 and done == of_frame,
        )

    def _state(self) -> State:
        """All that :meth:`restore` needs; a step is asked for it before the next is taken."""
        tensors = {"picture": self.picture}
        if self.frame > 0:
            tensors["start"] = self.start
        return State(
            {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in tensors.items()},
            {
                "frame": self.frame,
                "octave": self.octave,
                "taken": self.taken,
                "terms": {name: float(term) for name, term in self.terms.items()},
                "before": self.before,
            },
            {_part(number): frame for number, frame in enumerate(self.done)},
        )

    def restore(self, state: State) -> None:
        """Go on from a step's state, bit for bit."""
        here, values = self.compute.device, state.values
        self.frame, self.octave, self.taken = values["frame"], values["octave"], values["taken"]
        self.before = values["before"]
        self.terms = {name: torch.tensor(value) for name, value in values["terms"].items()}
        self.done = [state.parts[_part(number)] for number in range(self.frame)]
        # Copies, because the last bits of a sum may depend on how what was read from a file is aligned.
        self.picture = state.tensors["picture"].to(here, copy=True)
        if self.frame > 0:
            self.start = state.tensors["start"].to(here, copy=True)

    def outcome(self) -> Outcome:
        """The last frame, the video if there are several, and the numbers."""
        height, width = self.picture.shape[2:]
        result: dict[str, Any] = {
            "width": width,
            "height": height,
            "objective": [
                {"term": name, "before": (self.before or {}).get(name), "after": value}
                for name, value in numbers(self.terms).items()
            ],
            "octaves": [{"width": each.width, "height": each.height} for each in self.octaves],
            "octaves_left_out": self.params.octaves - len(self.octaves),
            "without_answer": self.silent,
        }
        if self.params.strongest is not None:
            result["channels"] = {term.name: list(term.channels) for term in self.objective.terms}
        videos = {}
        if self.frames.count > 1:
            result |= {"frames": self.frames.count, "fps": self.frames.rate}
            videos["video"] = Video(self.done, self.frames.rate, self.params.format)
        return Outcome({"image": self.picture.to("cpu", copy=True)}, result, videos)


def _framed(picture: Tensor) -> Tensor:
    """A picture (1, C, H, W) within mirrored pixels, MARGIN on each side or as many as it has."""
    margin = min(MARGIN, *(side - 1 for side in picture.shape[2:]))
    return F.pad(picture, (margin,) * 4, mode="reflect")


def _unframed(framed: Tensor, like: Tensor) -> Tensor:
    """The middle, of the size of ``like``."""
    top, left = ((whole - side) // 2 for whole, side in zip(framed.shape[2:], like.shape[2:], strict=True))
    return framed[..., top : top + like.shape[2], left : left + like.shape[3]]


def _part(frame: int) -> str:
    return f"frame{frame:04d}.png"


def _plan(params: DeepDreamParams, start: Tensor, network: Network) -> list[Octave]:
    """The octaves at which the layers see something. InputError if they do not at the full size."""
    layers = [name for name, weight in (params.layers or {}).items() if weight > 0]
    smallest = network.minimum_side(layers)
    height, width = start.shape[2:]
    if min(height, width) < smallest:
        enough = -(-params.size * smallest // min(height, width))
        raise InputError(
            "size",
            f"At size {params.size} the picture is only {min(height, width)} px across; the layers need "
            f"{smallest} px. Take a size of {enough} or more, or layers nearer to the picture.",
        )
    return plan_octaves(height, width, params.octaves, params.octave_scale, smallest)


def _require_an_answer(params: DeepDreamParams, objective: DreamObjective, silent: list[str]) -> None:
    """InputError if no term has a gradient: there is nothing to dream of."""
    asked = sum(len(term.channels) or 1 for term in objective.terms)
    if len(silent) == asked:
        field = "channels" if params.channels else "guide" if params.guide else "layers"
        raise InputError(
            field,
            f"{', '.join(silent)} of {params.network} does not answer to this picture: its gradient is 0 "
            "everywhere (a dead unit, or a picture without any contrast). Take another.",
        )
