"""Descent of Gatys' objective from coarse to fine: each scale starts from what the one before has found.

Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 6.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor

from worker.contract.steps import State, Step
from worker.optim.descent import Descent
from worker.optim.optimizers.base import Optimizer
from worker.optim.pyramids.scales import resize
from worker.synthesis.objective import StyleObjective
from worker.synthesis.plan import Scale


@dataclass
class CoarseToFine:
    """A picture on its way through the scales of a ``plan``.

    ``objective_at`` gives the objective of a scale, when it begins; ``solver_for`` a solver for a picture of
    it; ``look`` the picture as it is shown. ``enlarge`` brings a picture to the height and width of the next
    scale. ``reports`` are those of the scales done.
    """

    plan: Sequence[Scale]
    objective_at: Callable[[Scale], StyleObjective]
    solver_for: Callable[[Tensor], Optimizer]
    look: Callable[[Tensor], Tensor]
    enlarge: Callable[[Tensor, int, int], Tensor] = resize
    reports: list[dict[str, Any]] = field(default_factory=list)

    def descend(self, picture: Tensor, resume: State | None) -> Generator[Step, None, Tensor]:
        """Go through the scales from ``picture`` (1, 3, H, W), or from the state of a step: the best found.

        An evaluation of the loss is a step. Its losses are weighted: they sum to ``total``.
        """
        first = 0
        if resume is not None:
            first, self.reports = resume.values["scale"], list(resume.values["reports"])
        for index in range(first, len(self.plan)):
            picture = yield from self._scale(index, picture, resume if index == first else None)
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

    def _scale(self, index: int, picture: Tensor, resume: State | None) -> Generator[Step, None, Tensor]:
        """Work through one scale from ``picture``, of any size, and return the best picture found."""
        scale = self.plan[index]
        objective = self.objective_at(scale)
        picture = self.enlarge(picture, *scale.size)
        descent = Descent(picture, self.solver_for(picture), objective.scale)
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

    def _state(self, index: int, taken: int, descent: Descent) -> State:
        state = descent.state()
        return State(
            state.tensors, {**state.values, "scale": index, "taken": taken, "reports": [*self.reports]}
        )


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
