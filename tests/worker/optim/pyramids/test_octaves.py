"""Sizes from coarse to fine, and what goes from one to the next."""

import torch

from worker.optim.pyramids.octaves import Octave, draw_roll, next_octave, plan_octaves
from worker.optim.pyramids.scales import resize


def picture(height: int, width: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_each_octave_is_larger_by_the_scale() -> None:
    assert plan_octaves(280, 560, 3, 2.0, 1) == [Octave(0, 70, 140), Octave(1, 140, 280), Octave(2, 280, 560)]


def test_octaves_at_which_nothing_is_seen_are_left_out() -> None:
    octaves = plan_octaves(40, 600, 6, 2.0, 8)
    assert [octave.place for octave in octaves] == [3, 4, 5]
    assert octaves[0].height == 10


def test_no_octave_has_a_side_of_nothing() -> None:
    assert min(octave.height for octave in plan_octaves(1, 900, 12, 2.0, 0)) == 1


def test_an_undreamt_picture_keeps_all_its_detail() -> None:
    start = picture(40, 60)
    coarse = resize(start, 20, 30)
    assert torch.allclose(next_octave(start, coarse, Octave(1, 40, 60)), start, atol=1e-6)
    assert torch.allclose(next_octave(start, start, Octave(0, 20, 30)), coarse, atol=1e-6)


def test_what_was_dreamt_is_laid_over_the_detail_of_the_start() -> None:
    start = 0.25 + 0.5 * picture(40, 60)
    coarse = resize(start, 20, 30)
    carried = next_octave(start, coarse + 0.1, Octave(1, 40, 60))
    assert torch.allclose(carried, start + 0.1, atol=1e-5)


def test_a_roll_depends_on_its_place_alone() -> None:
    octave, other = Octave(0, 10, 10), Octave(1, 10, 10)
    drawn = [draw_roll(32, octave, 7, 0, step) for step in range(200)]
    assert drawn == [draw_roll(32, octave, 7, 0, step) for step in range(200)]
    assert (
        len({draw_roll(32, octave, 7, 0, 3), draw_roll(32, other, 7, 0, 3), draw_roll(32, octave, 7, 1, 3)})
        == 3
    )
    values = {shift for pair in drawn for shift in pair}
    assert min(values) == -32 and max(values) == 32
    assert draw_roll(0, octave, 7, 0, 0) == (0, 0)
