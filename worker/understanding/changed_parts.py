"""Which part of each map changes when a rectangle of the picture does, and what it costs to compute again.

Nakandala, Kumar, Papakonstantinou, "Incremental and approximate inference for faster occlusion-based deep CNN
explanations" (SIGMOD 2019): a change grows by the window of each layer, and rectangles of one size
are computed as a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from models.operations import Operation

Numbers = NDArray[np.int64]
Costs = NDArray[np.float64]

# Multiply-adds in the time that one value takes to be copied, and to be written by a pointwise operation. On
# 2 cores with AVX-512 dense convolutions made 2.5e11 multiply-adds a second, copies 5e9 values.
VALUE = 50.0

# Rectangles in a batch at most. Dense convolutions get no faster beyond 8, and patches of more leave the
# processor's cache.
BATCH = 16


@dataclass(frozen=True)
class Shape:
    """Channels, height and width of a map, without its batch."""

    channels: int
    height: int
    width: int

    @property
    def values(self) -> int:
        """Number of values."""
        return self.channels * self.height * self.width


@dataclass(frozen=True)
class Intervals:
    """Where changes begin and end along one axis, (operations, changes); all lie within the maps."""

    begins: Numbers
    ends: Numbers


@dataclass(frozen=True)
class Batch:
    """Changes that are computed together.

    ``members`` are their places. Until ``whole_from``, an operation's place, patches of ``heights`` and
    ``widths`` (operations,) are computed, which begin at ``tops`` and ``lefts`` (operations, members); from
    there on whole maps are.
    """

    members: Numbers
    whole_from: int
    tops: Numbers
    lefts: Numbers
    heights: Numbers
    widths: Numbers
    cost: float


def intervals(
    operations: Sequence[Operation], lengths: Sequence[int], begins: Sequence[int], ends: Sequence[int]
) -> Intervals:
    """What changes along one axis of each map, of ``lengths``, if the picture does from begin to end.

    ``operations`` are those before the first that may see all of its input. A map that does not change at
    all, as behind a stride that skips the pixels, has an interval of one position.
    """
    made_begins, made_ends = [np.array(begins)], [np.array(ends)]
    for operation, length in zip(operations[1:], lengths[1:], strict=False):
        parts = [(made_begins[place], made_ends[place]) for place in operation.inputs]
        begin = np.minimum.reduce([each for each, _ in parts])
        end = np.maximum.reduce([each for _, each in parts])
        window = operation.window
        if operation.kind == "window" and window is not None:
            # Position i sees i * stride - padding and `size` of them.
            begin = -((window.size - 1 - window.padding - begin) // window.stride)
            end = (end - 1 + window.padding) // window.stride + 1
        begin = begin.clip(0, length - 1)
        made_begins.append(begin)
        made_ends.append(np.maximum(end.clip(0, length), begin + 1))
    return Intervals(np.stack(made_begins), np.stack(made_ends))


class CostModel:
    """Predicted cost of operations, in multiply-adds, by the size of what is computed."""

    def __init__(self, operations: Sequence[Operation], shapes: Sequence[Shape]) -> None:
        """``shapes`` are those of the whole maps of the operations that may be computed in part."""
        local = len(shapes)
        self.heights = np.array([shape.height for shape in shapes])
        self.widths = np.array([shape.width for shape in shapes])
        # Of one position of the output, and of one value of the input that is gathered first.
        self._position = np.zeros(local)
        self._gathered = np.zeros(local)
        self._size = np.ones(local, dtype=np.int64)
        self._stride = np.ones(local, dtype=np.int64)
        weights = 0
        for place, operation in enumerate(operations[:local]):
            channels = shapes[place].channels
            self._position[place] = VALUE * channels
            module, window = operation.module, operation.window
            if window is not None:
                self._size[place], self._stride[place] = window.size, window.stride
                self._gathered[place] = 2 * VALUE * shapes[operation.inputs[0]].channels
                if isinstance(module, nn.Conv2d):
                    self._position[place] += module.weight.numel()
                    weights += module.weight.numel()
                else:
                    self._position[place] += VALUE * channels
            elif len(operation.inputs) > 1:
                self._gathered[place] = 2 * VALUE * channels
        # Where whole maps may begin: not in between a convolution and its ReLU.
        self._switch = np.array([operation.kind != "position" for operation in operations[:local]] + [True])
        self._switch[0] = False
        # Weights are read once a batch, and each operation is called.
        self._batch = VALUE * weights + 2e6 * local
        whole = self._position * self.heights * self.widths
        self._whole_after = np.concatenate([np.cumsum(whole[::-1])[::-1], [0.0]])
        self._paste = np.array([0.0] + [VALUE * shape.values for shape in shapes])

    def of(self, heights: Numbers, widths: Numbers, counts: Numbers) -> tuple[Costs, Numbers]:
        """The costs of batches of so many changes, (batches,), and the operation that whole maps begin at.

        ``heights`` and ``widths`` are those of patches, (batches, operations).
        """
        gathered = ((heights - 1) * self._stride + self._size) * ((widths - 1) * self._stride + self._size)
        parts = self._position * heights * widths + self._gathered * gathered
        before = np.concatenate([np.zeros((len(parts), 1)), np.cumsum(parts, 1)], 1)
        totals = before + self._whole_after + self._paste
        totals[:, ~self._switch] = np.inf
        best = totals.argmin(1)
        return self._batch + counts * totals[np.arange(len(totals)), best], best


def make_batches(
    vertical: Intervals, horizontal: Intervals, model: CostModel, most: int = BATCH
) -> list[Batch]:
    """Changes in batches, all together as cheap as batches of neighbors in order of size can be.

    A batch's patches have the size of its largest. Those near an edge are smaller, so equals come together.
    """
    heights, widths = vertical.ends - vertical.begins, horizontal.ends - horizontal.begins
    count = heights.shape[1]
    relative_height = (heights / model.heights[:, None]).sum(0).round(6)
    relative_width = (widths / model.widths[:, None]).sum(0).round(6)
    order = np.lexsort((np.arange(count), relative_width, relative_height))
    tall, wide = heights[:, order].T, widths[:, order].T
    # The cheapest way to deal with the first so many, and where its last batch begins.
    least = np.full(count + 1, np.inf)
    least[0] = 0.0
    start = np.zeros(count + 1, dtype=np.int64)
    for first in range(count):
        last = min(count, first + most)
        costs, _ = model.of(
            np.maximum.accumulate(tall[first:last]),
            np.maximum.accumulate(wide[first:last]),
            np.arange(1, last - first + 1),
        )
        costs = costs + least[first]
        better = costs < least[first + 1 : last + 1]
        least[first + 1 : last + 1][better] = costs[better]
        start[first + 1 : last + 1][better] = first
    made, end = [], count
    while end:
        made.append(_batch(order[start[end] : end], vertical, horizontal, model))
        end = int(start[end])
    return made[::-1]


def _batch(members: Numbers, vertical: Intervals, horizontal: Intervals, model: CostModel) -> Batch:
    tops, lefts = vertical.begins[:, members], horizontal.begins[:, members]
    heights = (vertical.ends[:, members] - tops).max(1)
    widths = (horizontal.ends[:, members] - lefts).max(1)
    cost, whole_from = model.of(heights[None], widths[None], np.array([len(members)]))
    # Patches of the batch's size that would extend beyond a map begin earlier.
    tops = np.minimum(tops, (model.heights - heights)[:, None])
    lefts = np.minimum(lefts, (model.widths - widths)[:, None])
    return Batch(members, int(whole_from[0]), tops, lefts, heights, widths, float(cost[0]))
