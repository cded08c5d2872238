"""Small networks with every kind of layer."""

import pytest
import torch
from torch import nn

from models.architectures.squeezenet import squeezenet_stack
from models.architectures.vgg import vgg_stack
from models.network import Network


def seeded_network(stack: dict[str, nn.Module], seed: int = 0, **more: object) -> Network:
    """A network on a stack from the meta device, its weights and biases drawn from a seed."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, weight in nn.ModuleDict(stack).state_dict().items():
        fan_in = weight[0].numel()
        scale = (2 / fan_in) ** 0.5 if name.endswith("weight") else 0.1
        weights[name] = torch.randn(weight.shape, generator=generator) * scale
    network = Network("small", stack, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25), source="test", **more)
    return network.with_weights(weights)


@pytest.fixture(scope="session")
def small() -> Network:
    """VGG-16 with 2 to 16 channels and 5 classes."""
    stack = vgg_stack(16, width=1 / 32, classes=5)
    return seeded_network(stack, classes=("a", "b", "c", "d", "e"), input_size=224)


@pytest.fixture(scope="session")
def fires() -> Network:
    """SqueezeNet with 5 classes, in float64."""
    return seeded_network(squeezenet_stack(5)).prepared(torch.device("cpu"), torch.float64)


@pytest.fixture(scope="session")
def picture() -> torch.Tensor:
    """Two pictures of 44 × 37 px."""
    return torch.rand(2, 3, 37, 44, generator=torch.Generator().manual_seed(1))
