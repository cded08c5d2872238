"""The figure of an occlusion: where a picture is needed for a class, and what it is taken for without."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from app.kinds.occlusion import Fill
from app.media.lettering import font, line_height, shorten, width_of
from worker.media.pictures import to_image
from worker.optim.pyramids.scales import resize
from worker.understanding.figures import (
    INK,
    WRONG,
    Panel,
    Scale,
    colorize,
    overlay,
    percent,
    sheet,
    signed_scale_of,
    to_tensor,
)
from worker.understanding.incremental import Rectangle

# Side of a panel in pixels.
SIDE = 320

# Okabe and Ito's colors, apart for all eyes: of the class without a square, then of those that win instead,
# the most frequent first; further ones share the last.
UNCHANGED = (86, 180, 233)
WINNERS = ((230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0), (240, 228, 66))
FURTHER = (150, 150, 150)

_FILLS: dict[Fill, str] = {
    "gray": "gray",
    "black": "black",
    "white": "white",
    "blur": "blurred",
    "local-mean": "mean-colored",
}


@dataclass(frozen=True)
class Occluded:
    """What squares do: all on the CPU.

    ``view`` (1, 3, S, S) is the picture, ``squares`` lie row by row; ``clean`` are the probabilities of all
    classes without a square, ``probabilities`` and ``winners`` (rows, columns) that of the target and the
    most likely class with each.
    """

    view: Tensor
    squares: Sequence[Rectangle]
    clean: Tensor
    target: int
    probabilities: Tensor
    winners: Tensor
    classes: Sequence[str]

    @property
    def probability(self) -> float:
        """The probability of the target without a square."""
        return float(self.clean[self.target])

    @property
    def winner(self) -> int:
        """The most likely class without a square."""
        return int(self.clean.argmax())

    @property
    def largest(self) -> int:
        """The place of the square with the largest drop."""
        return int(self.probabilities.argmin())

    @property
    def changed(self) -> list[int]:
        """The places of the squares that make another class win."""
        return (self.winners.flatten() != self.winner).nonzero().flatten().tolist()

    @cached_property
    def mean_drop(self) -> Tensor:
        """The drop of the probability, (S, S), averaged over the squares that hide a pixel."""
        drops = self.clean[self.target].double() - self.probabilities.double().flatten()
        total, count = (torch.zeros(self.view.shape[2:], dtype=torch.float64) for _ in range(2))
        for square, drop in zip(self.squares, drops.tolist(), strict=True):
            square.of(total).add_(drop)
            square.of(count).add_(1)
        return (total / count).float()


def by_center(seen: Occluded, values: Tensor) -> Tensor:
    """Values (rows, columns) as a map (S, S): each pixel has that of the square whose center is nearest."""
    columns = values.shape[1]
    tops = [square.top + square.height / 2 for square in seen.squares[::columns]]
    lefts = [square.left + square.width / 2 for square in seen.squares[:columns]]
    height, width = seen.view.shape[2:]
    return values[_nearest(tops, height)][:, _nearest(lefts, width)]


def _nearest(centers: Sequence[float], length: int) -> Tensor:
    pixels = torch.arange(length) + 0.5
    return (pixels[:, None] - torch.tensor(centers)).abs().argmin(1)


def drop_scale(drop: Tensor) -> Scale:
    """The colors of drops, symmetric around none."""
    return signed_scale_of(drop, "drop")


def occlusion_figure(seen: Occluded, fill: Fill) -> Tensor:
    """Picture, probability by position, drop over the picture, and the class that wins, (1, 3, H, W)."""
    name, drop = seen.classes[seen.target], seen.mean_drop
    lowest = float(seen.probabilities.min())
    map_scale = Scale(0.0, max(float(seen.probabilities.max()), seen.probability) or 1.0, f"p({name})")
    probability_map = colorize(by_center(seen, seen.probabilities), map_scale)
    panels = [
        Panel(
            _outlined(seen),
            "Picture",
            f"With the square here, where it matters most, {percent(lowest)} are left.",
        ),
        Panel(
            probability_map,
            "Probability by the square's center",
            scale=map_scale,
        ),
        Panel(
            overlay(seen.view, drop, drop_scale(drop)),
            "Where the picture is needed",
            scale=drop_scale(drop),
        ),
    ]
    side = seen.squares[0].height
    heading = (
        f"{name}: {percent(seen.probability)} without, {percent(lowest)} to "
        f"{percent(float(seen.probabilities.max()))} with a {_FILLS[fill]} square of {side} px"
    )
    if not seen.changed:
        return _trimmed(sheet(panels, columns=len(panels), heading=heading, side=SIDE))
    colors = _class_colors(seen)
    panels.append(Panel(_class_map(seen, colors), "Most likely class"))
    made = sheet(panels, columns=len(panels), heading=heading, side=SIDE)
    return torch.cat([_trimmed(made, 0), _legend(seen, colors, made.shape[3])], 2)


def _outlined(seen: Occluded) -> Tensor:
    """The picture at the size of a panel, with the square of the largest drop."""
    height, width = seen.view.shape[2:]
    scale = SIDE / max(height, width)
    canvas = to_image(resize(seen.view, round(height * scale), round(width * scale)))
    square, draw = seen.squares[seen.largest], ImageDraw.Draw(canvas)
    left, top = round(square.left * scale), round(square.top * scale)
    right, bottom = round((square.left + square.width) * scale), round((square.top + square.height) * scale)
    # White beneath, so that it is seen on any picture.
    draw.rectangle((left, top, right - 1, bottom - 1), outline="white", width=5)
    draw.rectangle((left + 1, top + 1, right - 2, bottom - 2), outline=WRONG, width=3)
    return to_tensor(canvas)


def _class_colors(seen: Occluded) -> dict[int, tuple[int, int, int]]:
    """The color of each class that wins anywhere, the usual winner first, then by how often they do."""
    counts = Counter(seen.winners.flatten().tolist())
    others = [index for index, _ in counts.most_common() if index != seen.winner]
    colors = {
        index: WINNERS[place] if place < len(WINNERS) else FURTHER for place, index in enumerate(others)
    }
    return {seen.winner: UNCHANGED, **colors}


def _class_map(seen: Occluded, colors: dict[int, tuple[int, int, int]]) -> Tensor:
    """The class that wins at each position in its color, (1, 3, S, S)."""
    flat = [colors[index] for index in seen.winners.flatten().tolist()]
    cells = torch.tensor(flat, dtype=torch.float32).div(255).view(*seen.winners.shape, 3)
    return by_center(seen, cells).permute(2, 0, 1)[None].contiguous()


def _legend(seen: Occluded, colors: dict[int, tuple[int, int, int]], width: int) -> Tensor:
    """The colors of the classes that win, in columns, each with its share of the positions."""
    counts = Counter(seen.winners.flatten().tolist())
    named = [index for index, color in colors.items() if counts[index] and color != FURTHER]
    entries = [(colors[index], seen.classes[index], counts[index]) for index in named]
    rest = len(seen.squares) - sum(count for _, _, count in entries)
    if rest:
        entries.append((FURTHER, "other classes", rest))
    size, gap = round(SIDE / 17), round(SIDE / 14)
    across = max(1, width // (SIDE + gap))
    step, column = line_height(size) + size // 2, (width - gap) // across
    rows = -(-len(entries) // across)
    canvas = Image.new("RGB", (width, rows * step + 2 * gap), "white")
    draw = ImageDraw.Draw(canvas)
    for place, (color, name, count) in enumerate(entries):
        left, top = gap + place % across * column, gap + place // across * step
        draw.rectangle((left, top, left + size, top + size), color)
        share = percent(count / len(seen.squares))
        room = column - gap - 3 * size - width_of(share, size)
        draw.text((left + round(1.6 * size), top), f"{shorten(name, size, room)} {share}", INK, font(size))
    return to_tensor(canvas)


def _trimmed(sheet: Tensor, margin: int = round(SIDE / 14)) -> Tensor:
    """A sheet (1, 3, H, W) without the white below what is drawn last, except for a margin."""
    drawn = (sheet < 1).any(1).any(2)[0]
    below = int(drawn.flip(0).long().argmax())
    return sheet[:, :, : len(drawn) - below + margin].contiguous()
