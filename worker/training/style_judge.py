"""Distances of a picture from its style and its content, measured by a network that did not paint it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.network import Network
from worker.losses.gram import gram_matrix
from worker.optim.pyramids.scales import fit, resize


@dataclass(frozen=True)
class Distances:
    """Distances of a picture from its style and its content: 0 for equal features, 1 for features of 0."""

    style: float
    content: float


@dataclass(frozen=True)
class StyleJudge:
    """A network that judges, prepared for a device; the layers at which it compares style and content."""

    network: Network
    style_layers: tuple[str, ...]
    content_layer: str

    def distances(self, picture: Tensor, content: Tensor, style: Tensor) -> Distances:
        """The distances of a picture, with the others resized to it.

        All are (1, 3, H, W) in [0, 1], of any size. The content gets the picture's height and width, the
        style is fitted to it.
        """
        resized = resize(content, *picture.shape[-2:]), fitted_style(style, picture)
        made, content, style = (each.to(self.network.device) for each in (picture, *resized))
        return Distances(self.style_distance(made, style), self.content_distance(made, content))

    @torch.no_grad()
    def style_distance(self, picture: Tensor, style: Tensor) -> float:
        """The mean over layers of the squared distance of the Gram matrices, relative to the style's own.

        Both pictures are (1, 3, H, W) in [0, 1], of any size, on the network's device.
        """
        found, wanted = (self.network.features(each, self.style_layers) for each in (picture, style))
        distances = []
        for layer in self.style_layers:
            gram, target = gram_matrix(found[layer]), gram_matrix(wanted[layer])
            distances.append(float((gram - target).square().sum() / target.square().sum()))
        return sum(distances) / len(distances)

    @torch.no_grad()
    def content_distance(self, picture: Tensor, content: Tensor) -> float:
        """The squared distance of the features relative to the content's own.

        Both pictures are (1, 3, H, W) in [0, 1], of one size, on the network's device.
        """
        layer = self.content_layer
        found, wanted = (self.network.features(each, (layer,))[layer] for each in (picture, content))
        return float((found - wanted).square().sum() / wanted.square().sum())


def fitted_style(style: Tensor, picture: Tensor) -> Tensor:
    """A style with the longer side of a picture: its aspect stays, and a smaller one is not enlarged.

    Enlarging would blur it. Both are (1, 3, H, W) in [0, 1].
    """
    side = min(max(picture.shape[-2:]), max(style.shape[-2:]))
    return resize(style, *fit(style, side))
