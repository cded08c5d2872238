"""Distances of style transfers from their style and content, measured by another network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import run_steps
from worker.synthesis.style_transfer import style_transfer
from worker.training.style_judge import Distances, StyleJudge

# The judge's layers: fine to coarse texture for the style, a deeper one for the content.
STYLE_LAYERS = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu3_4")
CONTENT_LAYER = "relu3_3"


@dataclass(frozen=True)
class Judgement:
    """A picture, (1, 3, H, W) in [0, 1], and its distances."""

    style_weight: float
    distances: Distances
    picture: Tensor


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
    judging = StyleJudge(judge, STYLE_LAYERS, CONTENT_LAYER)
    for weight in weights:
        settings = StyleTransferParams(
            content="content", style=["style"], network=network.name, style_weight=weight, **params
        ).resolve(SHIPPED)
        pictures = {"content": [content], "style": [style]}
        outcome = run_steps(style_transfer(settings, Inputs.of(pictures), network, compute))
        picture = outcome.images["image"]
        yield Judgement(weight, judging.distances(picture, content, style), picture)
