"""Receptive fields, strides and smallest pictures, against what the modules really do."""

import dataclasses
import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models.architectures.squeezenet import Fire
from models.geometry import PaddedConv2d, PointwiseConv2d, Window, same_padding, window_of
from models.relu import ReLU

windows = st.builds(
    lambda size, stride, padding: Window(size, stride, min(padding, size // 2)),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 2),
)
uneven = st.builds(
    lambda window, extra: dataclasses.replace(window, extra=extra if window.size > 1 else 0),
    windows,
    st.integers(0, 1),
)


def module_of(window: Window) -> nn.Conv2d:
    conv = PaddedConv2d(1, 1, window).double()
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv.requires_grad_(False)


def ones(side: int) -> Tensor:
    return torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)


@settings(max_examples=50, deadline=None)
@given(st.lists(uneven, min_size=1, max_size=4))
def test_composed_window_is_what_a_position_sees(stack: list[Window]) -> None:
    whole = functools.reduce(Window.then, stack)
    picture = ones(2 * whole.size + 4 * whole.stride + whole.padding + whole.after)
    out = nn.Sequential(*map(module_of, stack))(picture)
    middle = out.shape[-1] // 2
    (seen,) = torch.autograd.grad(out[0, 0, middle, middle], picture)
    rows = seen[0, 0].sum(1).nonzero().flatten()
    # Strides wider than a window leave holes, but never beyond the composed window's ends.
    assert rows.min() == middle * whole.stride - whole.padding
    assert rows.max() - rows.min() + 1 == whole.size


@settings(max_examples=100, deadline=None)
@given(uneven, st.integers(1, 6))
def test_input_side_is_the_least_that_gives_the_output_side(window: Window, side: int) -> None:
    def positions(input_side: int) -> int:
        return (input_side + window.padding + window.after - window.size) // window.stride + 1

    least = window.input_side(side)
    assert module_of(window)(ones(least)).shape[-1] == positions(least) >= side
    assert least == 1 or positions(least - 1) < side


@pytest.mark.medium
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
    assert window_of(PaddedConv2d(1, 1, Window(3, 2, 0, 1))) == Window(3, 2, 0, 1)
    assert window_of(Fire(8, 2, 4)) == Window(3, 1, 1)
    assert window_of(ReLU()) is None


@settings(max_examples=100, deadline=None)
@given(uneven, st.integers(1, 12))
def test_output_side(window: Window, side: int) -> None:
    if side + window.padding + window.after < window.size:
        assert window.output_side(side) == 0
    else:
        assert window.output_side(side) == module_of(window)(ones(side)).shape[-1]


@settings(max_examples=100, deadline=None)
@given(windows, st.integers(1, 12))
def test_output_side_of_a_pool_whose_last_window_may_reach_beyond(window: Window, side: int) -> None:
    pool = nn.MaxPool2d(window.size, window.stride, window.padding, ceil_mode=True)
    try:
        positions = pool(torch.zeros(1, 1, side, side)).shape[-1]
    except RuntimeError:  # torch refuses a picture that gives no position
        positions = 0
    assert dataclasses.replace(window, ceil=True).output_side(side) == positions


@pytest.mark.parametrize(
    ("size", "stride", "before", "after", "even", "odd"),
    [(3, 1, 1, 1, 8, 9), (3, 2, 0, 1, 4, 4), (5, 2, 1, 2, 4, 4), (5, 1, 2, 2, 8, 9), (1, 1, 0, 0, 8, 9)],
)
def test_tensorflows_padding_as_for_even_sides(
    size: int, stride: int, before: int, after: int, even: int, odd: int
) -> None:
    window = same_padding(size, stride)
    assert (window.padding, window.after) == (before, after)
    assert (window.output_side(8), window.output_side(9)) == (even, odd)
    assert window.on_grid == (stride == 1)


@pytest.mark.parametrize("module", [nn.Conv2d(1, 1, 3, dilation=2), nn.Conv2d(1, 1, 3, padding="same")])
def test_a_window_that_cannot_be_told_is_refused(module: nn.Conv2d) -> None:
    with pytest.raises(ValueError, match="cannot tell"):
        window_of(module)


@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_pointwise_convolution_is_a_linear_layer_at_each_position(batch: int, dtype: torch.dtype) -> None:
    conv = PointwiseConv2d(5, 4).to(dtype)
    x = torch.rand(batch, 5, 6, 7, dtype=dtype, requires_grad=True)
    made = conv(x)
    by_hand = torch.nn.functional.linear(x.movedim(1, 3), conv.weight.flatten(1), conv.bias).movedim(3, 1)
    torch.testing.assert_close(made, by_hand)
    gradients = [
        torch.autograd.grad(each.square().sum(), [x, conv.weight, conv.bias]) for each in (made, by_hand)
    ]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)
