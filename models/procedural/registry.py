"""What a drawn class is, and how its variants register."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from zlib import crc32

from torch import Tensor

from models.procedural.palettes import Palette
from models.procedural.sheet import Sheet

Kind = Literal["texture", "scene", "object"]
Split = Literal["train", "held-out", "all"]


@dataclass
class Layer:
    """A picture (n, 3, h, w) and how much of it there is at each pixel (n, h, w), both in [0, 1]."""

    picture: Tensor
    coverage: Tensor


Draw = Callable[[Sheet], Layer]


@dataclass(frozen=True)
class Variant:
    """One way to draw a class. Those held out never train."""

    name: str
    draw: Draw
    held_out: bool


@dataclass(frozen=True)
class Drawing:
    """A class of pictures.

    A ``texture`` fills a plane, which may be turned and seen at an angle; a ``scene`` fills the picture and
    stands upright; an ``object`` stands before a background, once or several times. ``typical`` are its usual
    colours. ``turn`` is the largest angle, in radians, by which it may be turned. ``fine`` asks for twice the
    pixels in each direction, averaged at the end, for detail that has no distance to smooth by.
    """

    name: str
    kind: Kind
    typical: tuple[Palette, ...]
    turn: float
    fine: bool
    variants: list[Variant] = field(default_factory=list)

    @property
    def key(self) -> int:
        """A number that follows from the name alone, so that another order of classes changes no picture."""
        return crc32(self.name.encode())

    def choose(self, split: Split) -> list[Variant]:
        """The variants of a split."""
        if split == "all":
            return self.variants
        return [variant for variant in self.variants if variant.held_out == (split == "held-out")]

    def variant(self, draw: Callable[[Sheet], Tensor]) -> Callable[[Sheet], Tensor]:
        """Register a function that fills the sheet."""
        return self._fill(draw, held_out=False)

    def held_out(self, draw: Callable[[Sheet], Tensor]) -> Callable[[Sheet], Tensor]:
        """Register a function that fills the sheet and never trains."""
        return self._fill(draw, held_out=True)

    def shape(self, draw: Draw) -> Draw:
        """Register a function that draws a layer."""
        self.variants.append(Variant(draw.__name__, draw, held_out=False))
        return draw

    def held_out_shape(self, draw: Draw) -> Draw:
        """Register a function that draws a layer and never trains."""
        self.variants.append(Variant(draw.__name__, draw, held_out=True))
        return draw

    def _fill(self, draw: Callable[[Sheet], Tensor], held_out: bool) -> Callable[[Sheet], Tensor]:
        def whole(sheet: Sheet) -> Layer:
            picture = draw(sheet)
            return Layer(picture, picture.new_ones(()).expand(picture.shape[0], *picture.shape[2:]))

        self.variants.append(Variant(draw.__name__, whole, held_out))
        return draw


def draws(name: str, kind: Kind, *typical: Palette, turn: float = 0.15, fine: bool = False) -> Drawing:
    """A class without variants yet; those follow as decorated functions."""
    return Drawing(name, kind, typical, turn, fine)
