"""Distances of style transfers from their style and content, measured by another network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import run_steps
from worker.losses.gram import gram_matrix
from worker.optim.pyramids.scales import fit, resize
from worker.synthesis.style_transfer import style_transfer

# The judge's layers: fine to coarse texture for the style, a deeper one for the content.
STYLE_LAYERS = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu3_4")
CONTENT_LAYER = "relu3_3"


@dataclass(frozen=True)
class Judgement:
    """A picture's distances from its style and its content: 0 for equal features, 1 for features of 0."""

    style_weight: float
    style: float
    content: float
    picture: Tensor


@torch.no_grad()
def style_distance(judge: Network, picture: Tensor, style: Tensor) -> float:
    """The mean over layers of the squared distance of the Gram matrices, relative to the style's own.

    Both pictures are (1, 3, H, W) in [0, 1], of any size.
    """
    found, wanted = judge.features(picture, STYLE_LAYERS), judge.features(style, STYLE_LAYERS)
    distances = []
    for layer in STYLE_LAYERS:
        gram, target = gram_matrix(found[layer]), gram_matrix(wanted[layer])
        distances.append(float((gram - target).square().sum() / target.square().sum()))
    return sum(distances) / len(distances)


@torch.no_grad()
def content_distance(judge: Network, picture: Tensor, content: Tensor) -> float:
    """The squared distance of the features relative to the content's own, both (1, 3, H, W) of one size."""
    found, wanted = (judge.features(each, (CONTENT_LAYER,))[CONTENT_LAYER] for each in (picture, content))
    return float((found - wanted).square().sum() / wanted.square().sum())


def style_curve(
    network: Network,
    judge: Network,
    content: Tensor,
    style: Tensor,
    weights: Sequence[float],
    compute: Compute,
    **params: Any,
) -> Iterator[Judgement]:
    """Transfer ``style`` to ``content`` at each style weight, and measure each picture's distances.

    Both are (1, 3, H, W) in [0, 1]; ``network`` is prepared for ``compute``, the judge for its device;
    ``params`` are those of a style transfer.
    """
    for weight in weights:
        settings = StyleTransferParams(
            content="content", style=["style"], network=network.name, style_weight=weight, **params
        ).resolve(SHIPPED)
        pictures = {"content": [content], "style": [style]}
        outcome = run_steps(style_transfer(settings, Inputs.of(pictures), network, compute))
        picture = outcome.images["image"]
        side = settings.size
        style_side = min(side, max(style.shape[-2:]))
        resized = resize(content, *fit(content, side)), resize(style, *fit(style, style_side))
        yield Judgement(
            weight,
            style_distance(judge, picture.to(judge.device), resized[1].to(judge.device)),
            content_distance(judge, picture.to(judge.device), resized[0].to(judge.device)),
            picture,
        )
