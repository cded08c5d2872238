"""Elements on a jittered lattice: Voronoi cells, and scattered marks that overlap their neighbours."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from models.procedural.hashing import cell_hash, scramble, unit, unit_pair


@dataclass
class Cells:
    """A Voronoi tessellation of the plane with one point per unit square; all fields (n, h, w).

    ``near``: distance to the nearest point; ``edge``: distance to the border with the next cell (first
    order); ``dx``, ``dy``: offset from the nearest point; ``a``, ``b``: numbers in [0, 1) of the cell's own.
    """

    near: Tensor
    edge: Tensor
    dx: Tensor
    dy: Tensor
    a: Tensor
    b: Tensor


def voronoi(x: Tensor, y: Tensor, key: Tensor, jitter: Tensor | float = 0.8) -> Cells:
    """Voronoi cells (Worley 1996) over coordinates (n, h, w); ``key`` (n,); jitter 0 is a square grid."""
    column, row = torch.floor(x), torch.floor(y)
    u, v = x - column - 0.5, y - row - 0.5
    column_id, row_id = column.long(), row.long()
    first = torch.full_like(x, 1e3)
    second = torch.full_like(x, 1e3)
    zero = torch.zeros_like(x)
    dx, dy, ox, oy = zero, zero, zero, zero
    winner = torch.zeros_like(column_id)
    for j in (-1, 0, 1):
        row_hash = scramble((row_id + j + key[:, None, None]) & 0xFFFFFFFF)
        for i in (-1, 0, 1):
            hashed = scramble((((column_id + i) * 0x1B873593) & 0xFFFFFFFF) ^ row_hash)
            a, b = unit_pair(hashed)
            px, py = u - i - (a - 0.5) * jitter, v - j - (b - 0.5) * jitter
            distance = px * px + py * py
            closer = distance < first
            next_best = ~closer & (distance < second)
            ox = torch.where(closer, dx, torch.where(next_best, px, ox))
            oy = torch.where(closer, dy, torch.where(next_best, py, oy))
            second = torch.where(closer, first, torch.where(next_best, distance, second))
            dx, dy = torch.where(closer, px, dx), torch.where(closer, py, dy)
            winner = torch.where(closer, hashed, winner)
            first = torch.minimum(first, distance)
    apart = torch.sqrt((dx - ox) ** 2 + (dy - oy) ** 2 + 1e-9)
    a, b = unit_pair(scramble(winner ^ 0x5BD1E995))
    return Cells(torch.sqrt(first + 1e-9), (second - first) / (2 * apart), dx, dy, a, b)


@dataclass
class Mark:
    """One element as seen from every pixel: offset from its centre in lattice units, and its own numbers."""

    dx: Tensor
    dy: Tensor
    a: Tensor
    b: Tensor
    c: Tensor
    d: Tensor


def marks(
    x: Tensor, y: Tensor, key: Tensor, jitter: Tensor | float = 0.7, brick: float = 0.0
) -> Iterator[Mark]:
    """The nine marks around each pixel, to be painted over one another, in an order all pixels share.

    ``brick`` shifts every second row by that part of a cell. A mark may reach one cell from its centre, less
    half the jitter.
    """
    row = torch.floor(y)
    row_id = row.long()
    v = y - row - 0.5
    for j in (-1, 0, 1):
        shift = torch.remainder(row + j, 2) * brick
        column = torch.floor(x - shift)
        u = x - shift - column - 0.5
        column_id = column.long()
        for i in (-1, 0, 1):
            hashed = cell_hash(column_id + i, row_id + j, key[:, None, None])
            a, b = unit_pair(hashed)
            c, d = unit_pair(scramble(hashed ^ 0x2545F491))
            yield Mark(u - i - (a - 0.5) * jitter, v - j - (b - 0.5) * jitter, a, b, c, d)


def cell(x: Tensor, y: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Two numbers in [0, 1) for the cell with the whole coordinates x and y (already rounded)."""
    return unit_pair(scramble(cell_hash(x.long(), y.long(), key[:, None, None])))


def line_value(x: Tensor, key: Tensor) -> Tensor:
    """A number in [0, 1) per whole x (already rounded)."""
    whole = x.long()
    return unit(cell_hash(whole, torch.zeros_like(whole), key[:, None, None]))
