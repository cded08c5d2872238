"""The nearest-neighbour loss: each position is pulled to the position of the style that is most like it.

Kolkin, Kucera, Paris, Sykora, Shechtman, Shakhnarovich, "Neural Neighbor Style Transfer", arXiv 2203.13215
(2022): the final pass of its feature splitting, where each layer has neighbours of its own, found anew at
every step.
"""

from torch import Tensor

from worker.losses.base import Loss, PositionsLoss
from worker.losses.nearest import directions, mean_cosine_distance, usual_length
from worker.losses.positions import pooled_positions, rows_of
from worker.losses.sources import Styles

# Positions of the style that take part, at each layer. The time of an evaluation is in proportion to them.
MOST = 1024


def nearest_neighbors_losses(styles: Styles) -> list[Loss]:
    """A loss for each layer; several styles give positions in proportion to their shares."""
    positions = pooled_positions(styles, MOST)
    return [
        NearestNeighborsLoss(layer, positions[layer], weight, styles.places(layer))
        for layer, weight in styles.layers.items()
    ]


class NearestNeighborsLoss(PositionsLoss):
    """``weight * mean_i min_j (1 - cos(F_i - f, S_j - s))`` over positions ``i``, and ``j`` of the style.

    ``f`` and ``s`` are the features' means over positions. From 0 to 2, and 1 for features without a
    direction: whatever the size, the layer and the network are.
    """

    def __init__(self, layer: str, style: Tensor, weight: float, places: Tensor | None = None) -> None:
        """``style`` is (n, C), positions of the style; float32 or better. ``places`` are those of
        :class:`PositionsLoss`.
        """
        super().__init__(f"style.{layer}", layer, weight, places)
        self.weight = weight
        away = style - style.mean(0)
        self.targets, self.usual = directions(away), usual_length(away)

    def of_positions(self, features: Tensor) -> Tensor:
        """The loss of features (1, C, h, w)."""
        distance = mean_cosine_distance(rows_of(features), self.targets, self.usual, centered=True)
        return self.weight * distance
