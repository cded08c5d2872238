"""Descent from coarse to fine: each scale starts from the enlarged result of the previous one.

Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 6.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor

from worker.contract.steps import Step, StepState
from worker.losses.loss_sum import LossSum
from worker.optim.descent import Descent, numbers
from worker.optim.optimizers.base import Optimizer
from worker.optim.pyramids.scales import resize
from worker.synthesis.plan import Scale
from worker.synthesis.stacking import Run, evaluated


@dataclass
class CoarseToFine:
    """The descent of a loss at each scale of a ``plan``.

    ``loss_at`` makes the loss of a scale when it begins, ``optimizer_for`` the optimizer for a
    picture of its size; ``shown`` turns a picture into the result, on its device; ``enlarge`` resizes a
    picture to the height and width of the next scale. ``reports`` are those of the finished scales, ``last``
    is the descent at the scale that was begun last.
    """

    plan: Sequence[Scale]
    loss_at: Callable[[Scale], LossSum]
    optimizer_for: Callable[[Tensor], Optimizer]
    shown: Callable[[Tensor], Tensor] = Tensor.detach
    enlarge: Callable[[Tensor, int, int], Tensor] = resize
    reports: list[dict[str, Any]] = field(default_factory=list)
    last: Descent | None = None

    def descend(
        self, picture: Tensor, resume: StepState | None, begin: StepState | None = None
    ) -> Run[Tensor]:
        """Descend at all scales from ``picture`` (1, 3, H, W), or from a step's state; returns the best
        picture.

        ``begin`` is the state of a descent of the same loss, which goes on at the first scale.

        Each evaluation of the loss is a step. Losses are weighted: they sum to ``total``.
        """
        first = 0
        if resume is not None:
            first, self.reports = resume.values["scale"], list(resume.values["reports"])
        for index in range(first, len(self.plan)):
            at_first = (resume, begin if index == 0 else None) if index == first else (None, None)
            picture = yield from self._scale(index, picture, *at_first)
        return picture

    def result(self) -> dict[str, Any]:
        """The numbers of a finished run."""
        last = self.reports[-1]
        return {
            "width": last["width"],
            "height": last["height"],
            "losses": last["losses"],
            "scales": self.reports,
            "rollbacks": sum(report["rollbacks"] for report in self.reports),
        }

    def _scale(
        self, index: int, picture: Tensor, resume: StepState | None, begin: StepState | None
    ) -> Run[Tensor]:
        """Descend at one scale from ``picture``, of any size; returns the best picture."""
        scale = self.plan[index]
        loss = self.loss_at(scale)
        picture = self.enlarge(picture, *scale.size)
        descent = Descent(picture, self.optimizer_for(picture), loss.magnitude)
        self.last = descent
        if resume is not None:
            descent.restore(resume)
        elif begin is not None:
            descent.restore(begin)
            descent.taken = descent.rollbacks = 0
        while descent.taken < scale.steps:
            descent.take((yield from evaluated(loss, descent.variables)))
            yield Step(
                done=sum(earlier.steps for earlier in self.plan[:index]) + descent.taken,
                total=sum(each.steps for each in self.plan),
                losses=partial(numbers, descent.terms),
                image=partial(self.shown, descent.current),
                state=partial(self._state, index, descent),
            )
        height, width = scale.size
        self.reports.append(
            {
                "width": width,
                "height": height,
                "steps": scale.steps,
                "losses": numbers(descent.best_terms),
                "rollbacks": descent.rollbacks,
            }
        )
        return descent.best

    def _state(self, index: int, descent: Descent) -> StepState:
        state = descent.state()
        return StepState(state.tensors, {**state.values, "scale": index, "reports": [*self.reports]})
