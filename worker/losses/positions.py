"""Positions of a layer as rows, and samples of them."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from worker.losses.sources import Styles
from worker.optim.randomness import generator_at
from worker.optim.tiling.tiles import Tiling


def rows_of(features: Tensor) -> Tensor:
    """The positions of features (1, C, H, W) as rows (H * W, C), row by row of the picture.

    A view if the features are channels-last.
    """
    return features[0].permute(1, 2, 0).flatten(0, 1)


def chosen(count: int, most: int, seed: int) -> Tensor:
    """The places of at most ``most`` of ``count`` positions, in order.

    All of them, or one drawn from each of ``most`` equal parts.
    """
    if count <= most:
        return torch.arange(count)
    drawn = torch.rand(most, generator=generator_at(seed), dtype=torch.float64)
    bounds = torch.arange(most + 1) * count // most
    return bounds[:-1] + (drawn * bounds.diff()).long()


def sampled(features: Tensor, most: int, seed: int) -> Tensor:
    """At most ``most`` positions of features (1, C, H, W) as rows (n, C), float32 or better."""
    rows = rows_of(features)
    rows = rows[chosen(len(rows), most, seed).to(rows.device)]
    return rows.to(torch.promote_types(rows.dtype, torch.float32))


def pooled(samples: Sequence[Tensor], shares: Sequence[float], most: int, seed: int) -> Tensor:
    """At most ``most`` rows (n, C) of several samples (n_k, C), in proportion to ``shares`` of sum 1.

    As many as the scarcest has for its share; each of a positive share gives one at least.
    """
    used = [(rows, share) for rows, share in zip(samples, shares, strict=True) if share > 0]
    total = min(most, *(len(rows) / share for rows, share in used))
    counts = [max(1, min(len(rows), round(total * share))) for rows, share in used]
    parts = [
        rows[chosen(len(rows), n, seed).to(rows.device)] for (rows, _), n in zip(used, counts, strict=True)
    ]
    return torch.cat(parts)


def pooled_positions(styles: Styles, most: int) -> dict[str, Tensor]:
    """At most ``most`` positions (n, C) of the styles by layer, in proportion to their shares."""
    samples = styles.of_each(sampled, most, styles.seed)
    return {
        layer: pooled([each[layer] for each in samples], styles.fractions, most, styles.seed)
        for layer in styles.layers
    }


@torch.no_grad()
def sampled_in_tiles(
    tiling: Tiling, picture: Tensor, layers: Collection[str], most: int, seed: int
) -> dict[str, Tensor]:
    """By layer, what :func:`sampled` finds of the layers of a picture (1, 3, H, W), one tile at a time."""
    if len(tiling.tiles) == 1:
        return {layer: sampled(f, most, seed) for layer, f in tiling.all_features(picture, layers).items()}
    padded = tiling.pad(picture)
    found: dict[str, Tensor] = {}
    ranks = {layer: _ranks(tiling, layer, most, seed) for layer in layers}
    for tile in tiling.tiles:
        for layer, features in tiling.features(tile.seen(padded), tile, layers).items():
            own = tiling.owned(ranks[layer], tile, layer).flatten().to(features.device)
            rows = rows_of(features)[own >= 0]
            rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
            if layer not in found:
                found[layer] = rows.new_empty(int(ranks[layer].max()) + 1, rows.shape[1])
            found[layer][own[own >= 0]] = rows
    return found


def _ranks(tiling: Tiling, layer: str, most: int, seed: int) -> Tensor:
    """A map (H, W) of a layer: the place of each chosen position among them, -1 for the others."""
    height, width = (side // tiling.strides[layer] for side in tiling.sides)
    ranks = torch.full((height * width,), -1)
    places = chosen(height * width, most, seed)
    ranks[places] = torch.arange(len(places))
    return ranks.view(height, width)
