"""Style transfer: the content of one picture in the style of others, by descent of Gatys' objective.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016; coarse to fine as
in Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 6.
"""

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from app.jobs.kinds.style_transfer import PRESETS, StyleTransferParams
from models.network import Network
from worker.optim.adam import Adam
from worker.optim.color import with_chroma_of
from worker.optim.descent import Descent, Solver
from worker.optim.lbfgs import LBFGS, affordable_history
from worker.optim.noise import noise_picture
from worker.optim.pyramid import resize
from worker.steps import Compute, Outcome, State, Step, Steps
from worker.synthesis.objective import StyleObjective, Weights
from worker.synthesis.plan import Scale, Size, plan_scales


def style_transfer(
    params: StyleTransferParams,
    pictures: Mapping[str, Sequence[Tensor]],
    network: Network,
    compute: Compute,
    resume: State | None = None,
) -> Steps:
    """Paint ``pictures["content"]`` in the style of ``pictures["style"]``, an evaluation of the loss a step.

    ``params`` are resolved; ``pictures`` are float32 RGB (1, 3, H, W) in [0, 1] of any size, by param;
    ``network`` is prepared for ``compute``; ``resume`` is the state of a step, to go on from there. The
    longer side of the result is ``params.size``. The losses of a step are weighted: they sum to ``total``.

    Raises InputError if a picture is too narrow for the layers or no loss has a weight, ComputationError if
    the loss is not finite, or explodes, and going back does not help.
    """
    run = _Run(params, pictures, network, compute)
    first = 0
    if resume is not None:
        first, run.reports = resume.values["scale"], list(resume.values["reports"])
    picture = run.start()
    for index in range(first, len(run.plan)):
        picture = yield from run.paint(index, picture, resume if index == first else None)
    return Outcome({"image": run.look(picture)}, run.result())


class _Run:
    """What one run needs at every scale; ``content`` at the scale at work, ``reports`` of those done."""

    def __init__(
        self,
        params: StyleTransferParams,
        pictures: Mapping[str, Sequence[Tensor]],
        network: Network,
        compute: Compute,
    ) -> None:
        self.params = params
        self.pictures = pictures
        self.network = network
        self.compute = compute
        self.weights = Weights.of(params)
        self.plan = plan_scales(params, pictures, network, self.weights.layers)
        self.content = self._picture("content", self.plan[0].size)
        self.reports: list[dict[str, Any]] = []

    def start(self) -> Tensor:
        """The picture to start from, at the first scale."""
        height, width = self.plan[0].size
        match self.params.init:
            case "noise":
                deviation = PRESETS[self.params.preset].noise
                return noise_picture(height, width, self.params.seed, deviation).to(self.compute.device)
            case "image":
                return self._picture("init_image", (height, width))
            case _:
                return self.content

    def paint(self, index: int, picture: Tensor, resume: State | None) -> Generator[Step, None, Tensor]:
        """Work through one scale from ``picture``, of any size, and return the best picture found."""
        scale = self.plan[index]
        self.content = self._picture("content", scale.size)
        objective = self._objective(scale)
        picture = resize(picture, *scale.size)
        descent = Descent(picture, _solver(self.params, picture), objective.scale)
        taken = 0
        if resume is not None:
            descent.restore(resume)
            taken = resume.values["taken"]
        while taken < scale.steps:
            descent.step(objective)
            taken += 1
            yield Step(
                done=sum(earlier.steps for earlier in self.plan[:index]) + taken,
                total=sum(each.steps for each in self.plan),
                losses=partial(_numbers, descent.terms),
                image=partial(self.look, descent.current),
                state=partial(self._state, index, taken, descent),
            )
        self.reports.append(_report(scale, descent))
        return descent.best

    def look(self, picture: Tensor) -> Tensor:
        """A picture of the scale at work as it is shown: on the CPU, in the colours that were asked for."""
        if self.params.color == "content":
            picture = with_chroma_of(picture, self.content)
        return picture.to("cpu", copy=True)

    def result(self) -> dict[str, Any]:
        """The numbers of a finished run."""
        last = self.reports[-1]
        return {
            "width": last["width"],
            "height": last["height"],
            "losses": last["losses"],
            "scales": self.reports,
            "rollbacks": sum(report["rollbacks"] for report in self.reports),
            "dtype": str(self.compute.dtype).removeprefix("torch."),
        }

    def _objective(self, scale: Scale) -> StyleObjective:
        styles = [self._picture("style", size, place) for place, size in enumerate(scale.style_sizes)]
        shares = self.params.style_weights or [1.0] * len(styles)
        return StyleObjective(self.network, self.content, styles, shares, self.weights)

    def _picture(self, field: str, size: Size, place: int = 0) -> Tensor:
        return resize(self.pictures[field][place].to(self.compute.device), *size)

    def _state(self, index: int, taken: int, descent: Descent) -> State:
        state = descent.state()
        return State(
            state.tensors, {**state.values, "scale": index, "taken": taken, "reports": [*self.reports]}
        )


def _solver(params: StyleTransferParams, picture: Tensor) -> Solver:
    return Adam() if params.optimizer == "adam" else LBFGS(affordable_history(picture))


def _report(scale: Scale, descent: Descent) -> dict[str, Any]:
    height, width = scale.size
    return {
        "width": width,
        "height": height,
        "steps": scale.steps,
        "losses": _numbers(descent.best_terms),
        "rollbacks": descent.rollbacks,
    }


def _numbers(terms: Mapping[str, Tensor]) -> dict[str, float]:
    """Losses as numbers, with their sum."""
    numbers = {name: float(term) for name, term in terms.items()}
    return {**numbers, "total": sum(numbers.values())}
