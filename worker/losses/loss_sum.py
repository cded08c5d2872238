"""The sum of losses, and its gradient, of a picture of any size; and the targets of losses that sum up."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from models.network import Network
from worker.losses.base import AdditiveLoss, FeatureLoss, GatheredLoss, Loss, PictureLoss
from worker.optim.descent import Evaluation
from worker.optim.tiling.tiles import BUDGET, Tile, Tiling


class LossSum:
    """The sum of weighted losses of a picture, and its gradient.

    A picture that is too large for the memory is evaluated in tiles, which gives the same losses and
    gradients up to rounding.
    """

    def __init__(self, losses: Sequence[Loss], tiling: Tiling) -> None:
        """Sum up ``losses``, in order; ``tiling`` is for pictures of one size and for the losses' layers."""
        self.losses = losses
        self.tiling = tiling
        self._of_picture = [loss for loss in losses if isinstance(loss, PictureLoss)]
        self._of_features = [loss for loss in losses if isinstance(loss, FeatureLoss)]
        self._layers = list(dict.fromkeys(loss.layer for loss in self._of_features))

    @property
    def magnitude(self) -> float:
        """The loss of a picture that has nothing right."""
        return sum(loss.magnitude for loss in self.losses)

    def __call__(self, picture: Tensor) -> Evaluation:
        """The losses of a picture (1, 3, H, W) in [0, 1], by name, and the gradient of their sum."""
        picture = picture.detach().requires_grad_()
        padded = self.tiling.pad(picture)
        terms = {loss.name: loss.value(picture) for loss in self._of_picture}
        if len(self.tiling.tiles) == 1:
            terms |= self._values(*self._collect(padded))
            total = self._total(terms)
        else:
            found, of_padded = self._in_tiles(padded.detach())
            # A product that has the gradient which the tiles have found.
            along = (padded * of_padded).sum()
            total = torch.stack([along, *terms.values()]).sum()
            terms |= found
        (gradient,) = torch.autograd.grad(total, picture)
        terms = {loss.name: terms[loss.name].detach() for loss in self.losses}
        return Evaluation(self._total(terms), gradient, terms)

    def _in_tiles(self, padded: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The losses of features, and the gradient of their sum at the padded picture.

        The first pass collects what the losses are functions of, with respect to which they are then
        differentiated. The second descends, tile by tile, along what is then linear in the tile's part.
        """
        with torch.no_grad():
            collected, positions = self._collect(padded)
        for each in collected.values():
            each.requires_grad_()
        terms = self._values(collected, positions)
        slopes = {name: torch.autograd.grad(terms[name], each)[0] for name, each in collected.items()}
        gradient = torch.zeros_like(padded)
        for tile in self.tiling.tiles:
            seen = tile.seen(padded).detach().requires_grad_()
            features = self.tiling.features(seen, tile, self._layers)
            along = [
                loss.along(slopes[loss.name], features[loss.layer], self._part(tile, loss))
                for loss in self._of_features
            ]
            (of_seen,) = torch.autograd.grad(torch.stack(along).sum(), seen)
            tile.seen(gradient).add_(of_seen)
        return terms, gradient

    def _collect(self, padded: Tensor) -> tuple[dict[str, Tensor], dict[str, int]]:
        """What each loss of features is a function of, by its name, and the positions of its layer."""
        collected: dict[str, Tensor] = {}
        parts: dict[str, list[Tensor]] = {}
        positions: dict[str, int] = {}
        for tile in self.tiling.tiles:
            features = self.tiling.features(tile.seen(padded), tile, self._layers)
            for loss in self._of_features:
                found = features[loss.layer]
                positions[loss.name] = positions.get(loss.name, 0) + found[0, 0].numel()
                if isinstance(loss, AdditiveLoss):
                    statistic = loss.statistic(found, self._part(tile, loss))
                    collected[loss.name] = collected.get(loss.name, 0) + statistic
                elif isinstance(loss, GatheredLoss):
                    parts.setdefault(loss.name, []).append(found)
        return collected | {name: self.tiling.join(each) for name, each in parts.items()}, positions

    def _values(self, collected: Mapping[str, Tensor], positions: Mapping[str, int]) -> dict[str, Tensor]:
        return {
            loss.name: loss.value(collected[loss.name], positions[loss.name]) for loss in self._of_features
        }

    def _part(self, tile: Tile, loss: FeatureLoss) -> partial[Tensor]:
        return partial(self.tiling.owned, tile=tile, layer=loss.layer)

    def _total(self, terms: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([terms[loss.name] for loss in self.losses]).sum()


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
