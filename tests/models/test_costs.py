"""What layers cost, by hand."""

import pytest
import torch
from torch import nn

from models.costs import Cost, layer_costs, multiply_adds
from models.geometry import GlobalAverage, PaddedConv2d, same_padding
from models.network import Network
from models.registry import load_network
from models.relu import ReLU
from tests.support.peak_memory import PeakMemory


def test_costs_by_hand() -> None:
    stack = {
        "conv1": nn.Conv2d(3, 8, 3, padding=1),
        "relu1": ReLU(),
        "deep": PaddedConv2d(8, 8, same_padding(3, 2), groups=8),
        "pool": GlobalAverage(),
        "logits": nn.Linear(8, 5),
    }
    network = Network("some", stack, mean=(0,) * 3, std=(1,) * 3, source="a test", input_size=10)
    costs = layer_costs(network, 10, 8)
    assert costs["conv1"] == Cost(10 * 8 * 8 * 27, 10 * 8 * 8, (8, 10, 8))
    assert costs["relu1"] == Cost(0, 0, (8, 10, 8))
    # The padded input is kept too.
    assert costs["deep"] == Cost(5 * 4 * 8 * 9, 5 * 4 * 8 + 11 * 9 * 8, (8, 5, 4))
    assert costs["logits"] == Cost(40, 5, (5,))
    assert list(layer_costs(network, 10, 8, ["relu1"])) == ["conv1", "relu1"]
    assert multiply_adds(network) == 10 * 10 * 8 * 27 + 5 * 5 * 8 * 9 + 40


@pytest.mark.medium
@pytest.mark.parametrize("layer", ["block5", "logits"])
def test_numbers_are_what_a_gradient_keeps(layer: str) -> None:
    network = load_network("efficientnet_lite0")
    numbers = sum(cost.numbers for cost in layer_costs(network, 96, 64, [layer]).values())
    with PeakMemory() as memory:
        picture = torch.rand(1, 3, 96, 64, requires_grad=True)
        network.features(picture, [layer])[layer].square().mean().backward()  # type: ignore[no-untyped-call]
    assert 0.9 < memory.peak / (4 * numbers) < 1.6
