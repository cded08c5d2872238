"""Files of a small network of the service's own, as an export gives them."""

import json
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from models.architectures import build_stack
from models.cards import describe
from models.network import Network
from models.registry import Entry

CLASSES = ("ant", "bee", "cat", "cow", "dog", "eel")
PARAMS = {"depth": 16, "width": 1 / 16, "classes": len(CLASSES), "pooling": "average"}


def small_network(name: str = "small", seed: int = 0) -> Network:
    """A VGG-16 of a sixteenth of the width, six classes, and seeded He weights."""
    stack = build_stack("vgg", PARAMS)
    generator = torch.Generator().manual_seed(seed)
    weights = {
        key: torch.randn(weight.shape, generator=generator) * (2 / weight[0].numel()) ** 0.5
        if key.endswith("weight")
        else torch.zeros(weight.shape)
        for key, weight in nn.ModuleDict(stack).state_dict().items()
    }
    half = (0.5, 0.5, 0.5)
    network = Network(name, stack, mean=half, std=half, source="a test", classes=CLASSES, input_size=64)
    return network.with_weights(weights)


def card_of(network: Network) -> dict[str, Any]:
    """The card of a small network as JSON."""
    return describe(network, Entry("Small", "A network of a test.", "vgg", PARAMS, small_network))


def network_file(
    network: Network,
    *,
    card: dict[str, Any] | None = None,
    weights: dict[str, Tensor] | None = None,
    metadata: dict[str, str] | None = None,
) -> bytes:
    """A small network as a file; with changes to its card, other weights, or other metadata."""
    text = {"impasto": json.dumps({**card_of(network), **(card or {})})}
    tensors = dict(network.stack.state_dict()) if weights is None else weights
    return save(tensors, text if metadata is None else metadata)
