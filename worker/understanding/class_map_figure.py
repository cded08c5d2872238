"""The figure of a class map: the probability of a class, and the most likely class, over the picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from worker.understanding.figures import (
    Bar,
    Panel,
    bar_chart,
    colorize,
    overlay,
    percent,
    scale_of,
    sheet,
)

# Okabe and Ito's colors, apart for all eyes; classes beyond are grey.
_COLORS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167))
_OTHER = (150, 150, 150)
_OPACITY = 0.6
# How far what is at the middle of no window fades to white.
_FADED = 0.55
_SIDE = 400


@dataclass(frozen=True)
class Grid:
    """Where the windows of a class map lie: ``side`` by ``side`` pixels, ``stride`` apart.

    The first begins in the picture's corner. A square that is cut out a whole number of strides further on
    has the positions that its pixels have in the whole picture.
    """

    side: int
    stride: int

    def window(self, y: int, x: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of a window, clipped to a picture."""
        top, left = y * self.stride, x * self.stride
        return top, left, min(height, top + self.side), min(width, left + self.side)

    def cells(self, values: Tensor, height: int, width: int) -> Tensor:
        """Values (rows, columns) over a picture, (height, width): each about the middle of its window.

        NaN where there is none: windows lie within the picture, and their middles half a side within.
        """
        first = (self.side - self.stride) // 2
        spread = torch.full((height, width), torch.nan)
        rows, columns = (
            _places(first, self.stride, count, side)
            for count, side in zip(values.shape, (height, width), strict=True)
        )
        inside = (rows >= 0)[:, None] & (columns >= 0)[None, :]
        spread[inside] = values.float()[rows[rows >= 0]][:, columns[columns >= 0]].flatten()
        return spread


def draw(
    view: Tensor,
    found: Tensor,
    best: Tensor,
    grid: Grid,
    network: str,
    name: str,
    strongest: Mapping[str, Any],
    common: Sequence[Mapping[str, Any]],
) -> dict[str, Tensor]:
    """The figure ``image``, the probability ``class_map`` in colors and over the picture (1, 3, H, W).

    ``found`` are the probabilities (rows, columns) of the class ``name``, ``best`` the indices of the most
    likely classes, of which ``common`` has those of the most positions.
    """
    height, width = view.shape[2:]
    scale = scale_of(found, "probability")
    spread = grid.cells(found, height, width)
    faded = torch.lerp(_grey(view), torch.ones(1), _FADED)
    inside = ~spread.isnan()
    images = {
        "class_map": torch.where(inside, colorize(spread, scale), faded),
        "class_map_overlay": torch.where(inside, overlay(view, spread, scale), faded),
    }
    classes = torch.where(inside, _classes(view, grid.cells(best, height, width), common), faded)
    size = f"{grid.side} px windows, {grid.stride} px apart"
    panels = [
        Panel(
            _boxed(view, strongest["box"]),
            "The picture",
            f"Box: where {name} is most likely, {percent(strongest['probability'])}",
        ),
        Panel(
            images["class_map_overlay"],
            f"Where it sees {name}",
            f"{size}; each square is the middle of one",
            scale,
        ),
        Panel(classes, "The most likely class"),
        Panel(_legend(common), "Share of the map"),
    ]
    figure = sheet(panels, columns=2, heading=f"{network}: {name}, seen everywhere at once", side=_SIDE)
    return {"image": figure, **images}


def _places(first: int, stride: int, count: int, side: int) -> Tensor:
    """The position whose cell each of ``side`` pixels lies in; -1: none."""
    places = (torch.arange(side) - first).div(stride, rounding_mode="floor")
    return torch.where((places >= 0) & (places < count), places, -1)


def _grey(view: Tensor) -> Tensor:
    return view.mean(1, keepdim=True).expand(-1, 3, -1, -1)


def _classes(view: Tensor, indices: Tensor, common: Sequence[Mapping[str, Any]]) -> Tensor:
    """The grey picture in the colors of its classes (H, W)."""
    colors = torch.tensor(_OTHER).div(255).view(1, 3, 1, 1).expand(1, 3, *indices.shape)
    for row, color in zip(common, _COLORS, strict=False):
        own = torch.tensor(color).div(255).view(1, 3, 1, 1)
        colors = torch.where(indices == row["index"], own, colors)
    return torch.lerp(_grey(view).contiguous(), colors, _OPACITY)


def _legend(common: Sequence[Mapping[str, Any]]) -> Tensor:
    """The classes of the most positions, in their colors, with their shares of the map."""
    bars = [
        Bar(row["class"], row["share"], percent(row["share"]), color=color)
        for row, color in zip(common, _COLORS, strict=False)
    ]
    rest = 1 - sum(row["share"] for row in common)
    if rest > 1e-6:
        bars.append(Bar("other classes", rest, percent(rest), color=_OTHER))
    return bar_chart(bars, width=_SIDE, size=16)


def _boxed(view: Tensor, box: Mapping[str, int]) -> Tensor:
    """The picture with a box, white within black, so that it shows on any color."""
    boxed = view.clone()
    thick = max(1, round(max(view.shape[2:]) / 250))
    for shade, inset in ((0.0, 0), (1.0, thick)):
        top, left = box["top"] + inset, box["left"] + inset
        bottom, right = box["bottom"] - inset, box["right"] - inset
        boxed[..., top : top + thick, left:right] = shade
        boxed[..., bottom - thick : bottom, left:right] = shade
        boxed[..., top:bottom, left : left + thick] = shade
        boxed[..., top:bottom, right - thick : right] = shade
    return boxed
