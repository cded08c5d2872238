"""Features of pictures: what layers of a frozen network say of each, computed once.

Donahue et al., "DeCAF: a deep convolutional activation feature for generic visual recognition" (ICML 2014).
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from safetensors.torch import load, save
from torch import Tensor

from models.network import Network
from worker.contract.steps import Step, StepState
from worker.understanding.codes import code_of
from worker.understanding.predictions import by_chunks

# Pictures in a step, and in a part of a checkpoint.
BATCH, PART = 32, 256

_PART = "features_"

View = Callable[[Tensor], Tensor]
"""Places (n,) in a set to its pictures as a network is shown them, (n, 3, side, side) in [0, 1]."""


@dataclass(frozen=True)
class Features:
    """By layer, the means over positions of the pictures of ``places`` (N,), (N, channels) float32.

    ``mirrored`` are those of the mirror images of ``mirrored_places``. ``state`` is what a run goes on from
    that has them all.
    """

    places: Tensor
    plain: Mapping[str, Tensor]
    mirrored_places: Tensor
    mirrored: Mapping[str, Tensor]
    state: StepState

    def of(self, layer: str, places: Tensor) -> Tensor:
        """The features of pictures at some places (n,), in this order, (n, channels)."""
        return self.plain[layer][_rows(self.places, places)]

    def mirrored_of(self, layer: str, places: Tensor) -> Tensor:
        """Those of the mirror images of pictures at some places."""
        return self.mirrored[layer][_rows(self.mirrored_places, places)]


def collect_features(
    network: Network,
    layers: Sequence[str],
    view: View,
    places: Tensor,
    mirrored: Tensor,
    total: int,
    resume: StepState | None = None,
) -> Generator[Step, None, Features]:
    """The features of the pictures of ``places`` (N,), and of mirror images where ``mirrored`` (N,) is True.

    The network runs once a picture, in its own dtype, for all layers. A step is a batch, ``done`` are
    pictures, of ``total``. A state has the features of whole parts, so that a job that was killed computes
    those of PART - 1 pictures at most again.
    """
    parts = {name: data for name, data in resume.parts.items() if name.startswith(_PART)} if resume else {}
    for first in range(len(parts) * PART, len(places), PART):
        end = min(first + PART, len(places))
        # A state within a part goes on from its begin.
        kept = partial(StepState, {}, {}, dict(parts))
        found: list[dict[str, Tensor]] = []
        for begin in range(first, end, BATCH):
            stop = min(begin + BATCH, end)
            found.append(_features(network, layers, view(places[begin:stop]), mirrored[begin:stop]))
            if stop < end:
                yield Step(stop, total, losses=dict, image=None, state=kept)
        whole = {name: torch.cat([each[name] for each in found]) for name in found[0]}
        parts[f"{_PART}{first:06d}"] = save(whole)
        state = partial(StepState, {}, {}, dict(parts))
        yield Step(end, total, losses=dict, image=None, state=state, milestone=True)
    loaded = [load(parts[name]) for name in sorted(parts)]

    def joined(prefix: str) -> dict[str, Tensor]:
        return {layer: torch.cat([each[prefix + layer] for each in loaded]) for layer in layers}

    return Features(places, joined("plain."), places[mirrored], joined("mirrored."), StepState({}, {}, parts))


def _features(
    network: Network, layers: Sequence[str], pictures: Tensor, mirrored: Tensor
) -> dict[str, Tensor]:
    """The features of some pictures (n, 3, side, side), and of mirror images, by name in a part."""
    views = torch.cat([pictures, pictures[mirrored.to(pictures.device)].flip(3)])

    def compute(chunk: Tensor) -> dict[str, Tensor]:
        activations = network.features(chunk, layers)
        return {layer: code_of(activations[layer]).float().cpu() for layer in layers}

    made = by_chunks(network, views, compute)
    found = {}
    for layer in layers:
        values = torch.cat([each[layer] for each in made])
        found[f"plain.{layer}"] = values[: len(pictures)].clone()
        found[f"mirrored.{layer}"] = values[len(pictures) :].clone()
    return found


def _rows(known: Tensor, places: Tensor) -> Tensor:
    """Where each of ``places`` is in ``known``."""
    order = known.argsort()
    return order[torch.searchsorted(known[order], places)]
