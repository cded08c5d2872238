"""How saliency maps are computed: sums over samples, a few samples at a time.

So a job can be cancelled and resumed between them, and all methods, of one sample or a thousand, are run by
the same loop.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from app.kinds.work import SAMPLE_PIXELS

# Pixels of the samples that go forward and backward at once on other devices than a CPU, which need more to
# be busy, and do not repeat their last bits anyway.
PIXELS_ELSEWHERE = 20 * 224**2


@dataclass(frozen=True)
class Explanation:
    """A map of a picture, (H, W) float32 on the CPU; what it is of, in two or three words.

    ``pattern`` is the gradient itself, (1, 3, H, W), for methods whose colors are worth a look. ``numbers``
    are those of the method, for the result.
    """

    map: Tensor
    label: str
    signed: bool = False
    pattern: Tensor | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A method for one picture and one aim.

    ``part`` gives sums over some of ``samples`` samples, by name; ``finish`` makes the map of their total.
    """

    samples: int
    part: Callable[[range], dict[str, Tensor]]
    finish: Callable[[Mapping[str, Tensor]], Explanation]


def parts_of(method: Method, at_once: int) -> list[range]:
    """The samples of a method, in parts of at most ``at_once``."""
    return [range(first, min(first + at_once, method.samples)) for first in range(0, method.samples, at_once)]


def added(sums: Mapping[str, Tensor], more: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Two sets of sums together; the first may be empty."""
    return {name: sums[name] + each if sums else each for name, each in more.items()}


def explain(method: Method, at_once: int) -> Explanation:
    """The map of a method, computed to the end."""
    sums: Mapping[str, Tensor] = {}
    for part in parts_of(method, at_once):
        sums = added(sums, method.part(part))
    return method.finish(sums)


def samples_at_once(side: int, device: torch.device) -> int:
    """Pictures of ``side`` pixels a side that go forward and backward at once on a device."""
    pixels = SAMPLE_PIXELS if device.type == "cpu" else PIXELS_ELSEWHERE
    return max(1, pixels // side**2)
