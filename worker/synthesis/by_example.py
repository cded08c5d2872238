"""Objectives from an example picture: caricatures and directions.

As in lucid: the dot product with the example's features times a power of their cosine.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.kinds.feature_visualization import ResolvedFeatureVisualization
from models.network import Network
from models.relu import ReLU
from worker.contract.compute import Compute
from worker.optim.objectives import Features, Objective, caricature, direction
from worker.optim.pyramids.scales import center_crop
from worker.optim.transforms import PAD_VALUE
from worker.synthesis.ascending import require_size, seen_side

# Of the cosine. With 0 pictures have more contrast and are less like the example: at relu4_2 of palette the
# cosine of a photograph's caricature to the photograph is 0.76 rather than 0.80, and of a painting's
# direction 0.71 rather than 0.83. With 2 little changes.
POWER = 1.0


@dataclass(frozen=True)
class Example:
    """Features of the example at ``layer``, (1, C, h, w), or (1, C) for a layer without positions.

    ``plain`` are those at the size of the pictures, ``seen`` those at the size after the transforms, with
    their grey border.
    """

    params: ResolvedFeatureVisualization
    network: Network
    layer: str
    plain: Tensor
    seen: Tensor

    def objective(self) -> Objective:
        """The objective: at a ReLU a direction compares activations, a caricature pre-activations.

        Pre-activations have a gradient also where the ReLU is 0; their target is the example's activations. A
        mean over positions is taken after the ReLU, since before it negative values at some positions would
        cancel positive ones at others.
        """
        if self.params.objective == "direction":
            return direction(self.layer, _mean(self.plain)[0], POWER)
        is_relu = isinstance(self.network.stack[self.layer], ReLU)
        layer = self.network.pre_activation(self.layer) if is_relu else self.layer
        # By the sides of the features: transformed while the picture is optimized, plain when it is measured.
        # Where both have the same sides, those of the optimization are kept.
        own = {each.shape[2:]: caricature(layer, each, POWER) for each in (self.plain, self.seen)}

        def value(features: Features) -> Tensor:
            return own[features[layer].shape[2:]].value(features)

        return Objective((layer,), value)

    def cosine(self, picture: Tensor) -> float:
        """Cosine of a picture's features and the example's (for a direction, of their means); 0 to 1 after a
        ReLU.

        ``picture`` is (1, 3, H, W) in [0, 1], of the job's size.
        """
        with torch.no_grad():
            found = self.network.features(picture.to(self.network.device), (self.layer,))[self.layer]
        pair = (found, self.plain)
        one, other = map(_mean, pair) if self.params.objective == "direction" else pair
        return float(F.cosine_similarity(one.float().flatten(1), other.float().flatten(1)))


def look_at(
    params: ResolvedFeatureVisualization, picture: Tensor, network: Network, compute: Compute
) -> Example:
    """The features of the centre of an example (1, 3, H, W), in [0, 1] and of any size.

    Raises InputError on ``size`` if that is too small for the layer, and on ``image`` if its features
    are all 0.
    """
    (layer,) = params.layers_used
    require_size(params, (layer,), network)
    side = params.size
    plain = center_crop(picture.to(compute.device), side)
    margin = seen_side(params) - side
    before, after = margin // 2, margin - margin // 2
    # A negative margin crops.
    views = (plain, F.pad(plain, (before, after, before, after), value=PAD_VALUE))
    with torch.no_grad():
        found = [network.features(view, (layer,))[layer] for view in views]
    if not all(bool(each.any()) for each in found):
        raise InputError("image", f"The features of {layer} are all 0 for this example: use another picture.")
    return Example(params, network, layer, *found)


def _mean(features: Tensor) -> Tensor:
    """The mean over positions, (1, C), float32."""
    found = features.float()
    return found.flatten(2).mean(2) if found.dim() > 2 else found
