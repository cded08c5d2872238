"""Sums of losses for any network, layers and tiling, and pictures to evaluate them at."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from app.kinds.work import KEPT_BYTES
from models.network import Network
from worker.losses.content import content_losses
from worker.losses.distance import Variant
from worker.losses.gram import gram_losses
from worker.losses.loss_sum import LossSum
from worker.losses.sources import Content, Styles
from worker.losses.total_variation import TotalVariation
from worker.optim.tiling.beyond import Edge
from worker.optim.tiling.tiles import BUDGET, Tiling


def rand(height: int, width: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Noise (1, 3, height, width), uniform in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator, dtype=torch.float64).to(dtype)


def make_loss_sum(
    network: Network,
    content: Tensor,
    styles: Sequence[Tensor],
    content_layers: Mapping[str, float],
    style_layers: Mapping[str, float],
    tv: float = 0.0,
    variant: Variant = "relative",
    *,
    margin: int = 0,
    wrap: bool = False,
    budget: int = BUDGET,
    kept: int = KEPT_BYTES,
) -> LossSum:
    """Content, style (in equal shares) and total variation, for pictures of the content's size."""
    height, width = content.shape[-2:]
    layers = {**content_layers, **style_layers}
    edge: Edge = "wrap" if wrap else "reflect"
    tiling = Tiling(height, width, network, layers, margin=margin, edge=edge, budget=budget)
    losses = content_losses(Content(tiling, content, content_layers, variant, kept=kept))
    shares = [1.0] * len(styles)
    losses += gram_losses(
        Styles(network, styles, shares, style_layers, variant, margin=margin, budget=budget)
    )
    if tv:
        losses.append(TotalVariation(tv, variant, wrap=wrap))
    return LossSum(losses, tiling)
