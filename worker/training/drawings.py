"""The drawn training pictures of palette, as a set of files that is drawn once.

Drawing costs as much as training, so pictures are drawn once, larger than the training size, and every epoch
takes other crops of them.
"""

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.procedural import CLASSES, DATA_VERSION, draw
from models.procedural.drawing import draw_backgrounds
from models.procedural.skies import SCENERIES, SKIES, SceneryName

PER_CLASS = 32
"""Pictures of each class in one file."""

SKIES_SHARE = 1 / 8
"""Pictures of skies alone in one file of an open set, of those of classes."""

# The class of a picture of none.
NO_CLASS = -1


def draw_set(
    folder: Path, *, size: int, files: int, processes: int, scenery: SceneryName = "rough"
) -> Iterator[int]:
    """Draw the missing files of a set of ``files`` files; yields their number after each.

    File k holds seeds 32k to 32k + 31 of every class as (64 * 32, 3, size, size) uint8, class by class; of
    an open scenery 256 skies of no class follow. Each is written atomically, so an interrupted set resumes
    where it stopped.
    """
    folder = set_folder(folder, size, scenery)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(files) if not _file(folder, number).exists()]
    yield files - len(missing)
    tasks = [(folder, size, number, scenery) for number in missing]
    # One thread per process: the threads of one drawing would mostly wait for each other.
    with multiprocessing.get_context("spawn").Pool(processes, torch.set_num_threads, (1,)) as pool:
        for done, _ in enumerate(pool.imap_unordered(_draw_file, tasks), start=1):
            yield files - len(missing) + done


class DrawnSet:
    """A drawn set: pictures, read from disk on demand, and their ``classes`` (n,) int64, or ``NO_CLASS``."""

    def __init__(self, folder: Path, *, size: int, files: int, scenery: SceneryName = "rough") -> None:
        """Open ``files`` files of a set. Raises FileNotFoundError if one has not been drawn."""
        paths = [_file(set_folder(folder, size, scenery), number) for number in range(files)]
        self._files = [np.load(path, mmap_mode="r") for path in paths]
        self._in_file = len(self._files[0])
        self._per_class = PER_CLASS
        named = torch.arange(len(CLASSES)).repeat_interleave(PER_CLASS)
        others = torch.full((self._in_file - len(named),), NO_CLASS)
        self.classes = torch.cat([named, others]).repeat(files)

    def __len__(self) -> int:
        return len(self.classes)

    def some_of(self, classes: Tensor, generator: torch.Generator) -> Tensor:
        """Indices (n,) of random pictures of some classes (n,)."""
        shape = classes.shape
        file = torch.randint(len(self._files), shape, generator=generator)
        place = torch.randint(self._per_class, shape, generator=generator)
        return file * self._in_file + classes * self._per_class + place

    def pictures(self, numbers: Tensor) -> Tensor:
        """The pictures of some indices (n,), as (n, 3, size, size) uint8."""
        rows = [self._files[number // self._in_file][number % self._in_file] for number in numbers.tolist()]
        return torch.from_numpy(np.stack(rows))


def set_folder(folder: Path, size: int, scenery: SceneryName = "rough") -> Path:
    """The folder of the pictures of one version, size and scenery, within a folder of sets."""
    suffix = "" if scenery == "rough" else f"-{scenery}"
    return folder / f"drawings-v{DATA_VERSION}-{size}px{suffix}"


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:04}.npy"


def _draw_file(task: tuple[Path, int, int, SceneryName]) -> None:
    folder, size, number, scenery = task
    classes = torch.arange(len(CLASSES)).repeat_interleave(PER_CLASS)
    seeds = torch.arange(PER_CLASS).repeat(len(CLASSES)) + number * PER_CLASS
    pictures = draw(classes, seeds, size, scenery=SCENERIES[scenery])
    if scenery == "open":
        count = round(SKIES_SHARE * len(classes))
        skies = draw_backgrounds(number * count + torch.arange(count), size, SKIES)
        pictures = torch.cat([pictures, skies])
    path = _file(folder, number)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.save(file, (pictures * 255).round().byte().numpy())
    partial.replace(path)
