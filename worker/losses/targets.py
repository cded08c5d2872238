"""Targets of losses that are functions of a sum over positions."""

from collections.abc import Callable, Collection, Sequence

from torch import Tensor

from models.network import Network
from worker.optim.tiling.tiles import BUDGET, Tiling


def blended_means(
    statistic: Callable[[Tensor], Tensor],
    network: Network,
    pictures: Sequence[Tensor],
    shares: Sequence[float],
    layers: Collection[str],
    *,
    margin: int = 0,
    budget: int = BUDGET,
) -> dict[str, Tensor]:
    """Means over positions of a statistic by layer, those of several pictures blended by their ``shares``.

    (As neural-style does with Gram matrices.) ``statistic`` sums up features (1, C, h, w) over their
    positions; ``pictures`` are (1, 3, H, W) in [0, 1], of any size; of the shares, one for each, only the
    ratios matter. ``margin`` and ``budget`` are those of :class:`Tiling`.
    """
    blend: dict[str, Tensor] = {}
    if not layers:
        return blend
    for picture, share in zip(pictures, [share / sum(shares) for share in shares], strict=True):
        height, width = picture.shape[-2:]
        tiling = Tiling(height, width, network, layers, margin=margin, budget=budget)
        for layer, (total, positions) in tiling.sums(picture, layers, statistic).items():
            blend[layer] = blend.get(layer, 0) + share / positions * total
    return blend
