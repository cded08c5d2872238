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
from worker.losses.view_sum import ViewSum
from worker.optim.descent import Descent, Evaluation, numbers
from worker.optim.ladder import Ladder
from worker.optim.optimizers.base import Optimizer
from worker.optim.optimizers.lbfgs import LBFGS
from worker.optim.pyramids.scales import resize
from worker.optim.tiling.tiles import Tiling
from worker.synthesis.plan import Scale
from worker.synthesis.stacking import Run, evaluated


def steps_before(plan: Sequence[Scale], resume: StepState | None) -> int:
    """After how many steps of a ``plan`` a state is; 0 without one."""
    if resume is None:
        return 0
    earlier: int = sum(scale.steps for scale in plan[: resume.values["scale"]])
    return earlier + int(resume.values["taken"])


@dataclass
class CoarseToFine:
    """The descent of a loss at each scale of a ``plan``.

    ``loss_at`` makes the loss of a scale when it begins, and again on each further rung of the ``ladder``, on
    the present one of which ``tilings_at`` are the tiles of all pictures that it is made from;
    ``optimizer_for`` makes the optimizer for a picture of its size, given that of the scale before;
    ``shown`` turns a picture into the result, on its device; ``enlarge`` resizes a picture to the height and
    width of the next scale.
    ``reports`` are those of the finished scales, ``last`` is the descent at the scale begun last; after the
    end it is there if it is to be kept, ``keep_last``.
    """

    plan: Sequence[Scale]
    loss_at: Callable[[Scale], LossSum | ViewSum]
    tilings_at: Callable[[Scale], Sequence[Tiling]]
    optimizer_for: Callable[[Tensor, Optimizer | None], Optimizer]
    ladder: Ladder
    shown: Callable[[Tensor], Tensor] = Tensor.detach
    enlarge: Callable[[Tensor, int, int], Tensor] = resize
    keep_last: bool = False
    reports: list[dict[str, Any]] = field(default_factory=list)
    last: Descent | None = None
    _optimizer: Optimizer | None = None

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
        fresh = resume is None
        states = [begin if resume is None else resume]
        # Lists, from which each scale takes what it begins with, so that nobody keeps it.
        reached = [picture]
        del picture, begin
        for index in range(first, len(self.plan)):
            reached.append((yield from self._scale(index, reached, states, fresh=fresh)))
        self._optimizer = None
        if not self.keep_last:
            self.last = None
        return reached.pop()

    def result(self) -> dict[str, Any]:
        """The numbers of a finished run."""
        last = self.reports[-1]
        return {
            "width": last["width"],
            "height": last["height"],
            "losses": last["losses"],
            "scales": self.reports,
            "rollbacks": sum(report["rollbacks"] for report in self.reports),
            "dtype": self.ladder.dtype,
            **self.ladder.values,
        }

    def _scale(
        self, index: int, reached: list[Tensor], states: list[StepState | None], *, fresh: bool
    ) -> Run[Tensor]:
        """Descend at one scale; returns the best picture.

        It begins with the picture, of any size, that it takes from ``reached``; with the state that it takes
        from ``states``, if one is there, whose steps do not count if it is ``fresh``.
        """
        scale = self.plan[index]
        before = sum(earlier.steps for earlier in self.plan[:index])
        picture, state = reached.pop(), states.pop() if states else None
        if state is None:
            picture = self.enlarge(picture, *scale.size)
        else:
            picture = state.tensors["variables"].to(picture.device)
        optimizer = self.optimizer_for(picture, self._optimizer)
        # What the scale before kept makes room for the targets of this one.
        self._optimizer, self.last = optimizer, None
        loss = self._loss(scale, before if state is None or fresh else steps_before(self.plan, state))
        descent = Descent(picture, optimizer, loss.magnitude)
        del picture
        self.last = descent
        if state is not None:
            descent.restore(state)
            if fresh:
                descent.taken = descent.rollbacks = 0
            else:
                # Whoever was given it to go on from holds it to the end.
                state.tensors.clear()
            del state
        evaluation: Evaluation | None = None
        while descent.taken < scale.steps:
            # Until the step is taken nothing of the descent changes, so that it can be tried again.
            try:
                if evaluation is None:
                    evaluation = yield from evaluated(loss, descent.variables)
                descent.take(evaluation)
            except Exception as error:
                tile = loss.tiling.largest_tile if evaluation is None else None
                self._lower(error, before + descent.taken, tile, optimizer)
                if evaluation is None:
                    del loss
                    loss = self._loss(scale, before + descent.taken)
                continue
            evaluation = None
            yield Step(
                done=before + descent.taken,
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

    def _loss(self, scale: Scale, step: int) -> LossSum | ViewSum:
        """The loss of a scale, on the first rung from the present one on that its targets can be made on."""
        while True:
            try:
                return self.loss_at(scale)
            except Exception as error:
                tile = max(tiling.largest_tile for tiling in self.tilings_at(scale))
                self.ladder.lower(error, step, tile=tile)

    def _lower(self, error: Exception, step: int, tile: int | None, optimizer: Optimizer) -> None:
        """Go down a rung, with an optimizer that keeps the pairs that are left."""
        # A history that is shorter than what there is of it would free nothing.
        pairs = optimizer.pairs if isinstance(optimizer, LBFGS) else 0
        self.ladder.lower(error, step, tile=tile, history=pairs)
        if isinstance(optimizer, LBFGS):
            optimizer.shorten(min(optimizer.history, self.ladder.spending.history))

    def _state(self, index: int, descent: Descent) -> StepState:
        state = descent.state()
        values = {"scale": index, "reports": [*self.reports], **self.ladder.values}
        return StepState(state.tensors, {**state.values, **values})
