"""Random numbers that depend on the seed and the step alone."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def generator_at(seed: int, *place: int) -> torch.Generator:
    """A generator on the CPU for a seed and indices, such as a step and a view within it.

    A resumed run draws the same numbers as an uninterrupted one, and no picture of a batch depends on the
    others: there is no generator state to save, and none is shared.
    """
    digest = hashlib.blake2b(repr((seed, *place)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def normal(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers (N, *shape) on the CPU, each row from its own seed."""
    return torch.stack([torch.randn(shape, generator=generator_at(seed)) for seed in seeds])
