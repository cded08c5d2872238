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

PER_CLASS = 32
"""Pictures of each class in one file."""


def draw_set(folder: Path, *, size: int, files: int, processes: int) -> Iterator[int]:
    """Draw the missing files of a set of ``files`` files; yields their number after each.

    File k holds seeds 32k to 32k + 31 of every class as (64 * 32, 3, size, size) uint8, class by class.
    Each is written atomically, so an interrupted set resumes where it stopped.
    """
    folder = set_folder(folder, size)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(files) if not _file(folder, number).exists()]
    yield files - len(missing)
    tasks = [(folder, size, number) for number in missing]
    # One thread per process: the threads of one drawing would mostly wait for each other.
    with multiprocessing.get_context("spawn").Pool(processes, torch.set_num_threads, (1,)) as pool:
        for done, _ in enumerate(pool.imap_unordered(_draw_file, tasks), start=1):
            yield files - len(missing) + done


class DrawnSet:
    """A drawn set: pictures, read from disk on demand, and their ``classes`` (n,) int64."""

    def __init__(self, folder: Path, *, size: int, files: int) -> None:
        """Open ``files`` files of a set. Raises FileNotFoundError if one has not been drawn."""
        paths = [_file(set_folder(folder, size), number) for number in range(files)]
        self._files = [np.load(path, mmap_mode="r") for path in paths]
        self._in_file = len(CLASSES) * PER_CLASS
        self.classes = torch.arange(len(CLASSES)).repeat_interleave(PER_CLASS).repeat(files)

    def __len__(self) -> int:
        return len(self.classes)

    def pictures(self, numbers: Tensor) -> Tensor:
        """The pictures of some indices (n,), as (n, 3, size, size) uint8."""
        rows = [self._files[number // self._in_file][number % self._in_file] for number in numbers.tolist()]
        return torch.from_numpy(np.stack(rows))


def set_folder(folder: Path, size: int) -> Path:
    """The folder of the pictures of one version and size, within a folder of sets."""
    return folder / f"drawings-v{DATA_VERSION}-{size}px"


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:04}.npy"


def _draw_file(task: tuple[Path, int, int]) -> None:
    folder, size, number = task
    classes = torch.arange(len(CLASSES)).repeat_interleave(PER_CLASS)
    seeds = torch.arange(PER_CLASS).repeat(len(CLASSES)) + number * PER_CLASS
    pictures = draw(classes, seeds, size)
    path = _file(folder, number)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.save(file, (pictures * 255).round().byte().numpy())
    partial.replace(path)
