"""Features of pictures: what layers of a frozen network say of each, computed once.

Donahue et al., "DeCAF: a deep convolutional activation feature for generic visual recognition" (ICML 2014).
"""

from collections.abc import Callable, Generator, Sequence
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

Show = Callable[[int, int], Tensor]
"""The pictures from one place to before another, (n, 3, side, side) in [0, 1], as a network is shown them."""


@dataclass(frozen=True)
class Features:
    """By layer, the means over positions of N pictures, (N, channels) float32 on the CPU.

    ``mirrored`` are those of the mirror images of some pictures, in order. ``state`` is what a run goes on
    from that has them all.
    """

    plain: dict[str, Tensor]
    mirrored: dict[str, Tensor]
    state: StepState


def collect_features(
    network: Network,
    layers: Sequence[str],
    show: Show,
    mirror: Sequence[bool],
    total: int,
    resume: StepState | None = None,
) -> Generator[Step, None, Features]:
    """The features of pictures, and of the mirror image of each for which ``mirror`` has True.

    The network runs once a picture, in its own dtype, for all layers. A step is a batch, ``done`` are
    pictures, of ``total``. A state has the features of whole parts, so that a job that was killed computes
    those of PART - 1 pictures at most again.
    """
    parts = {name: data for name, data in resume.parts.items() if name.startswith(_PART)} if resume else {}
    for first in range(len(parts) * PART, len(mirror), PART):
        end = min(first + PART, len(mirror))
        # A state within a part goes on from its begin.
        kept = partial(StepState, {}, {}, dict(parts))
        found: list[dict[str, Tensor]] = []
        for begin in range(first, end, BATCH):
            stop = min(begin + BATCH, end)
            found.append(_features(network, layers, show(begin, stop), mirror[begin:stop]))
            if stop < end:
                yield Step(stop, total, losses=dict, image=None, state=kept)
        whole = {name: torch.cat([each[name] for each in found]) for name in found[0]}
        parts[f"{_PART}{first:06d}"] = save(whole)
        state = partial(StepState, {}, {}, dict(parts))
        yield Step(end, total, losses=dict, image=None, state=state, milestone=True)
    loaded = [load(parts[name]) for name in sorted(parts)]

    def joined(prefix: str) -> dict[str, Tensor]:
        return {layer: torch.cat([each[prefix + layer] for each in loaded]) for layer in layers}

    return Features(joined("plain."), joined("mirrored."), StepState({}, {}, parts))


def _features(
    network: Network, layers: Sequence[str], pictures: Tensor, mirror: Sequence[bool]
) -> dict[str, Tensor]:
    """The features of some pictures (n, 3, side, side), and of mirror images, by name in a part."""
    views = torch.cat([pictures, pictures[torch.tensor(mirror)].flip(3)])

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
