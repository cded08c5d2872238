"""What a Network promises, on networks small enough to know by hand."""

import hashlib

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models.architectures.vgg import vgg_stack
from models.network import Network
from models.relu import ReLU

CPU = torch.device("cpu")


def identity(mean: tuple[float, ...] = (0.485, 0.456, 0.406), **more: nn.Module) -> Network:
    """One 1 × 1 convolution that passes its input on, and what may follow it."""
    conv = nn.Conv2d(3, 3, 1)
    nn.init.zeros_(conv.bias)
    conv.weight.data = torch.eye(3).view(3, 3, 1, 1)
    return Network("one", {"conv1_1": conv, **more}, mean=mean, std=(0.229, 0.224, 0.225), source="hand")


def test_the_picture_is_normalised_inside() -> None:
    picture = torch.tensor([0.485, 1.0, 0.0]).view(1, 3, 1, 1)
    found = identity().features(picture, ["conv1_1"])["conv1_1"]
    expected = torch.tensor([0.0, (1 - 0.456) / 0.224, -0.406 / 0.225])
    torch.testing.assert_close(found.flatten(), expected)


def test_bfloat16_rounds_only_after_the_normalisation() -> None:
    network = identity().prepared(CPU, torch.bfloat16)
    # 0.485 is no bfloat16 number, so a mean rounded to one would leave a difference here.
    picture = torch.tensor([0.485, 0.456, 0.406 + 0.225 / 1024]).view(1, 3, 1, 1)
    found = network.features(picture, ["conv1_1"])["conv1_1"]
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.flatten().float(), torch.tensor([0, 0, 2**-10]), rtol=1e-3, atol=1e-8)


def test_features_are_what_the_modules_give_one_by_one(small: Network, picture: Tensor) -> None:
    x = (picture - small.mean) / small.std
    expected = {}
    for name, module in small.stack.items():
        x = module(x)
        expected[name] = x
    found = small.features(picture, list(small.stack))
    assert list(found) == [layer.name for layer in small.layers] == list(expected)
    for layer in small.layers:
        assert torch.equal(found[layer.name], expected[layer.name]), layer
        assert found[layer.name].shape[1] == layer.channels


@pytest.mark.parametrize("order", [["conv1_2", "relu1_2"], ["relu1_2", "conv1_2"]])
def test_a_relu_never_overwrites_a_convolution_asked_for(
    small: Network, picture: Tensor, order: list[str]
) -> None:
    found = small.features(picture, order)
    alone = small.features(picture, ["conv1_2"])["conv1_2"]
    assert alone.min() < 0
    assert torch.equal(found["conv1_2"], alone)
    assert torch.equal(found["relu1_2"], alone.clamp(min=0))


def test_the_picture_given_is_left_alone() -> None:
    network = Network(
        "relu", {"relu0": ReLU(), "conv1": nn.Conv2d(3, 3, 1)}, mean=(0, 0, 0), std=(1, 1, 1), source=""
    )
    picture = torch.full((1, 3, 2, 2), -1.0)
    assert network.features(picture, ["relu0"])["relu0"].eq(0).all()
    assert picture.eq(-1).all()


def test_nothing_beyond_the_last_layer_is_computed(picture: Tensor) -> None:
    class Tripwire(nn.MaxPool2d):
        def forward(self, input: Tensor) -> Tensor:
            raise AssertionError("computed too much")

    network = identity(relu1_1=ReLU(), pool1=Tripwire(2))
    assert list(network.features(picture, {"relu1_1"})) == ["relu1_1"]
    assert network.features(picture, []) == {}
    with pytest.raises(AssertionError, match="computed too much"):
        network.features(picture, {"pool1"})


@pytest.mark.medium
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_the_gradient_to_the_picture_is_right(small: Network, pooling: str) -> None:
    network = small.with_pooling(pooling).prepared(CPU, torch.float64)
    picture = torch.rand(1, 3, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    layers = ["conv1_1", "relu1_1", "pool1", "conv2_2", "relu3_1"]

    def activations(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(network.features(x, layers).values())

    assert activations(picture)[0].dtype == torch.float64
    assert torch.autograd.gradcheck(activations, picture.requires_grad_())


def test_weights_are_frozen_and_dropout_sleeps(small: Network, picture: Tensor) -> None:
    assert not any(parameter.requires_grad for parameter in small.parameters())
    found = small.features(picture, ["relu6", "dropout6"])
    assert torch.equal(found["relu6"], found["dropout6"])
    assert found["relu6"].any()


def test_unknown_layers_are_named_with_those_there(small: Network, picture: Tensor) -> None:
    with pytest.raises(KeyError, match=r"'relu9_9'.*conv1_1.*relu5_3.*logits"):
        small.features(picture, ["relu1_1", "relu9_9"])
    with pytest.raises(KeyError, match="relu9_9"):
        small.minimum_side(["relu9_9"])


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 4, 64, 64)])
def test_pictures_of_another_shape_are_refused(small: Network, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\)"):
        small.features(torch.zeros(shape), ["relu1_1"])


@pytest.mark.parametrize(
    ("layers", "side"),
    [
        ([], 1),
        (["conv1_1"], 1),
        (["relu1_2"], 1),
        (["pool1"], 2),
        (["relu5_1", "relu1_1"], 16),
        (["pool5"], 32),
        (["logits"], 32),
    ],
)
def test_minimum_side_is_the_smallest_that_works(small: Network, layers: list[str], side: int) -> None:
    assert small.minimum_side(layers) == side
    assert all(x.numel() for x in small.features(torch.zeros(1, 3, side, 50), layers).values())
    if side > 1:
        with pytest.raises(ValueError, match=rf"50×{side - 1} px .*'{layers[0]}'.* at least {side} px"):
            small.features(torch.zeros(1, 3, side - 1, 50), layers)


@pytest.mark.medium
@settings(max_examples=25, deadline=None)
@given(st.sampled_from(list(vgg_stack(16, classes=1))), st.integers(1, 40), st.integers(1, 40))
def test_a_picture_gives_every_layer_or_is_refused(layer: str, height: int, width: int) -> None:
    network = Network("tiny", vgg_stack(16, width=1 / 64, classes=2), mean=(0,) * 3, std=(1,) * 3, source="")
    network = network.with_weights({k: torch.ones(v.shape) for k, v in network.stack.state_dict().items()})
    picture = torch.ones(1, 3, height, width)
    if min(height, width) < network.minimum_side([layer]):
        with pytest.raises(ValueError, match="too small"):
            network.features(picture, [layer])
    else:
        assert network.features(picture, [layer])[layer].min() > 0


def test_logits_are_one_score_a_class(small: Network, picture: Tensor) -> None:
    scores = small.logits(picture)
    assert scores.shape == (2, len(small.classes))
    assert torch.equal(scores, small.features(picture, ["logits"])["logits"])


def test_a_network_without_classes_says_so(picture: Tensor) -> None:
    with pytest.raises(ValueError, match=r"'one' cannot classify.*logits"):
        identity().logits(picture)


def test_pooling_by_hand() -> None:
    picture = torch.tensor([[1.0, 2.0], [3.0, 6.0]]).expand(1, 3, 2, 2)
    network = identity(mean=(0, 0, 0), relu1_1=ReLU(), pool1=nn.MaxPool2d(2))
    network.std.fill_(1)
    for pooling, expected in (("max", 6.0), ("average", 3.0)):
        other = network.with_pooling(pooling)
        assert other.features(picture, ["pool1"])["pool1"].eq(expected).all()
        assert other.stack.conv1_1.weight is network.stack.conv1_1.weight
        assert other.layers == network.layers
        assert other.sha256 == network.sha256
    with pytest.raises(ValueError, match="'average' or 'max', not 'median'"):
        network.with_pooling("median")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_prepared_copy_computes_the_same_in_its_dtype(
    small: Network, picture: Tensor, dtype: torch.dtype
) -> None:
    layers = ["conv1_1", "relu2_2", "pool3", "fc6", "logits"]
    before = {name: weight.clone() for name, weight in small.state_dict().items()}
    expected = small.features(picture, layers)
    copy = small.prepared(CPU, dtype)
    assert copy.dtype == dtype
    assert copy.device == CPU
    assert copy.sha256 == small.sha256
    assert (copy.classes, copy.input_size, copy.layers) == (small.classes, small.input_size, small.layers)
    tolerance = 0.05 if dtype == torch.bfloat16 else 1e-5
    for name, found in copy.features(picture, layers).items():
        assert found.dtype == dtype
        assert (found.float() - expected[name]).norm() < tolerance * expected[name].norm(), name
    assert copy.features(picture, ["conv2_1"])["conv2_1"].is_contiguous(memory_format=torch.channels_last)
    for weight in copy.parameters():
        weight.zero_()
    assert all(torch.equal(weight, before[name]) for name, weight in small.state_dict().items())


def test_the_hash_is_of_names_shapes_and_numbers(small: Network) -> None:
    bias = b"conv1_1.bias 3\n" + bytes(12)
    one = b"\x00\x00\x80\x3f"  # 1.0 as a little-endian float32
    zero = bytes(4)
    weight = b"conv1_1.weight 3x3x1x1\n" + one + zero * 3 + one + zero * 3 + one
    assert identity().sha256 == hashlib.sha256(bias + weight).hexdigest()

    weights = small.stack.state_dict()
    assert small.with_weights(weights).sha256 == small.sha256
    nudged = torch.nextafter(weights["fc7.bias"], torch.tensor(1e9))
    assert small.with_weights({**weights, "fc7.bias": nudged}).sha256 != small.sha256


def test_weights_must_fit(small: Network) -> None:
    weights = small.stack.state_dict()
    with pytest.raises(RuntimeError, match=r"fc7\.bias"):
        small.with_weights({name: weight for name, weight in weights.items() if name != "fc7.bias"})
    with pytest.raises(RuntimeError, match=r"fc7\.bias"):
        small.with_weights({**weights, "fc7.bias": F.pad(weights["fc7.bias"], (0, 1))})


def test_a_module_that_cannot_be_described_is_refused() -> None:
    with pytest.raises(TypeError, match=r"'odd' is a Hardswish"):
        identity(odd=nn.Hardswish())
