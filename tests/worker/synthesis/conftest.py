"""A small network with VGG's features: convolutions that keep the size, two strides, average pooling."""

import pytest
import torch
from torch import Tensor, nn

from models.network import Network
from models.relu import ReLU


def drawn(height: int, width: int, seed: int) -> Tensor:
    """A smooth, colourful picture (1, 3, height, width) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 6, generator=generator)
    return nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def make_network(dtype: torch.dtype = torch.float32) -> Network:
    """conv1, relu1, pool1, conv2, relu2, pool2, conv3, relu3 with fixed random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(19)
        stack = nn.ModuleDict()
        channels = 3
        for stage, wider in enumerate((6, 8, 10), start=1):
            conv = nn.Conv2d(channels, wider, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            stack[f"conv{stage}"], stack[f"relu{stage}"] = conv, ReLU()
            if stage < 3:
                stack[f"pool{stage}"] = nn.AvgPool2d(2)
            channels = wider
    network = Network("tiny", stack, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), source="a test")
    return network.prepared(torch.device("cpu"), dtype)


@pytest.fixture(scope="session")
def network() -> Network:
    return make_network()


@pytest.fixture(scope="session")
def exact_network() -> Network:
    return make_network(torch.float64)


@pytest.fixture(scope="session")
def rough_network() -> Network:
    return make_network(torch.bfloat16)


@pytest.fixture(scope="session")
def content() -> Tensor:
    return drawn(45, 60, 1)


@pytest.fixture(scope="session")
def style() -> Tensor:
    return drawn(50, 40, 2)
