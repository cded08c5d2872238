"""The sum of losses, and its gradient, of a picture of any size."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from worker.losses.base import AdditiveLoss, FeatureLoss, GatheredLoss, LocalLoss, Loss, Part, PictureLoss
from worker.optim.descent import Evaluation
from worker.optim.tiling.maps import Recomputed
from worker.optim.tiling.tiles import Tile, Tiling
from worker.optim.together import SharedLoss


class LossSum(SharedLoss):
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
        self._layers = tuple(dict.fromkeys(loss.layer for loss in self._of_features))

    @property
    def magnitude(self) -> float:
        """The loss of a picture that has nothing right."""
        return sum(loss.magnitude for loss in self.losses)

    def __call__(self, picture: Tensor) -> Evaluation:
        """The losses of a picture (1, 3, H, W) in [0, 1], by name, and the gradient of their sum."""
        if len(self.tiling.tiles) == 1:
            return self.evaluate_together([self], [picture])[0]
        return self._evaluation(*self._in_tiles(picture.detach().requires_grad_()))

    @property
    def shared(self) -> Hashable:
        """What losses have in common that can be evaluated together; None: this one is evaluated alone."""
        if len(self.tiling.tiles) > 1:
            return None
        tiling = self.tiling
        return id(tiling.network), tiling.sides, tiling.margin, tiling.edge, *self._layers

    @property
    def pixels(self) -> int:
        """Those of a picture with its margin."""
        return self.tiling.pixels

    @property
    def most_together(self) -> int:
        """How many such losses fit into the memory for one pass."""
        return self.tiling.most_together

    def evaluate_together(self, losses: "Sequence[LossSum]", variables: Sequence[Tensor]) -> list[Evaluation]:
        """Each of some losses at its own picture (1, 3, H, W), in one pass through their network."""
        leaves = [picture.detach().requires_grad_() for picture in variables]
        padded = torch.cat([self.tiling.pad(leaf) for leaf in leaves])
        features = self.tiling.features_of_each(padded, self._layers)
        terms = [loss._whole(leaf, own) for loss, leaf, own in zip(losses, leaves, features, strict=True)]
        totals = [loss._total(own) for loss, own in zip(losses, terms, strict=True)]
        # Each depends on its own picture alone, so that the gradient of their sum has those of all.
        gradients = torch.autograd.grad(totals, leaves)
        found = [
            loss._evaluation(own, gradient)
            for loss, own, gradient in zip(losses, terms, gradients, strict=True)
        ]
        if len(found) == 1:
            return found
        # Read at once: each descent asks for its own, and would wait for what the one before has begun.
        read = torch.stack([each.total for each in found]).cpu()
        return [replace(each, total=total) for each, total in zip(found, read, strict=True)]

    def _evaluation(self, terms: Mapping[str, Tensor], gradient: Tensor) -> Evaluation:
        terms = {loss.name: terms[loss.name].detach() for loss in self.losses}
        # Without a margin it has the memory format of features, and whoever flattens it would copy it.
        return Evaluation(self._total(terms), gradient.contiguous(), terms)

    def _whole(self, picture: Tensor, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The losses of a picture in one tile, which owns all of the ``features``."""
        (tile,) = self.tiling.tiles
        terms = {loss.name: loss.value(picture) for loss in self._of_picture}
        for loss in self._of_features:
            found = features[loss.layer]
            if isinstance(loss, AdditiveLoss):
                collected = loss.statistic(found, self._part(tile, loss))
            else:
                collected = found
            terms[loss.name] = loss.value(collected, found[0, 0].numel())
        return terms

    def _in_tiles(self, picture: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The same in several tiles: beside one of them there is one gradient, which all add to."""
        of_picture = {loss.name: loss.value(picture) for loss in self._of_picture}
        if of_picture:
            (gradient,) = torch.autograd.grad([*of_picture.values()], picture)
            # Of its own memory, whatever autograd made it from.
            gradient = gradient.contiguous()
        else:
            gradient = torch.zeros_like(picture)
        return of_picture | self._features_in_tiles(picture.detach(), gradient), gradient

    def _features_in_tiles(self, picture: Tensor, gradient: Tensor) -> dict[str, Tensor]:
        """The losses of features; the gradient of their sum at the picture is added to ``gradient``.

        The first pass collects what the losses are functions of, with respect to which they are then
        differentiated; local losses need none. The second descends, tile by tile, along what is then linear
        in the tile's part.
        """
        if not self._of_features:
            return {}
        functions = [loss for loss in self._of_features if not isinstance(loss, LocalLoss)]
        with torch.no_grad():
            collected, positions = self._collect(functions, picture)
        for each in collected.values():
            each.requires_grad_()
        terms = _values(functions, collected, positions)
        slopes = {name: torch.autograd.grad(terms[name], each)[0] for name, each in collected.items()}
        for tile in self.tiling.tiles:
            local, of_seen = self._of_tile(tile, self.tiling.seen(picture, tile), slopes)
            self.tiling.add_seen(gradient, tile, of_seen)
            terms |= {name: terms.get(name, 0) + value for name, value in local.items()}
        return terms

    def _of_tile(
        self, tile: Tile, seen: Tensor, slopes: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The local losses of a tile, and its part of the gradient, of the shape of what it sees."""
        seen = seen.detach().requires_grad_()
        features = self.tiling.features(seen, tile, self._layers)
        local, along = {}, []
        for loss in self._of_features:
            found, part = features[loss.layer], self._part(tile, loss)
            if isinstance(loss, LocalLoss):
                along.append(loss.statistic(found, part))
                local[loss.name] = along[-1].detach()
            else:
                along.append(loss.along(slopes[loss.name], found, part))
        return local, torch.autograd.grad(torch.stack(along).sum(), seen)[0]

    def _collect(
        self, losses: Sequence[FeatureLoss], picture: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, int]]:
        """What each loss is a function of, by its name, and the positions of its layer."""
        collected: dict[str, Tensor] = {}
        parts: dict[str, list[Tensor]] = {}
        positions: dict[str, int] = {}
        for tile in self.tiling.tiles:
            features = self.tiling.features(self.tiling.seen(picture, tile), tile, _layers(losses))
            for loss in losses:
                found = features[loss.layer]
                positions[loss.name] = positions.get(loss.name, 0) + found[0, 0].numel()
                if isinstance(loss, AdditiveLoss):
                    statistic = loss.statistic(found, self._part(tile, loss))
                    collected[loss.name] = collected.get(loss.name, 0) + statistic
                elif isinstance(loss, GatheredLoss):
                    parts.setdefault(loss.name, []).append(found)
        return collected | {name: self.tiling.join(each) for name, each in parts.items()}, positions

    def _part(self, tile: Tile, loss: FeatureLoss) -> Part:
        def part(features: Tensor | Recomputed) -> Tensor:
            if isinstance(features, Recomputed):
                return features.owned(tile)
            return self.tiling.owned(features, tile, loss.layer)

        return part

    def _total(self, terms: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([terms[loss.name] for loss in self.losses]).sum()


def _layers(losses: Sequence[FeatureLoss]) -> list[str]:
    return list(dict.fromkeys(loss.layer for loss in losses))


def _values(
    losses: Sequence[FeatureLoss], collected: Mapping[str, Tensor], positions: Mapping[str, int]
) -> dict[str, Tensor]:
    return {loss.name: loss.value(collected[loss.name], positions[loss.name]) for loss in losses}
