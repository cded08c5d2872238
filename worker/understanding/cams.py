"""Class activation maps: the maps of one layer, weighed by what they do for a score.

- Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV
  2017, section 3: weights are mean gradients.
- Omeiza et al., "Smooth Grad-CAM++", 2019: those of Chattopadhay et al., "Grad-CAM++", WACV 2018, from means
  over noisy copies.
- Wang et al., "Score-CAM", CVPR workshops 2020, algorithm 1: weights are scores of the picture seen through
  the maps.

Each is the positive part of the weighted sum, enlarged to the picture.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from worker.understanding.aims import Aim
from worker.understanding.explanations import Explanation, Method
from worker.understanding.gradient_maps import noisy
from worker.understanding.placing import place

_LABEL = "contribution"


def grad_cam(aim: Aim, picture: Tensor, layer: str) -> Method:
    """Weights are the means over positions of the gradient of the score (equations 1 and 2)."""

    def part(samples: range) -> dict[str, Tensor]:
        del samples
        maps = _maps(aim, picture, layer)
        weights = _gradients(aim, layer, maps).mean((2, 3), keepdim=True)
        return {"map": (weights * maps).sum(1, keepdim=True)}

    return Method(1, part, lambda sums: _explanation(aim, layer, sums["map"], picture))


def smooth_grad_cam(aim: Aim, picture: Tensor, layer: str, samples: int, noise: float, seed: int) -> Method:
    """Weights as in Grad-CAM++, with means over noisy copies for the gradient, its square and its cube.

    A ReLU network is linear around almost every picture, so the second and third derivatives in Omeiza's
    equation 7 are those of the exponential of the score: the square and the cube of the gradient, times a
    factor that cancels (Chattopadhay et al., section 3.3).
    """

    def part(chosen: range) -> dict[str, Tensor]:
        found = _gradients(aim, layer, _maps(aim, noisy(picture, chosen, noise, seed), layer))
        powers = {"first": found, "second": found.square(), "third": found.pow(3)}
        return {name: each.sum(0, keepdim=True) for name, each in powers.items()}

    def finish(sums: Mapping[str, Tensor]) -> Explanation:
        maps = _maps(aim, picture, layer)
        weights = cam_plus_plus_weights(
            maps, *(sums[name] / samples for name in ("first", "second", "third"))
        )
        return _explanation(aim, layer, (weights * maps).sum(1, keepdim=True), picture)

    return Method(samples, part, finish)


def cam_plus_plus_weights(maps: Tensor, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
    """Weights (1, C, 1, 1) of maps (1, C, h, w) from a score's first three derivatives by them."""
    below = 2 * second + (maps * third).sum((2, 3), keepdim=True)
    # Where all derivatives are 0, so is the share of the position.
    shares = torch.where(below == 0, 0.0, second / torch.where(below == 0, 1.0, below))
    return (shares * first.clamp_min(0)).sum((2, 3), keepdim=True)


def score_cam(aim: Aim, picture: Tensor, layer: str) -> Method:
    """Weights are the softmax over channels of the score of the picture seen through each map.

    Through a map scaled to [0, 1]; where it is 0 the picture has the network's mean color, which the network
    sees as 0. The paper subtracts the score of a baseline, which changes no softmax. Maps that are the
    same everywhere show nothing, and count for nothing.
    """
    with torch.no_grad():
        maps = _maps(aim, picture, layer)
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    flat = (high == low)[0, :, 0, 0]
    scaled = (maps - low) / torch.where(high == low, 1.0, high - low)
    mean = aim.network.mean
    channels = maps.shape[1]

    def part(chosen: range) -> dict[str, Tensor]:
        some = slice(chosen.start, chosen.stop)
        seen = _over(aim, layer, scaled[0, some, None], picture)
        with torch.no_grad():
            scores = aim.values(mean + seen * (picture - mean))
        return {"scores": F.pad(scores, (chosen.start, channels - chosen.stop))}

    def finish(sums: Mapping[str, Tensor]) -> Explanation:
        scores = sums["scores"].masked_fill(flat, -torch.inf)
        # All of them may be flat: then there is no map.
        weights = scores.softmax(0).nan_to_num(0.0).view(1, -1, 1, 1)
        return _explanation(aim, layer, (weights * maps).sum(1, keepdim=True), picture)

    return Method(channels, part, finish)


def _maps(aim: Aim, pictures: Tensor, layer: str) -> Tensor:
    """The maps of a layer, without their history."""
    with torch.no_grad():
        return aim.network.features(pictures, (layer,))[layer]


def _gradients(aim: Aim, layer: str, maps: Tensor) -> Tensor:
    """The gradient of the aim by the maps, from where on alone the network runs a second time."""
    here = maps.detach().requires_grad_()
    (found,) = torch.autograd.grad(aim.values_from(layer, here).sum(), here)
    return found


def _over(aim: Aim, layer: str, maps: Tensor, picture: Tensor) -> Tensor:
    """Maps (N, C, h, w) of a layer at the size of the picture."""
    window = aim.network.window(layer)
    if window is None:
        raise ValueError(f"{layer} has no maps")
    return place(maps, window, picture.shape[2], picture.shape[3])


def _explanation(aim: Aim, layer: str, weighed: Tensor, picture: Tensor) -> Explanation:
    """The positive part of a map (1, 1, h, w) over the picture."""
    positive = weighed.detach().float().cpu().clamp_min(0)
    return Explanation(_over(aim, layer, positive, picture)[0, 0], _LABEL)
