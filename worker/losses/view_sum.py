"""The sum of losses of one picture in several views, each with a network of its own."""

from collections.abc import Hashable, Sequence
from functools import reduce

from torch import Tensor

from worker.losses.loss_sum import LossSum
from worker.optim.descent import Evaluation
from worker.optim.tiling.tiles import Tiling
from worker.optim.together import SharedLoss


class ViewSum(SharedLoss):
    """The sum of :class:`LossSum` of several views of a picture (:mod:`models.views`).

    They are evaluated one after another, so that they take the memory of one. Terms of the same name are
    added up.
    """

    def __init__(self, views: Sequence[LossSum]) -> None:
        """Sum up ``views``, of which there is one at least, for pictures of the same size."""
        self.views = views

    @property
    def tiling(self) -> Tiling:
        """The tiles of the picture, which are those of every view."""
        return self.views[0].tiling

    @property
    def magnitude(self) -> float:
        """The loss of a picture that has nothing right."""
        return sum(view.magnitude for view in self.views)

    def __call__(self, picture: Tensor) -> Evaluation:
        """The losses of a picture (1, 3, H, W) in [0, 1], by name, and the gradient of their sum."""
        return reduce(_plus, (view(picture) for view in self.views))

    @property
    def shared(self) -> Hashable:
        """What losses have in common that can be evaluated together; None: this one is evaluated alone."""
        each = tuple(view.shared for view in self.views)
        return None if None in each else each

    @property
    def pixels(self) -> int:
        """Those of a picture with its margin."""
        return self.views[0].pixels

    @property
    def most_together(self) -> int:
        """How many such losses fit into the memory for one pass."""
        return self.views[0].most_together

    def evaluate_together(self, losses: "Sequence[ViewSum]", variables: Sequence[Tensor]) -> list[Evaluation]:
        """Each of some losses at its own picture (1, 3, H, W), in one pass for each view."""
        passes = [
            view.evaluate_together([loss.views[place] for loss in losses], variables)
            for place, view in enumerate(self.views)
        ]
        return [reduce(_plus, each) for each in zip(*passes, strict=True)]


def _plus(one: Evaluation, other: Evaluation) -> Evaluation:
    """The sum of two losses at the same variables."""
    terms = dict(one.terms)
    for name, term in other.terms.items():
        terms[name] = terms[name] + term if name in terms else term
    # In place: nobody else has seen the gradient of either.
    return Evaluation(one.total + other.total, one.gradient.add_(other.gradient), terms)
