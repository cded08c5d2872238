from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.architectures import BUILDERS, build_stack
from models.architectures.ensemble import ensemble_params
from models.architectures.squeezenet import Fire
from models.network import Network
from models.relu import BackwardRule, ReLU, ReLU6, deconvnet, guided, relu_backward
from tests.support.operators import Operators


def gradient(module: Callable[[Tensor], Tensor], input: list[float], of_output: list[float]) -> list[float]:
    x = torch.tensor(input).requires_grad_()
    (found,) = torch.autograd.grad(module(x), x, torch.tensor(of_output))
    return found.tolist()


INPUT, OF_OUTPUT = [-1.0, -1.0, 2.0, 2.0, 7.0, 7.0], [3.0, -3.0, 3.0, -3.0, 3.0, -3.0]


@pytest.mark.parametrize(
    ("rule", "relu", "relu6"),
    [
        (None, [0, 0, 3, -3, 3, -3], [0, 0, 3, -3, 0, 0]),
        (guided, [0, 0, 3, 0, 3, 0], [0, 0, 3, 0, 0, 0]),
        (deconvnet, [3, 0, 3, 0, 3, 0], [3, 0, 3, 0, 3, 0]),
    ],
)
def test_rules_by_hand(rule: BackwardRule | None, relu: list[float], relu6: list[float]) -> None:
    for module, expected in ((ReLU(), relu), (ReLU6(), relu6)):
        if rule is None:
            assert gradient(module, INPUT, OF_OUTPUT) == expected
        else:
            with relu_backward(rule):
                assert gradient(module, INPUT, OF_OUTPUT) == expected
            assert gradient(module, INPUT, OF_OUTPUT) == gradient(
                nn.ReLU() if type(module) is ReLU else nn.ReLU6(), INPUT, OF_OUTPUT
            )


@pytest.mark.parametrize(("ours", "theirs"), [(ReLU(), nn.ReLU()), (ReLU6(), nn.ReLU6())])
@pytest.mark.parametrize("inplace", [False, True])
def test_values_are_the_usual_ones_with_and_without_a_rule(
    ours: ReLU, theirs: nn.Module, inplace: bool
) -> None:
    x = 8 * torch.randn(100, generator=torch.Generator().manual_seed(1))
    expected = theirs(x)

    with relu_backward(guided):
        assert torch.equal(ours(x.clone(), inplace=inplace), expected)
    given = x.clone()
    found = ours(given, inplace=inplace)
    assert torch.equal(found, expected)
    assert (found.data_ptr() == given.data_ptr()) == inplace


def two_layers() -> Network:
    """conv1 gives (x, -x) of the first channel, conv2 the difference of their ReLUs: the identity."""
    conv1, conv2 = nn.Conv2d(3, 2, 1, bias=False), nn.Conv2d(2, 1, 1, bias=False)
    with torch.no_grad():
        conv1.weight.copy_(torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]).view(2, 3, 1, 1))
        conv2.weight.copy_(torch.tensor([[1.0, -1.0]]).view(1, 2, 1, 1))
    stack = {"conv1": conv1, "relu1": ReLU(), "conv2": conv2}
    return Network("two", stack, mean=(0.0,) * 3, std=(1.0,) * 3, source="a test")


@pytest.mark.parametrize(
    # At 0.5 the first channel passes its gradient of 1; the second, of gradient -1, is off.
    ("rule", "value", "expected"),
    [(guided, 0.5, 1), (guided, -0.5, 0), (deconvnet, 0.5, 1), (deconvnet, -0.5, 1), (None, -0.5, 1)],
)
def test_a_network_by_hand(rule: BackwardRule | None, value: float, expected: float) -> None:
    network, picture = two_layers(), torch.full((1, 3, 1, 1), value).requires_grad_()
    if rule is None:
        out = network.features(picture, ("conv2",))["conv2"]
    else:
        with relu_backward(rule):
            out = network.features(picture, ("conv2",))["conv2"]
    (found,) = torch.autograd.grad(out.sum(), picture)

    assert out.item() == value
    assert found.flatten().tolist() == [expected, 0, 0]


def test_inside_a_fire_block() -> None:
    fire = Fire(1, 1, 1)
    with torch.no_grad():
        for conv, weight in ((fire.squeeze, -1.0), (fire.expand1x1, 2.0), (fire.expand3x3, 0.0)):
            conv.weight.fill_(weight)
            conv.bias.zero_()  # type: ignore[union-attr]
    assert set(fire.state_dict()) == {
        f"{name}.{kind}" for name in ("squeeze", "expand1x1", "expand3x3") for kind in ("weight", "bias")
    }

    def first(x: Tensor) -> Tensor:
        return fire(x.view(1, 1, 1, -1))[0, 0, 0]

    # The squeezed channel is -x, and what goes out twice as much where that is positive.
    assert gradient(first, [-1.0, -1.0, 1.0], [1.0, -1.0, 1.0]) == [-2, 2, 0]
    with relu_backward(guided):
        assert gradient(first, [-1.0, -1.0, 1.0], [1.0, -1.0, 1.0]) == [-2, 0, 0]
    with relu_backward(deconvnet):
        assert gradient(first, [-1.0, -1.0, 1.0], [1.0, -1.0, 1.0]) == [-2, 0, -2]


def test_the_plain_backward_is_back_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="in between"), relu_backward(guided):
        raise RuntimeError("in between")

    assert gradient(ReLU(), [1.0], [-1.0]) == [-1]


def test_what_was_computed_within_keeps_its_rule() -> None:
    x = torch.tensor([1.0, 1.0]).requires_grad_()
    with relu_backward(guided):
        out = ReLU()(x)

    assert torch.autograd.grad(out, x, torch.tensor([1.0, -1.0]))[0].tolist() == [1, 0]


# Arguments of each architecture's builder that give it classes, and few channels where it can.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "vgg": {"depth": 16, "width": 1 / 16, "classes": 3},
    "palette": {"classes": 3},
    "squeezenet1_1": {"classes": 3},
    "efficientnet_lite0": {"classes": 3},
    "alexnet": {"classes": 3, "width": 1 / 16},
    "googlenet": {"classes": 3},
    "resnet": {"depth": 18, "classes": 3, "width": 1 / 8},
    "mobilenet_v2": {"classes": 3},
    "linear": {"side": 16, "classes": 3},
    "mlp": {"side": 16, "classes": 3, "depth": 2, "width": 8},
    "cnn": {"side": 16, "classes": 3, "width": 4, "units": 8},
    "lenet": {"classes": 3},
    "lenet_1998": {"classes": 3},
    "alexnet_2012": {"classes": 3, "width": 1 / 16},
    "zfnet": {"classes": 3, "width": 1 / 16},
    "cifar_resnet": {"depth": 8, "classes": 3, "width": 1 / 4},
    "ensemble": dict(ensemble_params("cnn", {"side": 16, "classes": 3, "width": 4, "units": 8}, 2)),
}
WITHOUT_RELU = ("linear", "lenet_1998")
RECTIFIERS = ("relu", "relu_", "relu6", "relu6_", "hardtanh", "hardtanh_", "threshold", "threshold_")


class Counter(Operators):
    """Counts operators by name."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}

    def run(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What an operator comes to."""
        name = func.overloadpacket.__name__
        self.counts[name] = self.counts.get(name, 0) + 1
        return super().run(func, args, kwargs)


@pytest.mark.parametrize("architecture", BUILDERS)
@pytest.mark.parametrize("before", [False, True], ids=["in-place", "functional"])
def test_every_relu_of_every_architecture_takes_the_rule(architecture: str, before: bool) -> None:
    stack = build_stack(architecture, ARCHITECTURES[architecture])
    drawn = torch.Generator().manual_seed(3)
    for module in stack.values():
        module.to_empty(device="cpu")
        for values in (*module.parameters(), *module.buffers()):
            nn.init.normal_(values, std=values.numel() ** -0.5, generator=drawn)
    network = Network(architecture, stack, mean=(0.5,) * 3, std=(0.2,) * 3, source="a test", classes="abc")
    # Whoever asks for all layers gets no ReLU in place.
    layers = list(stack) if before else ["logits"]
    picture = torch.rand(1, 3, 96, 96, generator=drawn)
    with torch.no_grad(), Counter() as plain:
        expected = network.features(picture, layers)["logits"]
    relus = sum(plain.counts.get(name, 0) for name in RECTIFIERS)
    assert (relus > 0) == (architecture not in WITHOUT_RELU)

    called = 0

    def rule(of_output: Tensor, of_input: Tensor) -> Tensor:
        nonlocal called
        called += 1
        return of_input

    here = picture.clone().requires_grad_()
    with relu_backward(rule), Counter() as ruled:
        found = network.features(here, layers)["logits"]
    assert not set(ruled.counts) & set(RECTIFIERS)
    assert torch.allclose(found, expected)
    torch.autograd.grad(found.sum(), here)
    assert called == relus


def test_a_relu_that_takes_no_rule_is_no_layer() -> None:
    with pytest.raises(TypeError, match="ReLU"):
        Network("theirs", {"relu1": nn.ReLU()}, mean=(0.0,) * 3, std=(1.0,) * 3, source="a test")
