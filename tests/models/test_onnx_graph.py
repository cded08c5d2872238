"""Networks as ONNX: onnxruntime computes what torch does."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from models.architectures import build_stack
from models.architectures.ensemble import ensemble_params
from models.network import Network
from models.onnx_graph import NeedsSize, NotExportable, to_onnx
from models.registry import load_network
from tests.support.networks import make_classifier, stripes_network

pytestmark = pytest.mark.medium

SMALL = {"classes": 5}
# A stack for each kind of layer there is; of the sides that it is shown, the first is the model's own.
STACKS: dict[str, tuple[str, dict[str, Any], int]] = {
    "linear": ("linear", {"side": 12, **SMALL}, 12),
    "linear of other pictures": ("linear", {"side": 12, **SMALL}, 20),
    **{
        f"cnn {pooling} {activation}": (
            "cnn",
            {"side": 16, "width": 4, "units": 8, "pooling": pooling, "activation": activation, **SMALL},
            16,
        )
        for pooling, activation in (
            *(("max", "relu"), ("average", "sigmoid"), ("l2", "tanh"), ("sum", "leaky_relu")),
            *(("none", "elu"), ("max", "maxout")),
        )
    },
    "mlp maxout": ("mlp", {"side": 8, "activation": "maxout", "depth": 2, **SMALL}, 8),
    "lenet": ("lenet", SMALL, 32),
    "lenet_1998": ("lenet_1998", SMALL, 32),
    "lenet_1998 of other pictures": ("lenet_1998", SMALL, 41),
    "alexnet": ("alexnet", {"width": 0.125, **SMALL}, 90),
    "alexnet_2012": ("alexnet_2012", {"width": 0.125, **SMALL}, 227),
    "zfnet": ("zfnet", {"width": 0.125, **SMALL}, 224),
    "vgg": ("vgg", {"depth": 11, "width": 0.0625, "response_norm": True, **SMALL}, 64),
    "vgg of its size": ("vgg", {"depth": 16, "width": 0.0625, "pointwise": True, **SMALL}, 224),
    "resnet": ("resnet", {"depth": 18, "width": 0.125, **SMALL}, 75),
    "zfnet of the lecture": ("zfnet", {"width": 0.0625, "wider": True, **SMALL}, 224),
    "plain": ("cifar_resnet", {"depth": 8, "shortcuts": False, **SMALL}, 32),
    "bottlenecks": ("resnet", {"depth": 50, "width": 0.125, **SMALL}, 64),
    "ensemble": ("ensemble", ensemble_params("cnn", {"side": 16, "width": 4, **SMALL}, 3), 16),
}


def network_of(architecture: str, params: dict[str, Any], side: int | None) -> Network:
    """A network with random weights, whose logits are neither all alike nor large."""
    stack = build_stack(architecture, params)
    half = (0.45, 0.5, 0.55)
    network = Network(
        "random",
        stack,
        mean=half,
        std=(0.2, 0.25, 0.3),
        source="a test",
        classes=[f"class {number}" for number in range(5)],
        input_size=side,
        temperature=1.5,
    )
    generator = torch.Generator().manual_seed(3)
    weights = {
        name: torch.randn(each.shape, generator=generator)
        * (0.1 if each.dim() == 1 else (1 / each[0].numel()) ** 0.5)
        for name, each in network.stack.state_dict().items()
    }
    return network.with_weights(weights)


def run(data: bytes, pictures: torch.Tensor) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    found: list[NDArray[np.float32]] = session.run(
        ["logits", "probabilities"], {"pictures": pictures.numpy()}
    )
    return found


def check_alike(network: Network, side: int | None, shape: tuple[int, int, int]) -> None:
    pictures = torch.rand(shape[0], 3, *shape[1:], generator=torch.Generator().manual_seed(1))
    logits, probabilities = run(to_onnx(network, side, {}), pictures)
    with torch.no_grad():
        expected = network.logits(pictures)
    scale = max(1.0, float(expected.abs().max()))
    assert np.abs(logits - expected.numpy()).max() < 1e-4 * scale
    assert expected.std() > 0.01
    shares = (expected / (network.temperature or 1.0)).softmax(1).numpy()
    assert np.abs(probabilities - shares).max() < 1e-4


@pytest.mark.parametrize("name", STACKS)
def test_every_layer_is_computed_as_torch_does(name: str) -> None:
    architecture, params, side = STACKS[name]
    network = network_of(architecture, params, side)
    for count in (1, 3):
        check_alike(network, side, (count, side, side))


@pytest.mark.parametrize(
    ("architecture", "params"),
    [
        ("resnet", {"depth": 18, "width": 0.125}),
        ("cifar_resnet", {"depth": 20}),
        ("squeezenet1_1", {}),
        ("googlenet", {}),
        ("mobilenet_v2", {}),
    ],
)
def test_one_of_any_size_takes_any(architecture: str, params: dict[str, Any]) -> None:
    network = network_of(architecture, {**params, **SMALL}, None)
    for shape in ((1, 64, 64), (2, 71, 98)):
        check_alike(network, None, shape)


@pytest.mark.parametrize(("name", "side"), [("palette", None), ("efficientnet_lite0", 224)])
def test_the_shipped_networks(name: str, side: int | None) -> None:
    network = load_network(name)
    check_alike(network, side, (2, side or 64, side or 80))


def test_what_takes_one_size_asks_for_it() -> None:
    architecture, params, _ = STACKS["mlp maxout"]
    with pytest.raises(NeedsSize, match=r"Layer 'fc1': it takes pictures of one size"):
        to_onnx(network_of(architecture, params, None), None, {})


def test_what_is_not_written_is_said() -> None:
    with pytest.raises(NotExportable, match=r"Layer 'conv1': padding 'replicate' is not written"):
        to_onnx(stripes_network(), None, {})


def test_without_a_temperature_probabilities_are_the_softmax() -> None:
    check_alike(make_classifier(), None, (2, 16, 24))
