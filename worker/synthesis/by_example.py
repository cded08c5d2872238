"""What a layer sees in an example, to be exaggerated in another picture: caricatures and directions.

lucid's caricatures and directions: the dot product with the example's features times their cosine.
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

# Of the cosine. With 0 pictures are louder and less like the example: relu4_2 of palette sees a photograph's
# caricature at a cosine of 0.76 to the photograph rather than 0.80, and a painting's direction at 0.71 rather
# than 0.83. With 2 little changes.
POWER = 1.0


@dataclass(frozen=True)
class Example:
    """What the layer of a job has to say of its example, (1, C, h, w), or (1, C) where it sees all at once.

    ``plain`` is that at the size of the pictures, ``seen`` that at the size that transforms make of it, with
    the grey that they put around it.
    """

    params: ResolvedFeatureVisualization
    network: Network
    plain: Tensor
    seen: Tensor

    @property
    def layer(self) -> str:
        """The layer that looks."""
        (layer,) = self.params.layers_used
        return layer

    def objective(self) -> Objective:
        """What a picture is after, for a ReLU after it in a direction, and before it in a caricature.

        Before a ReLU there is a gradient also of what it does not let through yet; what it let through of the
        example is what is wanted there. A mean over positions is better taken after it: before it what is
        below 0 in one place makes up for what is above it in another.
        """
        if self.params.objective == "direction":
            return direction(self.layer, _mean(self.plain)[0], POWER)
        is_relu = isinstance(self.network.stack[self.layer], ReLU)
        layer = self.network.pre_activation(self.layer) if is_relu else self.layer
        # By the sides of the features: a picture is seen through the transforms as it ascends, and plain when
        # it is measured. Where both come to the same sides, the ascent counts.
        own = {each.shape[2:]: caricature(layer, each, POWER) for each in (self.plain, self.seen)}

        def value(features: Features) -> Tensor:
            return own[features[layer].shape[2:]].value(features)

        return Objective((layer,), value)

    def cosine(self, picture: Tensor) -> float:
        """How like the example's a picture's features are, 0 to 1 after a ReLU; of a direction, their means.

        ``picture`` is (1, 3, H, W) in [0, 1], of the size of the job.
        """
        with torch.no_grad():
            found = self.network.features(picture.to(self.network.device), (self.layer,))[self.layer]
        pair = (found, self.plain)
        one, other = map(_mean, pair) if self.params.objective == "direction" else pair
        return float(F.cosine_similarity(one.float().flatten(1), other.float().flatten(1)))


def look_at(
    params: ResolvedFeatureVisualization, picture: Tensor, network: Network, compute: Compute
) -> Example:
    """See what a layer sees in the middle of an example (1, 3, H, W), in [0, 1] and of any size.

    Raises InputError on ``size`` if that is too small for the layer, and on ``image`` if nothing in it
    excites the layer.
    """
    (layer,) = params.layers_used
    require_size(params, (layer,), network)
    side = params.size
    plain = center_crop(picture.to(compute.device), side)
    margin = seen_side(params) - side
    before, after = margin // 2, margin - margin // 2
    # A negative margin cuts off.
    views = (plain, F.pad(plain, (before, after, before, after), value=PAD_VALUE))
    with torch.no_grad():
        found = [network.features(view, (layer,))[layer] for view in views]
    if not all(bool(each.any()) for each in found):
        raise InputError(
            "image", f"Nothing in the example excites {layer}, all that it says of it is 0: take another."
        )
    return Example(params, network, *found)


def _mean(features: Tensor) -> Tensor:
    """The mean over positions, (1, C), float32."""
    found = features.float()
    return found.flatten(2).mean(2) if found.dim() > 2 else found
