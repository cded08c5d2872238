"""The loss of pictures that are to excite a network: minus an activation objective, plus penalties."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from app.kinds.work import ASCENT_PIXELS
from models.network import Network
from worker.optim.descent import Evaluation
from worker.optim.objectives import Objective, one_each
from worker.optim.parametrizations import Parametrization
from worker.optim.randomness import generator_at
from worker.optim.together import SharedLoss
from worker.optim.transforms import Transform, in_turn


@dataclass(frozen=True)
class ActivationLoss(SharedLoss):
    """The loss of the pictures that a batch of variables stands for.

    ``objective`` gives what some pictures of the batch in a row are to maximise; ``penalties`` are the costs
    of pictures (N, 3, H, W) alone, (N,) by name, each with its weight (0 or None: it is left out). In each
    step the network sees ``views`` of a picture through ``transform``, with random numbers from its seed in
    ``seeds``; the loss is their mean. Pictures that depend on each other come in rows of ``group``.
    ``name`` is that of the objective among the terms. Losses of one picture each whose ``shared`` is equal,
    and not None, differ in objective and seed alone.
    """

    network: Network
    parametrization: Parametrization
    objective: Callable[[slice], Objective]
    seeds: tuple[int, ...]
    penalties: Mapping[str, tuple[float | None, Callable[[Tensor], Tensor]]] = field(default_factory=dict)
    transform: Transform | None = None
    views: int = 1
    group: int = 1
    name: str = "objective"
    shared: Hashable = None

    @property
    def pixels(self) -> int:
        """The two sides of a picture, whatever its variables are."""
        return self.parametrization.height * self.parametrization.width

    @cached_property
    def _pixels_seen(self) -> int:
        """Those of a picture, or of what is seen of it through the transform if that has more."""
        height, width = seen_sides(self.transform, self.parametrization.height, self.parametrization.width)
        return max(self.pixels, height * width)

    @property
    def most_together(self) -> int:
        """How many pictures go through the network at once."""
        return max(1, ASCENT_PIXELS // self.pixels)

    def evaluate_together(
        self, losses: "Sequence[ActivationLoss]", variables: Sequence[Tensor]
    ) -> list[Evaluation]:
        """Each of some losses, without transforms, at its own variables, of one picture, in one pass."""
        first = slice(0, 1)
        together = replace(
            self,
            objective=lambda part: one_each([loss.objective(first) for loss in losses[part]]),
            seeds=tuple(seed for loss in losses for seed in loss.seeds),
        )
        found = together(torch.cat(list(variables)))
        # Read at once: each descent asks for its own, and would wait for what the one before has begun.
        totals = found.total.cpu()
        return [
            Evaluation(
                totals[place : place + 1],
                found.gradient[place : place + 1],
                {name: term[place : place + 1] for name, term in found.terms.items()},
            )
            for place in range(len(losses))
        ]

    def __call__(self, variables: Tensor, step: int = 0) -> Evaluation:
        """The loss at variables (N, ...), through the transforms of a step."""
        parts = [self._evaluate(variables, part, step) for part in self._parts(variables)]
        return Evaluation(
            torch.cat([part.total for part in parts]),
            torch.cat([part.gradient for part in parts]),
            {name: torch.cat([part.terms[name] for part in parts]) for name in parts[0].terms},
        )

    def values(self, variables: Tensor) -> Tensor:
        """The objective alone, not negated, (N,), of the pictures without transforms."""
        with torch.no_grad():
            return torch.cat([self._values(variables[part], part, None) for part in self._parts(variables)])

    def dead(self, variables: Tensor) -> list[int]:
        """The places in the batch of the pictures whose objective has a gradient of 0."""
        places: list[int] = []
        for part in self._parts(variables):
            here = variables[part].detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self._values(here, part, None).sum(), here)
            still = gradient.flatten(1).abs().amax(1) == 0
            places += [part.start + place for place in still.nonzero().flatten().tolist()]
        return places

    def _evaluate(self, variables: Tensor, part: slice, step: int) -> Evaluation:
        here = variables[part].detach().requires_grad_()
        pictures = self.parametrization.picture(here)
        terms = {
            name: -(weight * cost(pictures)) for name, (weight, cost) in self.penalties.items() if weight
        }
        gradient = torch.zeros_like(here)
        for term in terms.values():
            gradient = gradient + torch.autograd.grad(term.sum(), here, retain_graph=True)[0]
        for view in range(self.views):
            # One view at a time, since all of them together might not fit into the memory.
            value = self._values(here, part, (step, view)) / self.views
            gradient = gradient + torch.autograd.grad(value.sum(), here)[0]
            terms[self.name] = terms.get(self.name, 0) + value
        total = torch.stack([term.detach() for term in terms.values()]).sum(0)
        return Evaluation(-total, -gradient, {name: -term.detach() for name, term in terms.items()})

    def _values(self, variables: Tensor, part: slice, place: tuple[int, int] | None) -> Tensor:
        """The objective of some pictures, through the transforms of a step and a view (None: without any)."""
        pictures = self.parametrization.picture(variables)
        if place is not None and self.transform is not None:
            pictures = self.transform(pictures, [generator_at(seed, *place) for seed in self.seeds[part]])
        objective = self.objective(part)
        return objective.value(self.network.features(pictures, objective.layers))

    def _parts(self, variables: Tensor) -> list[slice]:
        """Slices of the batch that go through the network at once, of whole groups."""
        count = variables.shape[0]
        size = max(1, ASCENT_PIXELS // (self._pixels_seen * self.group)) * self.group
        return [slice(first, min(first + size, count)) for first in range(0, count, size)]


def seen_sides(transform: Transform | None, height: int, width: int) -> tuple[int, int]:
    """Height and width of what is seen of a picture through a transform."""
    blank = torch.zeros(1, 3, height, width)
    seen = in_turn([] if transform is None else [transform])(blank, [generator_at(0)])
    return seen.shape[2], seen.shape[3]
