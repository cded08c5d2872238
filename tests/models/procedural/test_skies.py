import pytest
import torch

from models.procedural import CLASSES, draw
from models.procedural.backgrounds import Scenery
from models.procedural.compose import plain_grid
from models.procedural.drawing import draw_backgrounds
from models.procedural.palettes import natural
from models.procedural.sheet import Sheet
from models.procedural.skies import OPEN, SKIES, plain


@pytest.mark.parametrize("paint", SKIES.backgrounds, ids=lambda paint: paint.__name__)
def test_skies_fill_the_sheet_and_are_mostly_flat(paint):
    seeds = torch.arange(8)
    colors = list(natural(seeds, 4)[..., None, None].unbind(1))
    picture = paint(Sheet(seeds, *plain_grid(8, 64, torch.device("cpu")), colors))
    assert picture.shape == (8, 3, 64, 64)
    assert torch.isfinite(picture).all()
    assert picture.min() >= -0.01
    assert picture.max() <= 1.01
    # In most places neighbours are as good as the same.
    assert picture.diff(dim=2).abs().amax(1).flatten(1).median(1).values.max() < 0.03


def test_a_sky_is_the_same_alone_and_in_a_batch():
    together = draw_backgrounds(torch.tensor([3, 2**40, 7]), 24, SKIES)
    assert torch.equal(draw_backgrounds(torch.tensor([2**40]), 24, SKIES), together[1:2])
    assert not torch.equal(together[0], together[2])


def test_a_clean_picture_of_one_colour_has_no_dirt():
    seeds = torch.arange(64)
    clean, dirty = (draw_backgrounds(seeds, 32, Scenery((plain,), clean=share)) for share in (1.0, 0.0))
    assert clean.var((2, 3)).mean() < dirty.var((2, 3)).mean()


@pytest.mark.medium
def test_an_open_scenery_changes_what_is_behind_a_thing():
    numbers, seeds = [CLASSES.index("heart")] * 12, list(range(12))
    rough, open_ = draw(numbers, seeds, 32), draw(numbers, seeds, 32, scenery=OPEN)
    assert torch.equal(open_, draw(numbers, seeds, 32, scenery=OPEN))
    assert (rough != open_).flatten(1).any(1).sum() > 6
