"""Measures of a network's features that need no other network and no data set."""

import time

import torch
import torch.nn.functional as F
from torch import Tensor

from models.network import Network
from models.procedural import draw
from models.procedural.catalogue import DRAWINGS
from worker.losses.gram import gram_matrix
from worker.optim.color import luma
from worker.training.evaluation import NEW_SEEDS

# Side of a texture in pixels; its two crops are the left and the right half.
TEXTURE_SIZE = 256


def texture_retrieval(network: Network, layer: str, per_class: int) -> float:
    """The fraction of textures whose other half is the nearest of all halves, by Gram matrix at a layer.

    With good features, patches of one texture are similar (Ustyuzhaninov et al., "What does it take to
    generate natural textures?", ICLR 2017). The textures are drawn by variants not used in training, in grey
    with the same mean and contrast, so that colour does not identify them.
    """
    numbers = [number for number, drawing in enumerate(DRAWINGS) if drawing.kind == "texture"]
    classes = torch.tensor(numbers).repeat_interleave(per_class)
    seeds = NEW_SEEDS + torch.arange(per_class).repeat(len(numbers))
    grams: dict[str, list[Tensor]] = {"left": [], "right": []}
    for place in range(len(classes)):
        texture = _grey(draw(classes[place, None], seeds[place, None], TEXTURE_SIZE, "held-out"))
        for side, half in zip(grams, torch.split(texture, TEXTURE_SIZE // 2, dim=3), strict=True):
            features = network.features(half, (layer,))[layer]
            grams[side].append(F.normalize(gram_matrix(features).flatten(), dim=0))
    similar = torch.stack(grams["left"]) @ torch.stack(grams["right"]).T
    right = similar.argmax(dim=1) == torch.arange(len(classes))
    return float(right.float().mean())


def _grey(pictures: Tensor) -> Tensor:
    light = luma(pictures)
    deviation, mean = torch.std_mean(light, dim=(1, 2, 3), keepdim=True)
    even = 0.5 + 0.2 * (light - mean) / deviation.clamp_min(1e-3)
    return even.clamp(0, 1).expand(-1, 3, -1, -1)


def peak_signal_to_noise(picture: Tensor, reference: Tensor) -> float:
    """PSNR in dB of two pictures in [0, 1] of one shape."""
    return float(-10 * (picture - reference).square().mean().log10())


def step_seconds(network: Network, layers: list[str], side: int, repeats: int) -> float:
    """Seconds of a forward and backward pass to the pixels of a square picture; the fastest of some."""
    picture = torch.rand(1, 3, side, side, device=network.device, requires_grad=True)
    fastest = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        features = network.features(picture, layers)
        loss = torch.stack([each.float().square().mean() for each in features.values()]).sum()
        torch.autograd.grad(loss, picture)
        fastest = min(fastest, time.perf_counter() - began)
    return fastest
