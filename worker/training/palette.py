"""The training of the palette network: its recipes, which are pictures and a schedule, and its model."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.architectures.palette import MEAN, STD
from models.palette import FILE, calibration_pictures, palette
from models.procedural import CLASSES
from models.procedural.skies import SceneryName
from models.trainable import Trainable, initialize, new_trainable, take_weights
from worker.optim.randomness import fold_seed
from worker.training.augmentation import jitter, random_crops
from worker.training.contrast import ContrastSettings
from worker.training.drawings import DrawnSet
from worker.training.phases import Cycle, Phase, Sample, Schedule
from worker.training.twins import TURNABLE, twins_from

# Side in pixels of the pictures that it is measured on.
MEASURED_SIZE = 128

# The network that recipe 1 gave with seed 0, whichever file it is in.
FIRST_SHA256 = "dbface4bc9a5d92036326d90b2e02c6e95cd9cfadc781b091f3b7062ed5e23b3"

# The largest relative change of a convolution in a step. With 0.08 training is slower.
RATE = 0.03


@dataclass(frozen=True)
class PaletteRecipe:
    """How a palette is trained.

    Training uses crops of pictures of ``drawn_size`` pixels, before a ``scenery``, of which ``files`` files
    are drawn. ``schedule`` takes the seed and the budget, which multiplies its steps; ``model``, the network
    that it starts with, takes the seed. With a ``contrast`` the samples have twins.
    """

    drawn_size: int
    scenery: SceneryName
    files: int
    schedule: Callable[[int, float], Schedule]
    sample: Callable[[DrawnSet, torch.device], Sample]
    model: Callable[[int], Trainable]
    contrast: ContrastSettings | None = None


def palette_model(seed: int) -> Trainable:
    """The network in training: with batch norm, and weights from the seed."""
    return initialize(_new_model(), fold_seed(seed))


def first_palette(_: int) -> Trainable:
    """The network that recipe 1 gave, in training further, whatever the seed.

    Raises FileNotFoundError if none of the palettes that are shipped is that one.
    """
    for path in sorted(FILE.parent.glob("palette*.safetensors")):
        network = palette(path)
        if network.sha256 == FIRST_SHA256:
            return take_weights(_new_model(), network, calibration_pictures())
    raise FileNotFoundError(f"{FILE.parent} has no palette that recipe 1 gave ({FIRST_SHA256[:12]})")


def _new_model() -> Trainable:
    return new_trainable("palette", {"classes": len(CLASSES)}, mean=MEAN, std=STD, batch_norm=True)


def first_schedule(seed: int, budget: float) -> Schedule:
    """First without attacks, then with half of each batch attacked at a growing radius, and at last larger.

    The last phase of each cycle is without mixing, as the network will be used. The second cycle begins with
    a third of the learning rate, at sizes where the receptive fields of the last stage cover more than
    padding.
    """
    small = Cycle(
        (
            Phase(_steps(1300, budget), size=64, batch=96, mixed=0.25),
            Phase(_steps(2200, budget), size=64, batch=96, radius=(0.25, 2.0), attacked=0.5, mixed=0.25),
            Phase(_steps(700, budget), size=96, batch=48, radius=(2.0, 3.0), attacked=0.5, mixed=0.0),
        )
    )
    large = Cycle(
        (
            Phase(_steps(1100, budget), size=80, batch=64, radius=(2.0, 3.0), attacked=0.5, mixed=0.25),
            Phase(_steps(700, budget), size=112, batch=32, radius=(3.5, 4.0), attacked=0.5, mixed=0.0),
        ),
        height=0.35,
    )
    return Schedule(cycles=(small, large), seed=seed)


def second_schedule(seed: int, budget: float) -> Schedule:
    """A third cycle after those of the first, up to the size of photographs of 192 px."""
    larger = Cycle(
        (
            Phase(_steps(500, budget), size=96, batch=48, radius=(2.0, 3.0), attacked=0.5, mixed=0.25),
            Phase(_steps(330, budget), size=128, batch=32, radius=(3.5, 4.0), attacked=0.5, mixed=0.0),
            Phase(_steps(170, budget), size=160, batch=24, radius=(4.5, 5.0), attacked=0.5, mixed=0.0),
            Phase(_steps(60, budget), size=192, batch=16, radius=(5.5, 6.0), attacked=0.5, mixed=0.0),
        ),
        height=0.35,
    )
    return Schedule(cycles=(larger,), seed=seed)


def _steps(count: int, budget: float) -> int:
    return max(1, round(count * budget))


def sample_from(drawn: DrawnSet, device: torch.device) -> Sample:
    """Batches of random crops of a set."""

    def sample(generator: torch.Generator, count: int, size: int) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(drawn), (count,), generator=generator)
        classes = drawn.classes[chosen]
        pictures = drawn.pictures(chosen).to(device)
        crops = random_crops(pictures, size, TURNABLE[classes], generator)
        return jitter(crops, generator), classes.to(device)

    return sample


RECIPES = {
    1: PaletteRecipe(128, "rough", 48, first_schedule, sample_from, palette_model),
    2: PaletteRecipe(192, "open", 24, second_schedule, twins_from, first_palette, ContrastSettings()),
}
"""The recipes by their number."""
