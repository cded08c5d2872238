"""The pictures of a set as tensors: decoded once, cut to squares, and kept as bytes."""

import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from app.errors import ComputationError, InputError
from app.kinds.fields import CROP_SHARE
from worker.contract.inputs import Member
from worker.understanding.sets import Damage, read_ahead, still
from worker.understanding.views import as_input

# Bytes of the pictures of a set that are kept in memory; more are kept in a file that is mapped into it.
IN_MEMORY = 1 << 30
# Bytes that are kept on a device of its own.
ON_DEVICE = 4 << 30

# Pictures decoded between two looks for a cancel.
CHUNK = 32


class Pictures:
    """Pictures of a set by their places, squares of one size."""

    def __init__(self, squares: Tensor, device: torch.device, rows: Tensor | None = None) -> None:
        """``squares`` (N, 3, side, side) uint8, of which ``rows`` (n,) are those there are; None: all."""
        kept = device.type != "cpu" and squares.nbytes <= ON_DEVICE
        self._squares = squares.to(device) if kept else squares
        self._device = device
        self._rows = torch.arange(len(squares)) if rows is None else rows

    def only(self, rows: Tensor) -> "Pictures":
        """Some of the pictures (n,), which then have the places 0 to n - 1."""
        return Pictures(self._squares, self._device, self._rows[rows])

    def take(self, places: Tensor) -> Tensor:
        """The pictures of some places (n,), as (n, 3, side, side) uint8 on the device."""
        return self._squares[self._rows[places].to(self._squares.device)].to(self._device)


def decoding_steps(count: int) -> int:
    """Chunks that so many pictures are decoded in."""
    return -(-count // CHUNK)


def decoded_side(size: int) -> int:
    """Side in pixels of the squares of which networks are shown ``size``: a little more, as elsewhere."""
    return round(size / CROP_SHARE)


def decode(
    members: Sequence[Member], side: int, damage: Damage, device: torch.device
) -> Generator[int, None, Pictures]:
    """Decode the pictures of members, whose center squares are scaled to ``side`` pixels.

    Yields how many chunks are done after each. Those that cannot be decoded are noted in ``damage``. Raises
    ComputationError if a large set finds no space for its file.
    """
    squares = _room((len(members), 3, side, side))
    chunks = read_ahead(members, lambda member: _square(member, side), CHUNK)
    with closing(chunks):
        for first, found in chunks:
            for place, each in enumerate(found, start=first):
                if isinstance(each, InputError):
                    damage.add(place, each)
                else:
                    squares[place] = each
            yield decoding_steps(first + len(found))
    return Pictures(squares, device)


def center(pictures: Tensor, size: int) -> Tensor:
    """The middle of pictures (n, 3, S, S) uint8, as (n, 3, size, size) floats in [0, 1]."""
    return middle(pictures, size).float() / 255


def middle(pictures: Tensor, size: int) -> Tensor:
    """The middle of pictures (n, 3, S, S), (n, 3, size, size)."""
    edge = (pictures.shape[-1] - size) // 2
    return pictures[..., edge : edge + size, edge : edge + size]


def statistics(pictures: Pictures, places: Tensor, size: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of RGB over pictures of some places (n,), with 4 decimals; three each."""
    total, squared = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for chunk in torch.split(places, CHUNK):
        shown = center(pictures.take(chunk), size).cpu().double()
        total += shown.mean((2, 3)).sum(0)
        squared += shown.square().mean((2, 3)).sum(0)
    mean = total / len(places)
    # Of pictures in one color the deviation is 0.
    deviation = (squared / len(places) - mean.square()).clamp_min(0).sqrt().clamp_min(0.01)
    return tuple(round(x, 4) for x in mean.tolist()), tuple(round(x, 4) for x in deviation.tolist())


def _square(member: Member, side: int) -> Tensor:
    square = as_input(still(member), side, 1.0)[0]
    return (square * 255).round().clamp(0, 255).byte()


def _room(shape: tuple[int, ...]) -> Tensor:
    """Zeros of a shape, uint8: in memory, or in a file without a name, which goes with them."""
    size = int(np.prod(shape))
    if size <= IN_MEMORY:
        return torch.zeros(shape, dtype=torch.uint8)
    try:
        # The mapping has a descriptor of its own.
        with tempfile.TemporaryFile() as file:
            # A write to a mapped file that finds no space would end the process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            return torch.from_numpy(np.memmap(file, dtype=np.uint8, mode="r+", shape=shape))
    except OSError as error:
        raise ComputationError(
            f"The decoded pictures take {size / 1e9:.1f} GB in {tempfile.gettempdir()}, which has less space "
            f"({error.strerror}): choose a smaller size, or set TMPDIR to a folder with more."
        ) from error
