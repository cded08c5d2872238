"""Scores of a picture with small changes, computed again only where a change can be seen, exactly.

Nakandala, Kumar, Papakonstantinou, "Incremental and approximate inference for faster occlusion-based deep CNN
explanations" (SIGMOD 2019), without its approximations. The activations of the picture as it is are kept. Of
a changed one each operation computes the rectangle that the change reaches, from a patch of its input that
lies in the kept activations. Where the rectangle is most of the map, whole maps are computed; what sees all
positions is computed for many changes at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.network import Network
from models.operations import Operation, operations_of
from worker.understanding.changed_parts import BATCH, Batch, CostModel, Shape, intervals, make_batches

# Multiply-adds after which results are given: about a second of one thread.
WORK = 1e11


@dataclass(frozen=True)
class Rectangle:
    """A part of the picture in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, picture: Tensor) -> Tensor:
        """This part of a picture (..., H, W), a view."""
        return picture[..., self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True)
class Change:
    """What a rectangle of the picture is changed to: ``pixels`` (3, height, width), RGB in [0, 1]."""

    rectangle: Rectangle
    pixels: Tensor


@dataclass(frozen=True)
class _Patches:
    """Parts of maps, (N, C, height, width), and where each begins."""

    values: Tensor
    tops: list[int]
    lefts: list[int]


@dataclass(frozen=True)
class _Padded:
    """A map (C, H, W) with a margin on all sides."""

    values: Tensor
    margin: int

    def crop(self, top: int, left: int, height: int, width: int) -> Tensor:
        """A part of it, which begins at these positions of the map without its margin."""
        top, left = top + self.margin, left + self.margin
        return self.values[:, top : top + height, left : left + width]


class IncrementalInference:
    """The activations of a network for one picture, and its scores if the picture changes."""

    @torch.no_grad()
    def __init__(self, network: Network, picture: Tensor) -> None:
        """``picture`` is (1, 3, H, W), RGB in [0, 1], on the network's device.

        ``logits``, (1, classes), are those of the picture as it is.
        """
        self._network = network
        self._operations = operations_of(network)
        self._local = [operation.kind for operation in self._operations].index("whole")
        self._uses: list[list[int]] = [[] for _ in self._operations]
        for place, operation in enumerate(self._operations):
            for source in operation.inputs:
                self._uses[source].append(place)
        self._last_use = [max(uses, default=len(self._operations)) for uses in self._uses]
        self._kept: dict[int, Tensor] = {}
        self._padded: dict[tuple[int, float], _Padded] = {}
        self._shapes: list[Shape] = []
        self.logits = self._compute_clean(picture)
        self._model = CostModel(self._operations, self._shapes)

    def plan(self, rectangles: Sequence[Rectangle], most: int = BATCH) -> list[list[Batch]]:
        """Changes of these rectangles in batches of ``most`` at most, in groups of about a second's work."""
        operations, shapes = self._operations[: self._local], self._shapes
        vertical = intervals(
            operations,
            [shape.height for shape in shapes],
            [each.top for each in rectangles],
            [each.top + each.height for each in rectangles],
        )
        horizontal = intervals(
            operations,
            [shape.width for shape in shapes],
            [each.left for each in rectangles],
            [each.left + each.width for each in rectangles],
        )
        groups: list[list[Batch]] = []
        work = WORK
        for batch in make_batches(vertical, horizontal, self._model, most):
            if work >= WORK:
                groups.append([])
                work = 0.0
            groups[-1].append(batch)
            work += batch.cost
        return groups

    @torch.no_grad()
    def logits_of(self, group: Sequence[Batch], change: Callable[[int], Change]) -> Tensor:
        """The logits of a group of the plan, (changes, classes), in the order of its batches' members.

        ``change(member)`` is what the rectangle of that place is changed to.
        """
        parts: dict[int, list[Tensor]] = {}
        for batch in group:
            for place, values in self._compute_local(batch, change).items():
                parts.setdefault(place, []).append(values)
        results = {place: torch.cat(values) for place, values in parts.items()}
        for place in range(self._local, len(self._operations)):
            self._compute_whole(place, results)
        return results[len(self._operations) - 1]

    def _compute_clean(self, picture: Tensor) -> Tensor:
        """Compute all of the picture as it is, and keep what patches are pasted onto."""
        results = {0: self._normalized(picture)}
        for place in range(len(self._operations)):
            if place:
                self._compute_whole(place, results, forget=False)
            if place < self._local:
                self._shapes.append(Shape(*results[place].shape[1:]))
                if any(self._operations[use].kind != "position" for use in self._uses[place]):
                    self._kept[place] = results[place]
            self._forget(place, results)
        return results[len(self._operations) - 1]

    def _normalized(self, pictures: Tensor) -> Tensor:
        return ((pictures - self._network.mean) / self._network.std).to(self._network.dtype)

    def _compute_local(self, batch: Batch, change: Callable[[int], Change]) -> dict[int, Tensor]:
        """The whole maps of a batch that operations beyond the local ones read, by place."""
        patches = {0: self._changed_picture(batch, change)}
        for place in range(1, batch.whole_from):
            patches[place] = self._compute_patches(place, batch, patches)
            self._forget(place, patches)
        wholes: dict[int, Tensor] = {}
        # Where none is computed as a whole, those that are read later are pasted.
        for place in range(batch.whole_from, self._local):
            for source in self._operations[place].inputs:
                if source not in wholes:
                    wholes[source] = self._paste(source, patches[source])
            self._compute_whole(place, wholes)
        return {
            source: wholes[source] if source in wholes else self._paste(source, patches[source])
            for source in range(self._local)
            if self._last_use[source] >= self._local
        }

    def _compute_whole(self, place: int, results: dict[int, Tensor], *, forget: bool = True) -> None:
        operation = self._operations[place]
        inputs = [results[source] for source in operation.inputs]
        results[place] = operation(inputs, overwrite=self._may_overwrite(operation))
        if forget:
            self._forget(place, results)

    def _may_overwrite(self, operation: Operation) -> bool:
        """Whether no other operation reads its input."""
        return len(self._uses[operation.inputs[0]]) == 1

    def _forget(self, place: int, results: dict[int, Any]) -> None:
        """Free what no operation after this one reads."""
        for source in self._operations[place].inputs:
            if self._last_use[source] == place:
                results.pop(source, None)

    def _changed_picture(self, batch: Batch, change: Callable[[int], Change]) -> _Patches:
        """Patches of the normalized picture."""
        height, width = int(batch.heights[0]), int(batch.widths[0])
        tops, lefts = batch.tops[0].tolist(), batch.lefts[0].tolist()
        changes = [change(int(member)) for member in batch.members]
        boxes = [each.rectangle for each in changes]
        new = [self._normalized(each.pixels[None].to(self._network.device)) for each in changes]
        if all((box.height, box.width) == (height, width) for box in boxes):
            return _Patches(_channels_last(torch.cat(new)), tops, lefts)
        values = _empty(self._kept[0], len(boxes), height, width)
        for row, (box, pixels) in enumerate(zip(boxes, new, strict=True)):
            values[row] = self._kept[0][0, :, tops[row] : tops[row] + height, lefts[row] : lefts[row] + width]
            y, x = box.top - tops[row], box.left - lefts[row]
            values[row, :, y : y + box.height, x : x + box.width] = pixels[0]
        return _Patches(values, tops, lefts)

    def _compute_patches(self, place: int, batch: Batch, patches: dict[int, _Patches]) -> _Patches:
        """What one operation makes of patches of its inputs."""
        operation = self._operations[place]
        height, width = int(batch.heights[place]), int(batch.widths[place])
        tops, lefts = batch.tops[place].tolist(), batch.lefts[place].tolist()
        if operation.kind == "position":
            # Its rectangle is that of its input.
            overwrite = self._may_overwrite(operation)
            values = operation([patches[operation.inputs[0]].values], overwrite=overwrite)
        elif operation.window is not None:
            window, source = operation.window, operation.inputs[0]
            crops = self._crops(
                self._with_margin(source, operation.pad_value),
                patches[source],
                [top * window.stride - window.padding for top in tops],
                [left * window.stride - window.padding for left in lefts],
                (height - 1) * window.stride + window.size,
                (width - 1) * window.stride + window.size,
            )
            values = _slide(operation, crops)
        else:
            parts = [
                self._crops(self._with_margin(source, 0.0), patches[source], tops, lefts, height, width)
                for source in operation.inputs
            ]
            values = operation(parts)
        return _Patches(values, tops, lefts)

    def _crops(
        self, clean: _Padded, patches: _Patches, tops: list[int], lefts: list[int], height: int, width: int
    ) -> Tensor:
        """Parts of changed maps, (N, C, height, width): patches pasted onto the map as it was."""
        there, wide = patches.values.shape[2:]
        if (tops, lefts, height, width) == (patches.tops, patches.lefts, there, wide):
            return patches.values
        crops = _empty(patches.values, len(tops), height, width)
        for row, (top, left) in enumerate(zip(tops, lefts, strict=True)):
            y, x = patches.tops[row] - top, patches.lefts[row] - left
            y_end, x_end = min(height, y + there), min(width, x + wide)
            y_begin, x_begin = max(0, y), max(0, x)
            if y_begin or x_begin or y_end < height or x_end < width:
                crops[row] = clean.crop(top, left, height, width)
            crops[row, :, y_begin:y_end, x_begin:x_end] = patches.values[
                row, :, y_begin - y : y_end - y, x_begin - x : x_end - x
            ]
        return crops

    def _paste(self, source: int, patches: _Patches) -> Tensor:
        """Whole maps of a result, of which patches have changed."""
        shape, zeros = self._shapes[source], [0] * len(patches.tops)
        return self._crops(self._with_margin(source, 0.0), patches, zeros, zeros, shape.height, shape.width)

    def _with_margin(self, source: int, value: float) -> _Padded:
        """A map as it was, with as much padding as any of its readers sees of this value."""
        key = (source, value)
        if key not in self._padded:
            margin = max(
                (self._reach(use) for use in self._uses[source] if self._operations[use].pad_value == value),
                default=0,
            )
            padded = _channels_last(F.pad(self._kept[source], (margin,) * 4, value=value))
            height, width = self._kept[source].shape[2:]
            # One copy serves both.
            self._kept[source] = padded[..., margin : margin + height, margin : margin + width]
            self._padded[key] = _Padded(padded[0], margin)
        return self._padded[key]

    def _reach(self, place: int) -> int:
        """How far the windows of an operation extend beyond its input at most."""
        operation = self._operations[place]
        window = operation.window
        if window is None or place >= self._local:
            return 0
        made, read = self._shapes[place], self._shapes[operation.inputs[0]]
        sides = ((made.height, read.height), (made.width, read.width))
        ends = [(out - 1) * window.stride - window.padding + window.size - side for out, side in sides]
        return max(window.padding, *ends)


def _slide(operation: Operation, crops: Tensor) -> Tensor:
    """A convolution or a pool of crops that have their padding already."""
    module, window = operation.module, operation.window
    if window is None:
        raise TypeError(f"{operation.name} has no window")
    if isinstance(module, nn.Conv2d):
        return F.conv2d(crops, module.weight, module.bias, window.stride, groups=module.groups)
    if isinstance(module, nn.MaxPool2d):
        return F.max_pool2d(crops, window.size, window.stride)
    # Others have no padding.
    return operation([crops])


def _empty(like: Tensor, count: int, height: int, width: int) -> Tensor:
    """(count, C, height, width) without values, its channels last."""
    shape = (count, like.shape[1], height, width)
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _channels_last(maps: Tensor) -> Tensor:
    return maps.contiguous(memory_format=torch.channels_last)
