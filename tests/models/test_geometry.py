"""Receptive fields, strides and smallest pictures, against what the modules really do."""

import dataclasses
import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models.architectures.squeezenet import Fire
from models.geometry import Window, window_of
from models.relu import ReLU

windows = st.builds(
    lambda size, stride, padding: Window(size, stride, min(padding, size // 2)),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 2),
)


def module_of(window: Window) -> nn.Conv2d:
    conv = nn.Conv2d(1, 1, window.size, window.stride, window.padding, bias=False).double()
    nn.init.ones_(conv.weight)
    return conv.requires_grad_(False)


def ones(side: int) -> Tensor:
    return torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)


@settings(max_examples=50, deadline=None)
@given(st.lists(windows, min_size=1, max_size=4))
def test_composed_window_is_what_a_position_sees(stack: list[Window]) -> None:
    whole = functools.reduce(Window.then, stack)
    picture = ones(2 * whole.size + 4 * whole.stride + 2 * whole.padding)
    out = nn.Sequential(*map(module_of, stack))(picture)
    middle = out.shape[-1] // 2
    (seen,) = torch.autograd.grad(out[0, 0, middle, middle], picture)
    rows = seen[0, 0].sum(1).nonzero().flatten()
    # Strides wider than a window leave holes, but never beyond the composed window's ends.
    assert rows.min() == middle * whole.stride - whole.padding
    assert rows.max() - rows.min() + 1 == whole.size


@settings(max_examples=100, deadline=None)
@given(windows, st.integers(1, 6))
def test_input_side_is_the_least_that_gives_the_output_side(window: Window, side: int) -> None:
    def positions(input_side: int) -> int:
        return (input_side + 2 * window.padding - window.size) // window.stride + 1

    least = window.input_side(side)
    assert module_of(window)(ones(least)).shape[-1] == positions(least) >= side
    assert least == 1 or positions(least - 1) < side


@settings(max_examples=100, deadline=None)
@given(windows, st.integers(1, 6))
def test_input_side_of_a_pool_whose_last_window_may_reach_beyond(window: Window, side: int) -> None:
    pool = nn.MaxPool2d(window.size, window.stride, window.padding, ceil_mode=True)
    found = window_of(pool)
    assert found == dataclasses.replace(window, ceil=True)
    least = found.input_side(side)

    def positions(input_side: int) -> int:
        try:
            return pool(torch.zeros(1, 1, input_side, input_side)).shape[-1]
        except RuntimeError:  # torch refuses a picture that gives no position
            return 0

    assert positions(least) >= side
    assert least == 1 or positions(least - 1) < side


def test_window_of_modules() -> None:
    assert window_of(nn.Conv2d(3, 8, 11, 4, 2)) == Window(11, 4, 2)
    assert window_of(nn.MaxPool2d(3, 2)) == Window(3, 2, 0)
    assert window_of(nn.AvgPool2d(2)) == Window(2, 2, 0)
    assert window_of(nn.AvgPool2d(3, 2, ceil_mode=True)) == Window(3, 2, 0, ceil=True)
    assert window_of(Fire(8, 2, 4)) == Window(3, 1, 1)
    assert window_of(ReLU()) is None


@pytest.mark.parametrize("module", [nn.Conv2d(1, 1, 3, dilation=2), nn.Conv2d(1, 1, 3, padding="same")])
def test_a_window_that_cannot_be_told_is_refused(module: nn.Conv2d) -> None:
    with pytest.raises(ValueError, match="cannot tell"):
        window_of(module)
