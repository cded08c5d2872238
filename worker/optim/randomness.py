"""Random numbers by place: the same at a seed and a step, however a run got there."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def generator_at(seed: int, *place: int) -> torch.Generator:
    """A generator on the CPU for a seed and a place (a step, say, and a view within it).

    A run that is resumed draws what the uninterrupted one would have drawn, and no picture of a batch
    depends on its neighbours: there is no state to be carried along, and none that others share.
    """
    digest = hashlib.blake2b(repr((seed, *place)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def normal(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers (N, *shape) on the CPU, each row from its own seed."""
    return torch.stack([torch.randn(shape, generator=generator_at(seed)) for seed in seeds])
