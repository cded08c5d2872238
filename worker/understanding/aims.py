"""What is explained: the score of a class, or the activation of a neuron."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.errors import InputError
from models.network import Network
from worker.optim.objectives import precise
from worker.understanding.finite import require_finite


@dataclass(frozen=True)
class Aim:
    """A number that a network gives for each picture: a channel of a layer, at ``position`` (y, x) if any.

    A class is a channel of ``logits``: its score before the softmax, since a probability also rises by
    making other classes less likely (Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks", ICLR
    workshop 2014, section 2).
    """

    network: Network
    layer: str
    channel: int
    position: tuple[int, int] | None = None

    def values(self, pictures: Tensor) -> Tensor:
        """The number for each of (N, 3, H, W), float32 or better, (N,)."""
        return self._of(self.network.features(pictures, (self.layer,))[self.layer])

    def values_from(self, layer: str, activations: Tensor) -> Tensor:
        """The number for each of the activations (N, ...) of a layer before it, (N,)."""
        return self._of(self.network.features_from(layer, activations, (self.layer,))[self.layer])

    def _of(self, activations: Tensor) -> Tensor:
        if activations.dim() == 2:
            return precise(activations[:, self.channel])
        y, x = self.position or (0, 0)
        return precise(activations[:, self.channel, y, x])


def strongest_neuron(
    network: Network, picture: Tensor, layer: str, channel: int | None, position: tuple[int, int] | None
) -> Aim:
    """A neuron of a layer; what is None is chosen so that it is the most active for a picture (1, 3, H, W).

    Raises InputError on ``position`` if the layer's maps end before it; ComputationError if they are not
    finite.
    """
    with torch.no_grad():
        maps = network.features(picture, (layer,))[layer][0].float().cpu()
    require_finite(network, maps)
    if maps.dim() == 1:
        return Aim(network, layer, int(maps.argmax()) if channel is None else channel)
    height, width = maps.shape[1:]
    if position is not None:
        y, x = position
        if y >= height or x >= width:
            raise InputError(
                "position",
                f"The maps of {layer} have {height} rows and {width} columns at this size: the last position "
                f"is {height - 1}, {width - 1}.",
            )
        found = int(maps[:, y, x].argmax()) if channel is None else channel
        return Aim(network, layer, found, (y, x))
    if channel is None:
        channel = int(maps.flatten(1).amax(1).argmax())
    y, x = divmod(int(maps[channel].argmax()), width)
    return Aim(network, layer, channel, (y, x))
