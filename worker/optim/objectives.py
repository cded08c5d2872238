"""Objectives: functions of a network's features, to be maximized by pictures.

An objective names the layers that it needs, and gives one value for each picture of a batch. The value of a
picture depends on that picture alone (except in :func:`diversity`), so that a batch with an objective for
each picture (:func:`one_each`) gives the same as single runs. Values are float32 or better, whatever the
dtype of the features, and means over positions: they do not depend on the size of the picture.

Olah, Mordvintsev, Schubert, "Feature visualization", Distill 2017, names most of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Features = Mapping[str, Tensor]
"""Activations by layer: (N, C, h, w), or (N, C) from the first fully connected layer on."""

# Cosines below this are clamped to it, so that their gradient is 0.
LEAST_COSINE = 0.1


@dataclass(frozen=True)
class Objective:
    """``value`` gives one number for each picture, (N,), from the features of ``layers``."""

    layers: tuple[str, ...]
    value: Callable[[Features], Tensor]


def channel(layer: str, index: int) -> Objective:
    """The mean of a channel over its positions.

    Use a convolution rather than the ReLU after it, which has no gradient where it is 0.
    """
    return Objective((layer,), lambda features: _channels(features, layer)[:, index].mean(-1))


def neuron(layer: str, index: int, place: tuple[float, float] = (0.5, 0.5)) -> Objective:
    """A channel at one position: ``place`` is (y, x), each from 0 to 1; by default the middle."""
    if not all(0 <= share <= 1 for share in place):
        raise ValueError(f"place must be two numbers from 0 to 1, not {place}")

    def value(features: Features) -> Tensor:
        activations = precise(features[layer])
        for share in place[: activations.dim() - 2]:
            # Each share takes away the third dimension: first the rows, then the columns.
            side = activations.shape[2]
            activations = activations.select(2, min(int(share * side), side - 1))
        return activations[:, index]

    return Objective((layer,), value)


def layer_energy(layer: str) -> Objective:
    """The mean square of all activations of a layer (Mordvintsev, Olah, Tyka, "Inceptionism", 2015)."""
    return Objective((layer,), lambda features: _channels(features, layer).square().flatten(1).mean(1))


def direction(layer: str, vector: Tensor, power: float = 0.0) -> Objective:
    """The mean over positions of the features' component along ``vector`` (C,), of any length but 0.

    Each position counts times its cosine to the ``power``, so that what lies along the vector is preferred
    to what is loud (lucid's directions).
    """
    unit = F.normalize(precise(vector), dim=0)[:, None]

    def value(features: Features) -> Tensor:
        found = _channels(features, layer)
        cosine = F.cosine_similarity(found, unit.to(found), dim=1).clamp_min(LEAST_COSINE)
        return ((found * unit.to(found)).sum(1) * cosine**power).mean(1)

    return Objective((layer,), value)


def feature_match(layer: str, target: Tensor) -> Objective:
    """Minus the squared distance to ``target`` (1, C, h, w), relative to the target's own energy.

    0 where the features are equal, -1 where they are all 0 (Mahendran and Vedaldi, "Understanding deep image
    representations by inverting them", CVPR 2015, equation 4).
    """
    wanted = precise(target)
    energy = wanted.square().sum().clamp_min(torch.finfo(wanted.dtype).tiny)

    def value(features: Features) -> Tensor:
        difference = precise(features[layer]) - wanted
        return -difference.square().flatten(1).sum(1) / energy

    return Objective((layer,), value)


def caricature(layer: str, target: Tensor, power: float = 1.0) -> Objective:
    """How much of the features lies along ``target`` (1, C, h, w), the more the better they are aligned.

    The dot product, per position and relative to the target's root mean square, times the cosine to the
    ``power``: what is exaggerated is what the picture has, not whatever is loud (lucid's caricatures).
    """
    wanted = precise(target).flatten(1)
    size = wanted.square().mean().sqrt().clamp_min(torch.finfo(wanted.dtype).tiny)

    def value(features: Features) -> Tensor:
        found = precise(features[layer]).flatten(1)
        cosine = F.cosine_similarity(found, wanted, dim=1).clamp_min(LEAST_COSINE)
        return (found * wanted).mean(1) / size * cosine**power

    return Objective((layer,), value)


def diversity(layer: str, group: int) -> Objective:
    """How unlike the pictures of a group are: minus the mean cosine between their Gram matrices.

    The batch is groups of ``group`` pictures in a row; a picture is compared with the others of its own.
    From -1 (all alike) up (Olah, Mordvintsev, Schubert 2017, section "Diversity").
    """
    if group < 2:
        raise ValueError(f"a group must have at least 2 pictures, not {group}")

    def value(features: Features) -> Tensor:
        found = _channels(features, layer)
        grams = torch.einsum("nap,nbp->nab", found, found).flatten(1)
        units = F.normalize(grams, dim=1).view(-1, group, grams.shape[1])
        cosines: Tensor = units @ units.transpose(1, 2)
        others = cosines.sum(2) - cosines.diagonal(dim1=1, dim2=2)
        return -others.flatten() / (group - 1)

    return Objective((layer,), value)


def weighted_sum(terms: Sequence[tuple[Objective, float]]) -> Objective:
    """The sum of objectives times their weights; a negative weight minimises. At least one term."""
    if not terms:
        raise ValueError("a sum needs at least one objective")
    layers = dict.fromkeys(name for term, _ in terms for name in term.layers)
    return Objective(
        tuple(layers),
        lambda features: torch.stack([weight * term.value(features) for term, weight in terms]).sum(0),
    )


def one_each(objectives: Sequence[Objective]) -> Objective:
    """The first objective for the first picture of a batch, the second for the second, and so on."""
    layers = dict.fromkeys(name for each in objectives for name in each.layers)

    def value(features: Features) -> Tensor:
        values = []
        for place, each in enumerate(objectives):
            own = {name: features[name][place : place + 1] for name in each.layers}
            values.append(each.value(own))
        return torch.cat(values)

    return Objective(tuple(layers), value)


def _channels(features: Features, layer: str) -> Tensor:
    """The features of a layer with positions in a row, (N, C, positions), float32 or better."""
    found = precise(features[layer])
    return found.flatten(2) if found.dim() > 2 else found.unsqueeze(2)


def precise(tensor: Tensor) -> Tensor:
    """A tensor as float32, or as it is if it is more precise."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
