import pytest
import torch

from models.procedural import CLASSES, draw
from models.procedural.catalogue import DRAWINGS
from models.procedural.compose import compose
from models.procedural.drawing import choose_variants

ALL = list(range(len(CLASSES)))


def test_there_are_64_classes_with_unique_names():
    assert len(CLASSES) == 64
    assert len(set(CLASSES)) == 64
    assert len({drawing.key for drawing in DRAWINGS}) == 64


def test_every_class_has_four_variants_to_train_and_one_held_out():
    for drawing in DRAWINGS:
        assert len(drawing.choose("train")) >= 4, drawing.name
        assert len(drawing.choose("held-out")) >= 1, drawing.name
        assert len({variant.name for variant in drawing.variants}) == len(drawing.variants), drawing.name


def test_every_typical_palette_names_a_color_for_each_role():
    for drawing in DRAWINGS:
        assert len({len(palette) for palette in drawing.typical}) == 1, drawing.name


@pytest.mark.medium
@pytest.mark.parametrize("size", [33, 48])
def test_pictures_of_all_classes_are_finite_and_in_range_and_not_flat(size):
    pictures = draw(ALL, [7] * len(ALL), size, "all")
    assert pictures.shape == (len(ALL), 3, size, size)
    assert pictures.dtype == torch.float32
    assert torch.isfinite(pictures).all()
    assert pictures.min() >= 0 and pictures.max() <= 1
    assert (pictures.std((2, 3)).amax(1) > 0.01).all()


@pytest.mark.slow
@pytest.mark.parametrize(("size", "seeds"), [(17, 16), (64, 8)])
def test_every_variant_draws_finite_pictures(size, seeds):
    for drawing in DRAWINGS:
        for variant in drawing.variants:
            with torch.no_grad():
                pictures = compose(drawing, variant, 2**40 + torch.arange(seeds), size)
            assert torch.isfinite(pictures).all(), (drawing.name, variant.name)


def test_the_rounding_of_a_sine_leaves_no_hole():
    # A column of this picture is where the sine of the ridges of a rib, whose power is taken, is below 0.
    assert torch.isfinite(draw([CLASSES.index("knitting")], [2**40 + 6], 256)).all()


@pytest.mark.medium
def test_a_picture_is_the_same_alone_and_in_a_batch():
    seeds = [number * 31 for number in ALL]
    together = draw(ALL, seeds, 40)
    for place in range(0, len(ALL), 5):
        alone = draw([ALL[place]], [seeds[place]], 40)[0]
        assert torch.allclose(alone, together[place], atol=1e-6), CLASSES[place]


@pytest.mark.medium
def test_the_order_of_a_batch_does_not_matter():
    classes, seeds = [5, 60, 5, 17], [1, 2, 3, 4]
    forward, backward = draw(classes, seeds, 32), draw(classes[::-1], seeds[::-1], 32)
    assert torch.allclose(forward, backward.flip(0), atol=1e-6)


def test_seeds_and_classes_change_the_picture():
    pictures = draw([3, 3, 4], [10, 11, 10], 32)
    assert (pictures[0] - pictures[1]).abs().mean() > 0.02
    assert (pictures[0] - pictures[2]).abs().mean() > 0.02


def test_seeds_of_64_bits_are_told_apart():
    pictures = draw([3] * 4, [1, 1 + 2**32, -1, 2**63 - 1], 24)
    assert len({tuple(picture.flatten().tolist()) for picture in pictures}) == 4


def test_training_never_sees_what_is_held_out():
    classes = torch.arange(64).repeat(50)
    seeds = torch.arange(len(classes))
    for split, held_out in (("train", False), ("held-out", True)):
        chosen = choose_variants(classes, seeds, split)
        for number, place in zip(classes.tolist(), chosen.tolist(), strict=True):
            assert DRAWINGS[number].variants[place].held_out is held_out


def test_all_variants_of_a_split_occur():
    chosen = choose_variants(torch.full((400,), 9), torch.arange(400), "all")
    assert set(chosen.tolist()) == set(range(len(DRAWINGS[9].variants)))


@pytest.mark.slow
def test_variants_of_a_class_differ():
    seeds = torch.arange(4)
    for drawing in DRAWINGS:
        with torch.no_grad():
            pictures = [compose(drawing, variant, seeds, 24) for variant in drawing.variants]
        for place, first in enumerate(pictures):
            for second in pictures[place + 1 :]:
                assert (first - second).abs().mean() > 0.005, drawing.name


def test_typical_colors_are_those_of_half_the_pictures():
    # Bricks are red in their typical colours alone: elsewhere red is as likely as blue.
    bricks = draw([CLASSES.index("brick wall")] * 64, range(64), 24)
    red_over_blue = (bricks[:, 0].mean((1, 2)) - bricks[:, 2].mean((1, 2))) > 0.12
    assert 20 <= int(red_over_blue.sum()) <= 52


@pytest.mark.parametrize(
    ("classes", "seeds", "size"),
    [([64], [0], 32), ([-1], [0], 32), ([0, 1], [0], 32), ([0], [0], 4), ([[0]], [[0]], 32)],
)
def test_what_cannot_be_drawn_is_refused(classes, seeds, size):
    with pytest.raises(ValueError):
        draw(classes, seeds, size)


def test_nothing_to_draw_is_an_empty_batch():
    assert draw([], [], 32).shape == (0, 3, 32, 32)
