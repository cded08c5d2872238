"""Twins: two crops of one texture, in batches that also have pictures of all classes.

Of each four pictures in a batch the first two are singles, one of any class and one of no texture, and the
last two are twins. So any part of a batch that starts at a multiple of four has as many of each, and things
and scenes have a share of 3/8.
"""

import torch
from torch import Generator, Tensor

from models.procedural.catalogue import DRAWINGS
from worker.optim.color import luma
from worker.training.augmentation import MOST_ENLARGED, Crops, cut_crops, jitter, random_crops
from worker.training.drawings import DrawnSet
from worker.training.phases import Sample

# Pictures in a group, and the singles among them.
GROUP, SINGLES = 4, 2

# Twins of one class in a batch: textures of other seeds and programs, which must not be taken for each other.
SIBLINGS = 3

# Sides of twins in shares of the picture's, where the picture is large enough: two of half the side that lie
# on opposite sides do not overlap.
SIDES = (1 / 3, 1 / 2)

# The probability that all twins of a batch are grey, so that colour does not identify them.
GREY = 0.5

TEXTURES = torch.tensor([number for number, drawing in enumerate(DRAWINGS) if drawing.kind == "texture"])
OTHERS = torch.tensor([number for number, drawing in enumerate(DRAWINGS) if drawing.kind != "texture"])

# Classes whose pictures may be rotated.
TURNABLE = torch.tensor([drawing.turn > 3 for drawing in DRAWINGS])


def twins_from(drawn: DrawnSet, device: torch.device) -> Sample:
    """Batches of random crops of a set, in groups of two singles and two twins.

    Raises ValueError for a number of pictures that is no multiple of four.
    """

    def sample(generator: Generator, count: int, size: int) -> tuple[Tensor, Tensor]:
        if count % GROUP:
            raise ValueError(f"a batch of twins has a multiple of {GROUP} pictures, not {count}")
        groups = count // GROUP
        anything = torch.randint(len(drawn), (groups,), generator=generator)
        others = OTHERS[torch.randint(len(OTHERS), (groups,), generator=generator)]
        singles = torch.cat([anything, drawn.some_of(others, generator)])
        families = torch.randint(len(TEXTURES), (-(-groups // SIBLINGS),), generator=generator)
        siblings = TEXTURES[families].repeat_interleave(SIBLINGS)[:groups]
        chosen = torch.cat([singles, drawn.some_of(siblings, generator)])
        classes = drawn.classes[chosen]
        pictures = drawn.pictures(chosen).to(device)
        turnable = TURNABLE[classes] & (classes >= 0)
        plain = random_crops(pictures[: len(singles)], size, turnable[: len(singles)], generator)
        first, second = twin_crops(pictures[len(singles) :], size, turnable[len(singles) :], generator)
        if float(torch.rand(1, generator=generator)) < GREY:
            first, second = (luma(each).expand_as(each) for each in (first, second))
        crops = torch.stack([*plain.chunk(SINGLES), first, second], dim=1).flatten(0, 1)
        labels = torch.stack([*classes[: len(singles)].chunk(SINGLES), siblings, siblings], dim=1).flatten()
        return jitter(crops, generator), labels.to(device)

    return sample


def twin_crops(pictures: Tensor, size: int, turnable: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Two crops of each picture (n, 3, H, H) uint8, on opposite sides, as (n, 3, size, size) in [0, 1].

    Both have the same scale and orientation, since a texture at another scale is another texture. They
    overlap only where ``size`` is so large that crops of half the side would be enlarged.
    """
    n, side = len(pictures), pictures.shape[-1]
    least, most = (max(share, min(size / side, MOST_ENLARGED)) for share in SIDES)
    share = torch.empty(n).uniform_(least, most, generator=generator)
    # Along one axis they lie at opposite edges, along the other anywhere.
    edge = torch.randint(0, 2, (n,), generator=generator) * 2.0 - 1
    free = torch.rand(n, generator=generator) * 2 - 1
    upright = torch.randint(0, 2, (n,), generator=generator).bool()
    left = torch.where(upright, free, edge) * (1 - share)
    top = torch.where(upright, edge, free) * (1 - share)
    mirrored = torch.randint(0, 2, (n,), generator=generator) * 2.0 - 1
    quarters = torch.randint(0, 4, (n,), generator=generator) * turnable.cpu()
    first = cut_crops(pictures, Crops(share, share, left, top, mirrored, quarters), size)
    second = cut_crops(pictures, Crops(share, share, -left, -top, mirrored, quarters), size)
    return first, second


def singles_of(count: int) -> Tensor:
    """The places of the singles in a batch of ``count`` pictures, int64."""
    places = torch.arange(count)
    return places[places % GROUP < SINGLES]


def twins_of(values: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the second twins (n / 4, ...) of what a batch has (n, ...)."""
    return values[SINGLES::GROUP], values[SINGLES + 1 :: GROUP]
