"""Receptive fields: equal to where the gradient is not zero, at borders and with any padding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from app.networks.catalogue import get_card
from models.geometry import PaddedConv2d, Window
from models.network import Network
from models.registry import build_skeleton, load_network
from worker.understanding.receptive_fields import PixelBox, receptive_field


def all_positive(network: Network) -> Network:
    """The same network with weights of 0.01, so that every ReLU passes all, and average pools."""
    weights = {name: torch.full(each.shape, 0.01) for name, each in network.stack.state_dict().items()}
    return network.with_weights(weights).with_pooling("average").prepared(torch.device("cpu"), torch.float64)


def support(
    network: Network, layer: str, channel: int, position: tuple[int, int], size: tuple[int, int]
) -> PixelBox:
    """The pixels that change a neuron."""
    picture = torch.ones(1, 3, *size, dtype=torch.float64, requires_grad=True)
    value = network.features(picture, (layer,))[layer][0, channel, position[0], position[1]]
    (gradient,) = torch.autograd.grad(value, picture)
    rows, columns = (gradient[0].abs().amax((0, keep)).nonzero().flatten() for keep in (2, 1))
    return PixelBox(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def positions(network: Network, layer: str, size: tuple[int, int]) -> list[tuple[int, int]]:
    """The corners of a layer, and its middle."""
    found: Tensor = network.features(torch.ones(1, 3, *size, dtype=torch.float64), (layer,))[layer]
    height, width = found.shape[2:]
    return [(0, 0), (height - 1, width - 1), (height // 2, width // 2), (0, width - 1)]


@pytest.mark.medium
@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("palette", "relu2_2"),
        ("palette", "pool3"),
        ("squeezenet1_1", "fire4"),
        ("efficientnet_lite0", "stem"),
        ("efficientnet_lite0", "block4"),
        ("efficientnet_lite0", "block6"),
    ],
)
def test_it_is_where_the_gradient_is_not_zero(name: str, layer: str) -> None:
    network = all_positive(build_skeleton(get_card(name)))
    channels = get_card(name).layer(layer).channels
    for size in ((64, 64), (59, 66)):
        for position in positions(network, layer, size):
            for channel in (0, -1):
                found = receptive_field(network, layer, channel % channels, position, size)
                assert found == support(network, layer, channel, position, size)


windows = st.builds(
    Window, st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(0, 1)
).filter(lambda window: window.after < window.size)


@pytest.mark.medium
@settings(max_examples=60, deadline=None)
@given(st.lists(windows, min_size=1, max_size=3), st.integers(40, 47))
def test_it_holds_for_any_stack_of_windows(stack: list[Window], side: int) -> None:
    layers: dict[str, nn.Module] = {
        f"conv{place}": PaddedConv2d(3, 3, window) for place, window in enumerate(stack)
    }
    plain = Network("any", layers, mean=(0.0,) * 3, std=(1.0,) * 3, source="a test")
    network = all_positive(plain)
    layer = f"conv{len(stack) - 1}"
    for position in positions(network, layer, (side, side + 1)):
        size = (side, side + 1)
        found = receptive_field(network, layer, 0, position, size)
        # A stride larger than its window leaves gaps, but first and last pixel are what they are.
        assert found == support(network, layer, 0, position, size)


def test_what_sees_everything_sees_the_whole_picture() -> None:
    network = load_network("palette")
    assert receptive_field(network, "logits", 0, (0, 0), (128, 96)) == PixelBox(0, 0, 128, 96)
    with pytest.raises(KeyError):
        receptive_field(network, "relu9", 0, (0, 0), (128, 96))
