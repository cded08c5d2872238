"""Codes of the pictures of a set: what layers say of each, a file of a checkpoint for every few hundred."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from safetensors.torch import load, save
from torch import Tensor

from app.errors import InputError
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Member
from worker.contract.steps import Step, StepState
from worker.optim.objectives import precise
from worker.optim.pyramids.scales import resize
from worker.understanding.finite import require_finite
from worker.understanding.sets import Damage, batches

# Pictures in a part of a checkpoint.
CHUNK = 256

_PLACES, _THUMBNAILS = "places", "thumbnails"


@dataclass(frozen=True)
class Codes:
    """Of N pictures their places in the set, codes by layer (N, C) and thumbnails (N, 3, t, t) uint8.

    ``state`` is what a run goes on from that has them all.
    """

    places: Tensor
    layers: dict[str, Tensor]
    thumbnails: Tensor
    damage: Damage
    state: StepState

    def __len__(self) -> int:
        return len(self.places)


def code_of(activations: Tensor) -> Tensor:
    """The code of each picture, (N, C): units as they are, maps by their means."""
    values = precise(activations)
    return values.flatten(2).mean(2) if values.dim() > 2 else values


def collect(
    members: Sequence[Member],
    network: Network,
    layers: Sequence[str],
    side: int,
    thumbnail: int,
    compute: Compute,
    total: int,
    resume: StepState | None,
) -> Generator[Step, None, Codes]:
    """The codes of all members that can be decoded; a step is a batch, of ``total`` steps.

    Raises ComputationError if they are not finite.
    """
    parts = dict(resume.parts) if resume is not None else {}
    done = int(resume.values["done"]) if resume is not None else 0
    damage = Damage(members, resume)
    for first in range(done, len(members), CHUNK):
        chunk = members[first : first + CHUNK]
        # A state within a chunk goes on from its begin.
        kept = partial(StepState, {}, {"done": first, **damage.values()}, dict(parts))
        found: list[dict[str, Tensor]] = []
        note = partial(_note, damage, first)
        for places, pictures in batches(chunk, side, on_damaged=note):
            with torch.no_grad():
                features = network.features(pictures.to(compute.device), layers)
            made = {layer: code_of(each).cpu().float() for layer, each in features.items()}
            for each in made.values():
                require_finite(network, each)
            levels = resize(pictures, thumbnail, thumbnail).mul(255).round().byte()
            found.append({_PLACES: torch.tensor(places) + first, _THUMBNAILS: levels, **made})
            if first + places.stop < min(first + CHUNK, len(members)):
                yield Step(first + places.stop, total, losses=dict, image=None, state=kept)
        if found:
            names = found[0]
            merged = {name: torch.cat([each[name] for each in found]) for name in names}
            parts[f"codes_{first:06d}"] = save(merged)
        stop = first + len(chunk)
        state = partial(StepState, {}, {"done": stop, **damage.values()}, dict(parts))
        yield Step(stop, total, losses=dict, image=None, state=state, milestone=True)
    whole = StepState({}, {"done": len(members), **damage.values()}, dict(parts))
    loaded = [load(parts[name]) for name in sorted(parts)]
    if not loaded:
        empty = torch.zeros(0, dtype=torch.int64)
        return Codes(empty, {layer: torch.zeros(0, 1) for layer in layers}, empty, damage, whole)
    everything = {name: torch.cat([each[name] for each in loaded]) for name in loaded[0]}
    by_layer = {layer: everything[layer] for layer in layers}
    return Codes(everything[_PLACES], by_layer, everything[_THUMBNAILS], damage, whole)


def _note(damage: Damage, first: int, place: int, error: InputError) -> None:
    damage.add(first + place, error)


def nearest(codes: Tensor, queries: Tensor, count: int, *, leave_out_self: bool) -> tuple[Tensor, Tensor]:
    """The most similar codes (N, C) to each query (M, C): cosines and indices, (M, count), the largest first.

    ``leave_out_self``: the queries are the codes, and none is its own neighbour. A code of zeros is similar
    to none. Of equals the first comes first.
    """
    unit = torch.nn.functional.normalize(codes.double(), dim=1)
    count = min(count, len(codes) - leave_out_self)
    similar, indices = [], []
    for first in range(0, len(queries), 512):
        block = torch.nn.functional.normalize(queries[first : first + 512].double(), dim=1) @ unit.T
        if leave_out_self:
            rows = torch.arange(len(block))
            block[rows, first + rows] = -torch.inf
        order = block.argsort(dim=1, descending=True, stable=True)[:, :count]
        similar.append(block.gather(1, order))
        indices.append(order)
    return torch.cat(similar), torch.cat(indices)
