"""Small networks whose every layer is known."""

import torch
from torch import nn

from app.networks import LayerCard, NetworkCard
from models.architectures.vgg import PooledLinear
from models.network import Network
from models.relu import ReLU

CLASSES = ("ant", "bee", "cat", "cow", "dog", "eel")


def make_classifier(
    dtype: torch.dtype = torch.float32, *, seed: int = 19, input_size: int | None = None
) -> Network:
    """conv1, relu1, pool1, conv2, relu2, pool2, logits with fixed random weights, and six classes."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        stack: dict[str, nn.Module] = {}
        channels = 3
        for stage, wider in enumerate((6, 8), start=1):
            conv = nn.Conv2d(channels, wider, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            stack[f"conv{stage}"], stack[f"relu{stage}"] = conv, ReLU()
            stack[f"pool{stage}"] = nn.AvgPool2d(2)
            channels = wider
        logits = PooledLinear(channels, 1, len(CLASSES))
        with torch.no_grad():
            # Each class has a feature of its own, so that a picture can be any of them.
            logits.weight.copy_(4 * (torch.eye(len(CLASSES), channels) - 1 / len(CLASSES)))
        stack["logits"] = logits
    network = Network(
        "tiny",
        stack,
        mean=(0.5, 0.4, 0.45),
        std=(0.25, 0.25, 0.25),
        source="a test",
        classes=CLASSES,
        input_size=input_size,
    )
    return network.prepared(torch.device("cpu"), dtype)


def silenced(network: Network, layer: str, channel: int) -> Network:
    """The same network, one channel of which is -1 whatever the picture is."""
    weights = {name: each.clone() for name, each in network.stack.state_dict().items()}
    weights[f"{layer}.weight"][channel] = 0
    weights[f"{layer}.bias"][channel] = -1
    return network.with_weights(weights)


def color_network() -> Network:
    """Classes red, green and blue, whose logits are 10 times what their color is above the three's mean."""
    conv, logits = nn.Conv2d(3, 3, 1), PooledLinear(3, 1, 3)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(3).view(3, 3, 1, 1))
        conv.bias.zero_()  # type: ignore[union-attr]
        logits.weight.copy_(10 * (torch.eye(3) - 1 / 3))
        logits.bias.zero_()
    stack = {"conv1": conv, "logits": logits}
    classes = ("red", "green", "blue")
    return Network("colors", stack, mean=(0.5,) * 3, std=(1.0,) * 3, source="a test", classes=classes)


def stripes_network() -> Network:
    """Classes lying, standing, rising and falling: which stripes of a period of 4 pixels there are the most.

    conv1 has a wave of each direction, relu1 what exceeds nothing by more than -0.1, and the logits are 40
    times what a direction has above the mean of all.
    """
    places = torch.arange(5.0) - 2
    down, right = places[:, None], places[None, :]
    along = [down.expand(5, 5), right.expand(5, 5), (down + right) / 2**0.5, (down - right) / 2**0.5]
    waves = torch.stack([torch.cos(torch.pi / 2 * each) for each in along])
    waves -= waves.mean((1, 2), keepdim=True)
    conv, logits = nn.Conv2d(3, 4, 5, padding=2, padding_mode="replicate"), PooledLinear(4, 1, 4)
    with torch.no_grad():
        conv.weight.copy_((waves / waves.abs().sum((1, 2), keepdim=True))[:, None].expand(4, 3, 5, 5))
        conv.bias.fill_(0.1)  # type: ignore[union-attr]
        logits.weight.copy_(40 * (torch.eye(4) - 1 / 4))
        logits.bias.zero_()
    stack = {"conv1": conv, "relu1": ReLU(), "logits": logits}
    classes = ("lying", "standing", "rising", "falling")
    return Network("stripes", stack, mean=(0.5,) * 3, std=(0.5,) * 3, source="a test", classes=classes)


def identity_network() -> Network:
    """conv1 is the picture itself, pool1 its means over 2 by 2 pixels."""
    conv = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(3).view(3, 3, 1, 1))
        conv.bias.zero_()  # type: ignore[union-attr]
    stack = {"conv1": conv, "pool1": nn.AvgPool2d(2)}
    return Network("identity", stack, mean=(0.0,) * 3, std=(1.0,) * 3, source="a test")


def make_convolutions(dtype: torch.dtype = torch.float32) -> Network:
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


def make_off_grid(dtype: torch.dtype = torch.float32) -> Network:
    """conv1, relu1, pool1, conv2, relu2, whose positions lie on no grid of their strides."""
    with torch.random.fork_rng():
        torch.manual_seed(19)
        stack = nn.ModuleDict(
            {
                "conv1": nn.Conv2d(3, 6, 5, stride=2),
                "relu1": ReLU(),
                "pool1": nn.MaxPool2d(3, 2),
                "conv2": nn.Conv2d(6, 8, 3, padding=1),
                "relu2": ReLU(),
            }
        )
    network = Network("off", stack, mean=(0.5,) * 3, std=(0.25,) * 3, source="a test")
    return network.prepared(torch.device("cpu"), dtype)


def card_of(network: Network) -> NetworkCard:
    """The card of a network that is in no catalogue."""
    return NetworkCard(
        name=network.name,
        title="",
        summary="",
        architecture="",
        architecture_params={},
        layers=[
            LayerCard(
                name=layer.name,
                kind=layer.kind,
                channels=layer.channels,
                stride=layer.stride,
                receptive_field=layer.receptive_field,
            )
            for layer in network.layers
        ],
        classes=list(network.classes),
        input_size=network.input_size,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        parameters=1,
        source="",
        sha256="",
    )
