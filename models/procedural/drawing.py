"""Draw pictures of classes by number and seed."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models.procedural.backgrounds import ROUGH, Scenery
from models.procedural.catalogue import DRAWINGS
from models.procedural.compose import compose, compose_background
from models.procedural.hashing import fold
from models.procedural.registry import Split

DATA_VERSION = 1
"""Grows whenever the pixels of any class change. Weights name the version that they were trained on."""

_MOST_AT_ONCE = 2**20
"""Pixels in one batch on a CPU: more leaves the caches, fewer pays for calls."""


def choose_variants(classes: Tensor, seeds: Tensor, split: Split) -> Tensor:
    """The place of each picture's variant in the list of its class; all (n,) int64."""
    places = [
        torch.tensor([drawing.variants.index(variant) for variant in drawing.choose(split)])
        for drawing in DRAWINGS
    ]
    counts = torch.tensor([len(each) for each in places])
    return pad_sequence(places, batch_first=True)[classes, fold(seeds, 1) % counts[classes]]


@torch.no_grad()
def draw(
    classes: Tensor | Sequence[int],
    seeds: Tensor | Sequence[int],
    size: int,
    split: Split = "train",
    device: torch.device | str = "cpu",
    scenery: Scenery = ROUGH,
) -> Tensor:
    """Draw one picture per class number and seed.

    The pixels follow from (class, seed, size, split, scenery) alone, whatever else is in the batch.
    Returns (n, 3, size, size) float32 sRGB in [0, 1] on ``device``. Faster for many pictures at once.

    Raises:
        ValueError: classes and seeds differ in length, a class is unknown, or the size is below 8.
    """
    class_numbers = torch.as_tensor(classes, dtype=torch.int64).cpu()
    numbers = torch.as_tensor(seeds, dtype=torch.int64).cpu()
    if class_numbers.shape != numbers.shape or class_numbers.ndim != 1:
        raise ValueError("classes and seeds must be flat and of one length")
    if len(class_numbers) and not 0 <= int(class_numbers.min()) <= int(class_numbers.max()) < len(DRAWINGS):
        raise ValueError(f"classes must be between 0 and {len(DRAWINGS) - 1}")
    if size < 8:
        raise ValueError("pictures must be at least 8 pixels wide")
    pictures = torch.empty(len(numbers), 3, size, size, device=device)
    groups = class_numbers * 64 + choose_variants(class_numbers, numbers, split)
    for group in sorted(set(groups.tolist())):
        drawing = DRAWINGS[group // 64]
        members = (groups == group).nonzero()[:, 0]
        for chunk in members.split(_at_once(size)):
            own = fold(numbers[chunk], drawing.key).to(device)
            pictures[chunk.to(device)] = compose(drawing, drawing.variants[group % 64], own, size, scenery)
    return pictures


@torch.no_grad()
def draw_backgrounds(seeds: Tensor, size: int, scenery: Scenery) -> Tensor:
    """Draw one picture of a background alone per seed (n,) int64; as :func:`draw` otherwise."""
    parts = (compose_background(chunk, size, scenery) for chunk in torch.split(seeds, _at_once(size)))
    return torch.cat(list(parts))


def _at_once(size: int) -> int:
    return max(1, _MOST_AT_ONCE // (size * size))
