"""The training of the palette network: its pictures, its model and its schedule."""

import torch
from torch import Tensor

from models.architectures.palette import MEAN, STD
from models.procedural import CLASSES
from models.procedural.catalogue import DRAWINGS
from models.trainable import Trainable, initialize, new_trainable
from worker.optim.randomness import fold_seed
from worker.training.augmentation import jitter, random_crops
from worker.training.drawings import DrawnSet
from worker.training.phases import Cycle, Phase, Sample, Schedule

# Side of the drawn pictures in pixels; training uses crops of them.
DRAWN_SIZE = 128

# The largest relative change of a convolution in a step. With 0.08 training is slower.
RATE = 0.03

# Classes whose pictures may be rotated.
TURNABLE = torch.tensor([drawing.turn > 3 for drawing in DRAWINGS])


def palette_model(seed: int) -> Trainable:
    """The network in training: with batch norm, and weights from the seed."""
    model = new_trainable("palette", {"classes": len(CLASSES)}, mean=MEAN, std=STD, batch_norm=True)
    return initialize(model, fold_seed(seed))


def palette_schedule(seed: int, budget: float = 1.0) -> Schedule:
    """The schedule of the shipped network; ``budget`` multiplies its steps.

    First without attacks, then with half of each batch attacked at a growing radius, and at last at a larger
    size without mixing, as the network will be used. Then the same again from a third of the learning rate,
    at sizes where the receptive fields of the last stage cover more than padding.
    """

    def steps(count: int) -> int:
        return max(1, round(count * budget))

    small = Cycle(
        (
            Phase(steps(1300), size=64, batch=96, mixed=0.25),
            Phase(steps(2200), size=64, batch=96, radius=(0.25, 2.0), attacked=0.5, mixed=0.25),
            Phase(steps(700), size=96, batch=48, radius=(2.0, 3.0), attacked=0.5, mixed=0.0),
        )
    )
    large = Cycle(
        (
            Phase(steps(1100), size=80, batch=64, radius=(2.0, 3.0), attacked=0.5, mixed=0.25),
            Phase(steps(700), size=112, batch=32, radius=(3.5, 4.0), attacked=0.5, mixed=0.0),
        ),
        height=0.35,
    )
    return Schedule(cycles=(small, large), seed=seed)


def sample_from(drawn: DrawnSet, device: torch.device) -> Sample:
    """Batches of random crops of a set."""

    def sample(generator: torch.Generator, count: int, size: int) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(drawn), (count,), generator=generator)
        classes = drawn.classes[chosen]
        pictures = drawn.pictures(chosen).to(device)
        crops = random_crops(pictures, size, TURNABLE[classes], generator)
        return jitter(crops, generator), classes.to(device)

    return sample
