"""The pictures of the built-in sets."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.datasets.builtin import DigitsOptions, Options
from models.procedural import CLASSES, draw

# Drawn at a time.
IN_ONE = 64


@dataclass(frozen=True)
class Drawn:
    """A picture of a built-in set: ``pixels`` are (H, W, 3) uint8."""

    name: str
    label: str
    pixels: NDArray[np.uint8]


class BuiltInSet:
    """A built-in set: its length, and its pictures in order from any place on."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def __len__(self) -> int:
        if isinstance(self._options, DigitsOptions):
            return len(_digits()[1])
        return len(self._options.class_names) * self._options.count

    def pictures(self, start: int, end: int) -> Iterator[Drawn]:
        """The pictures from place ``start`` on, up to that before ``end``."""
        if isinstance(self._options, DigitsOptions):
            pixels, digits = _digits()
            for place in range(start, min(end, len(digits))):
                yield Drawn(f"{digits[place]}/{place:04}.png", str(digits[place]), pixels[place])
            return
        places = range(start, min(end, len(self)))
        names = [self._options.class_names[place // self._options.count] for place in places]
        seeds = [self._options.seed + place % self._options.count for place in places]
        drawn = draw([CLASSES.index(name) for name in names], seeds, self._options.size)
        levels = (drawn * 255).round().byte().permute(0, 2, 3, 1).numpy()
        for name, seed, picture in zip(names, seeds, levels, strict=True):
            yield Drawn(f"{name}/{seed:06}.png", name, picture)


@cache
def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures (1797, 8, 8, 3) and digits (1797,): Alpaydin and Kaynak 1998, CC BY 4.0, in scikit-learn.

    Their levels are 0 for paper to 16 for ink.
    """
    from sklearn.datasets import load_digits

    loaded = load_digits()
    levels = np.round(loaded.images * (255 / 16)).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=-1), loaded.target.astype(np.int64)
