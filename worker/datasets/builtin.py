"""The pictures of the built-in sets."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.datasets import cifar10
from app.datasets.builtin import Cifar10Options, DigitsOptions, Options, PaletteOptions
from models.procedural import CLASSES, draw

# Drawn at a time.
IN_ONE = 64


@dataclass(frozen=True)
class Drawn:
    """A picture of a built-in set: ``pixels`` are (H, W, 3) uint8."""

    name: str
    label: str
    pixels: NDArray[np.uint8]


class BuiltInSet(Protocol):
    """A built-in set: its length, and its pictures in order from any place on."""

    def __len__(self) -> int:
        """Number of pictures."""

    def pictures(self, start: int, end: int) -> Iterator[Drawn]:
        """The pictures from place ``start`` on, up to that before ``end``."""


def open_built_in(options: Options, data_dir: Path) -> BuiltInSet:
    """The built-in set of some options. Raises Cifar10Error if its files are not there."""
    match options:
        case DigitsOptions():
            return _Digits()
        case PaletteOptions():
            return _Palette(options)
        case Cifar10Options():
            return _Cifar10(cifar10.unpacked(data_dir))


class _Digits:
    def __len__(self) -> int:
        return len(_digits()[1])

    def pictures(self, start: int, end: int) -> Iterator[Drawn]:
        pixels, digits = _digits()
        for place in range(start, min(end, len(digits))):
            yield Drawn(f"{digits[place]}/{place:04}.png", str(digits[place]), pixels[place])


@cache
def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures (1797, 8, 8, 3) and digits (1797,): Alpaydin and Kaynak 1998, CC BY 4.0, in scikit-learn.

    Their levels are 0 for paper to 16 for ink.
    """
    from sklearn.datasets import load_digits

    loaded = load_digits()
    levels = np.round(loaded.images * (255 / 16)).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=-1), loaded.target.astype(np.int64)


class _Palette:
    def __init__(self, options: PaletteOptions) -> None:
        self._options = options

    def __len__(self) -> int:
        return len(self._options.class_names) * self._options.count

    def pictures(self, start: int, end: int) -> Iterator[Drawn]:
        places = range(start, min(end, len(self)))
        names = [self._options.class_names[place // self._options.count] for place in places]
        seeds = [self._options.seed + place % self._options.count for place in places]
        drawn = draw([CLASSES.index(name) for name in names], seeds, self._options.size)
        levels = (drawn * 255).round().byte().permute(0, 2, 3, 1).numpy()
        for name, seed, picture in zip(names, seeds, levels, strict=True):
            yield Drawn(f"{name}/{seed:06}.png", name, picture)


class _Cifar10:
    def __init__(self, folder: Path) -> None:
        self._files = [
            np.memmap(folder / name, np.uint8, "r").reshape(-1, cifar10.RECORD) for name in cifar10.FILES
        ]

    def __len__(self) -> int:
        return len(self._files) * cifar10.PICTURES

    def pictures(self, start: int, end: int) -> Iterator[Drawn]:
        """The published test set is in the folder ``test``. Raises Cifar10Error for an eleventh class."""
        train = len(self) - cifar10.PICTURES
        for place in range(start, min(end, len(self))):
            number, within = divmod(place, cifar10.PICTURES)
            record = self._files[number][within]
            if record[0] >= len(cifar10.CLASSES):
                raise cifar10.Cifar10Error(
                    f"{cifar10.FILES[number]} of CIFAR-10 is damaged: a picture has the class {record[0]}. "
                    f"Take it out of {cifar10.ARCHIVE} again."
                )
            label = cifar10.CLASSES[record[0]]
            part, shown = ("train", place) if place < train else ("test", place - train)
            pixels = record[1:].reshape(3, cifar10.SIDE, cifar10.SIDE).transpose(1, 2, 0)
            yield Drawn(f"{part}/{label}/{shown:05}.png", label, np.ascontiguousarray(pixels))
