"""The targets of a style that is given by several pictures."""

from collections.abc import Callable, Collection, Sequence

from torch import Tensor

from models.network import Network
from worker.optim.tiling.tiles import BUDGET, Tiling


def blended_means(
    network: Network,
    styles: Sequence[Tensor],
    shares: Sequence[float],
    layers: Collection[str],
    statistic: Callable[[Tensor], Tensor],
    *,
    margin: int = 0,
    budget: int = BUDGET,
) -> dict[str, Tensor]:
    """By layer, a statistic's mean over the positions of each style, blended by ``shares``.

    ``styles`` are (1, 3, H, W) in [0, 1], of any size; of the shares, one for each, only the ratios matter,
    as in neural-style. ``statistic`` is a sum over the positions of features (1, C, h, w), such as
    :func:`worker.losses.gram.gram_sum`. ``margin`` and ``budget`` are those of :class:`Tiling`.
    """
    blend: dict[str, Tensor] = {}
    for style, share in zip(styles, [share / sum(shares) for share in shares], strict=True) if layers else ():
        height, width = style.shape[-2:]
        tiling = Tiling(height, width, network, layers, margin=margin, budget=budget)
        for layer, (total, positions) in tiling.sums(style, layers, statistic).items():
            blend[layer] = blend.get(layer, 0) + share / positions * total
    return blend
