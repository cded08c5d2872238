"""Random numbers without a state: integer hashes of seeds, counters and lattice cells.

Every number is a function of integers alone, so a picture has the same pixels alone and in a batch, on the
CPU and on a GPU. All tensors here are int64 that hold 32-bit values.
"""

import torch
from torch import Tensor

_BITS = 0xFFFFFFFF


def scramble(value: Tensor) -> Tensor:
    """Hash non-negative integers below 2**32 to integers below 2**32, every bit depending on every bit.

    The multiply-xorshift form of Wellons' ``lowbias32`` (Hash Prospector, 2018), with constants below 2**31
    so that no product overflows int64.
    """
    value = ((value ^ (value >> 16)) * 0x7FEB352D) & _BITS
    value = ((value ^ (value >> 15)) * 0x46D0C68B) & _BITS
    return value ^ (value >> 16)


def fold(seeds: Tensor, salt: int) -> Tensor:
    """Mix int64 seeds of any size or sign with a salt; integers below 2**32, same shape."""
    return scramble(((seeds & _BITS) + scramble(((seeds >> 32) + salt * 0x3C6EF35F) & _BITS)) & _BITS)


def series(seeds: Tensor, salt: int, count: int) -> Tensor:
    """``count`` hashes per seed below 2**32 (:func:`fold` others), (n, count), all in a few operations."""
    first = scramble((seeds + salt * 0x3C6EF35F) & _BITS)
    steps = torch.arange(count, device=seeds.device) * 0x2545F491
    return scramble((first[:, None] + steps) & _BITS)


def cell_hash(column: Tensor, row: Tensor, key: Tensor) -> Tensor:
    """Hash lattice cells, negative ones too, under a key; shapes broadcast."""
    return scramble(((column * 0x1B873593) & _BITS) ^ scramble((row + key) & _BITS))


def unit(hashed: Tensor) -> Tensor:
    """float32 in [0, 1) from the upper 24 bits of a hash."""
    return (hashed >> 8).to(torch.float32) * 2.0**-24


def unit_pair(hashed: Tensor) -> tuple[Tensor, Tensor]:
    """Two float32 in [0, 1), 16 bits each, from one hash."""
    scale = 2.0**-16
    return (hashed >> 16).to(torch.float32) * scale, (hashed & 0xFFFF).to(torch.float32) * scale
