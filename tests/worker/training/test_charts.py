"""Charts."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from worker.training.charts import Line, axis_of, line_chart, nice_step

finite = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)


@pytest.mark.parametrize(("least", "step"), [(0.3, 0.5), (1.0, 1.0), (1.1, 2.0), (7.0, 10.0), (40.0, 50.0)])
def test_steps_are_one_two_or_five(least: float, step: float) -> None:
    assert nice_step(least) == pytest.approx(step)


@pytest.mark.medium
@given(st.lists(finite, min_size=1, max_size=6))
def test_an_axis_shows_every_value_and_has_a_few_ticks(values: list[float]) -> None:
    axis = axis_of(values)
    assert all(-1e-9 <= axis.share(value) <= 1 + 1e-9 for value in values)
    assert 1 <= len(axis.ticks) <= 9
    assert all(-1e-6 <= axis.share(tick) <= 1 + 1e-6 for tick in axis.ticks)


def test_values_that_are_far_apart_have_a_logarithmic_axis() -> None:
    axis = axis_of([0.002, 3.0])
    assert axis.logarithmic
    assert axis.share(math.sqrt(axis.low * axis.high)) == pytest.approx(0.5)


def test_ends_that_are_ticks_but_for_rounding_have_their_numbers() -> None:
    assert list(axis_of([0.62, 0.98], high=1.0).ticks) == pytest.approx([0.6, 0.7, 0.8, 0.9, 1.0])


def test_points_with_radii_are_dots_that_are_not_connected() -> None:
    axis = axis_of([], low=0.0, high=1.0)
    points = [(0.25, 0.5), (0.75, 0.5)]
    dots, line = (
        line_chart("", [Line("", points, (255, 0, 0), radii)], axis, axis, width=300, height=200)
        for radii in ([8.0, 4.0], [])
    )
    red = [(each[0, 0] > 0.9) & (each[0, 1] < 0.3) for each in (dots, line)]
    # In the middle between both there is a line, or nothing; the larger dot has more pixels.
    middle = [each.any(0)[180:190].any() for each in red]
    assert middle == [False, True]
    assert int(red[0][:, :180].sum()) > 3 * int(red[0][:, 190:].sum())


def test_an_end_that_is_asked_for_is_kept() -> None:
    axis = axis_of([0.31, 0.97], high=1.0)
    assert axis.high == 1.0
    assert axis.low <= 0.31


def test_a_line_is_where_its_values_are() -> None:
    axis = axis_of([], low=0.0, high=1.0)
    red = (255, 0, 0)
    chart = line_chart("", [Line("", [(0.0, 0.25), (1.0, 0.25)], red)], axis, axis, width=300, height=200)
    assert chart.shape == (1, 3, 200, 300)
    colored = (chart[0] - torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)).abs().amax(0) < 0.3
    rows = colored.sum(1).argmax()
    plain = line_chart("", [Line("", [(0.0, 0.75), (1.0, 0.75)], red)], axis, axis, width=300, height=200)
    other = (plain[0] - torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)).abs().amax(0) < 0.3
    # A smaller value is lower in the picture.
    assert int(rows) > int(other.sum(1).argmax()) + 30
