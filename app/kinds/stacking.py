"""What the keys of jobs that are computed together are made of."""

import hashlib
from collections.abc import Mapping, Sequence


def fitted(sides: tuple[int, int], long_side: int) -> tuple[int, int]:
    """A picture's width and height at another length of its longer side, none below 1 pixel."""
    width, height = sides
    longest = max(sides)
    return max(1, round(width * long_side / longest)), max(1, round(height * long_side / longest))


def positive(layers: Mapping[str, float]) -> list[str]:
    """The layers that weigh anything."""
    return [name for name, weight in layers.items() if weight > 0]


def short_hash(*names: Sequence[str]) -> str:
    """16 characters that stand for lists of names, whose order does not matter."""
    return hashlib.sha256(repr([sorted(each) for each in names]).encode()).hexdigest()[:16]
