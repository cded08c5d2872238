"""Features of pictures: what layers of a frozen network say of each, computed once.

Donahue et al., "DeCAF: a deep convolutional activation feature for generic visual recognition" (ICML 2014).
"""

import hashlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from safetensors.torch import load, save
from torch import Tensor

from models.network import Network
from worker.contract.steps import Step, StepState
from worker.understanding.codes import code_of
from worker.understanding.finite import require_finite
from worker.understanding.predictions import by_chunks

# Pictures in a step, and in a part of a checkpoint.
BATCH, PART = 32, 256

Show = Callable[[int, int], Tensor]
"""The pictures from one place to before another, (n, 3, side, side) in [0, 1], as a network is shown them."""


@dataclass(frozen=True)
class Features:
    """By layer, the means over positions of N pictures, (N, channels) float32.

    ``mirrored`` are those of the mirror images of the pictures for which ``has_mirror`` (N,) is True.
    ``state`` is what a run goes on from that has them all.
    """

    plain: Mapping[str, Tensor]
    mirrored: Mapping[str, Tensor]
    has_mirror: Tensor
    state: StepState

    def mirrored_of(self, layer: str, places: Tensor) -> Tensor:
        """Those of the mirror images of the pictures at some places (n,)."""
        return self.mirrored[layer][self.has_mirror.cumsum(0)[places] - 1]


def feature_steps(count: int) -> int:
    """Batches that the features of so many pictures are computed in."""
    return -(-count // BATCH)


def collect_features(
    network: Network,
    layers: Sequence[str],
    show: Show,
    mirror: Tensor,
    total: int,
    resume: StepState | None = None,
) -> Generator[Step, None, Features]:
    """The features of N pictures, and of the mirror images of those for which ``mirror`` (N,) is True.

    The network runs once a picture, in its own dtype, for all layers. A step is a batch, of ``total``
    that there are with others. A state has the features of whole parts: a job that was killed computes those
    of PART - 1 pictures at most again, and a state of another run on the same pictures saves them all, if it
    has features of the same layers. Raises ComputationError if they are not finite.
    """
    count = len(mirror)
    name = _name(network, layers, show(0, 1).shape[-1], mirror)
    parts = {each: data for each, data in resume.parts.items() if each.startswith(name)} if resume else {}
    for first in range(len(parts) * PART, count, PART):
        end = min(first + PART, count)
        # A state within a part goes on from its begin.
        kept = partial(StepState, {}, {}, dict(parts))
        found: list[dict[str, Tensor]] = []
        for begin in range(first, end, BATCH):
            stop = min(begin + BATCH, end)
            found.append(_features(network, layers, show(begin, stop), mirror[begin:stop]))
            if stop < end:
                yield Step(feature_steps(stop), total, losses=dict, image=None, state=kept)
        whole = {each: torch.cat([batch[each] for batch in found]) for each in found[0]}
        parts[f"{name}{first:08d}"] = save(whole)
        state = partial(StepState, {}, {}, dict(parts))
        yield Step(feature_steps(end), total, losses=dict, image=None, state=state, milestone=True)
    loaded = [load(parts[each]) for each in sorted(parts)]

    def joined(prefix: str) -> dict[str, Tensor]:
        return {layer: torch.cat([each[prefix + layer] for each in loaded]) for layer in layers}

    return Features(joined("plain."), joined("mirrored."), mirror, StepState({}, {}, parts))


def _name(network: Network, layers: Sequence[str], side: int, mirror: Tensor) -> str:
    """What the names of the parts begin with that have the same features."""
    about = json.dumps([network.sha256, list(layers), side, mirror.tolist()])
    return f"features_{hashlib.sha256(about.encode()).hexdigest()[:16]}_"


def _features(network: Network, layers: Sequence[str], pictures: Tensor, mirror: Tensor) -> dict[str, Tensor]:
    """The features of some pictures (n, 3, side, side), and of mirror images, by name in a part."""
    places = [place for place, each in enumerate(mirror.tolist()) if each]
    mirrored = pictures[torch.tensor(places, dtype=torch.int64, device=pictures.device)].flip(3)
    views = torch.cat([pictures, mirrored])

    def compute(chunk: Tensor) -> dict[str, Tensor]:
        activations = network.features(chunk, layers)
        return {layer: code_of(activations[layer]).float().cpu() for layer in layers}

    made = by_chunks(network, views, compute)
    found = {}
    for layer in layers:
        values = torch.cat([each[layer] for each in made])
        require_finite(network, values)
        found[f"plain.{layer}"] = values[: len(pictures)].clone()
        found[f"mirrored.{layer}"] = values[len(pictures) :].clone()
    return found
