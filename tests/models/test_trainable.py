"""Networks in training: initialization, batch norms and folding them, gradients of every layer."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.kinds.architectures import ARCHITECTURES, resolve_architecture
from models.activations import Maxout, ScaledTanh
from models.architectures import build_stack
from models.architectures.cnn import make_pool
from models.architectures.ensemble import Ensemble
from models.architectures.googlenet import Inception
from models.architectures.inverted_residual import InvertedResidual
from models.architectures.lenet import Luminance, RadialBasis, SparseConv, Subsampling
from models.architectures.resnet import Basic, Bottleneck
from models.architectures.squeezenet import Fire
from models.architectures.vgg import PooledLinear
from models.geometry import GlobalAverage, PaddedConv2d, PointwiseConv2d, Window, same_padding
from models.network import Network
from models.relu import ReLU
from models.response_norm import ResponseNorm
from models.trainable import (
    NormedConv,
    Trainable,
    initialize,
    make_trainable,
    new_trainable,
    plain_weights,
    trainable_of,
)
from tests.support.architectures import NAMES, small_network

GREY = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.25)}

# Every kind of layer, narrow.
NARROW = [
    *(("linear", {}, 8), ("mlp", {"width": 9, "depth": 2, "activation": "maxout"}, 8)),
    *(("cnn", {"width": 4, "units": 9, "dropout": 0.5, "pooling": "l2", "activation": "elu"}, 16),),
    *(("cnn", {"width": 4, "units": 9, "pooling": "none", "activation": "maxout"}, 16),),
    *(("lenet", {}, None), ("lenet_1998", {}, None), ("alexnet_2012", {"width": 1 / 16}, 67)),
    *(("zfnet", {"width": 1 / 16}, 47), ("vgg_a_lrn", {"width": 1 / 16}, 32), ("googlenet", {}, 32)),
    *(("resnet18", {"width": 1 / 16}, 32), ("resnet50", {"width": 1 / 16}, 32)),
    *(("resnet20", {"width": 1 / 4}, 16), ("plain20", {"width": 1 / 4}, 16)),
]


def small(name: str, params: dict[str, object], size: int | None, *, batch_norm: bool) -> Trainable:
    found = resolve_architecture(name, params, size, 4)  # type: ignore[arg-type]
    return initialize(new_trainable(found.builder, found.params, **GREY, batch_norm=batch_norm), 7)


def pictures(count: int, side: int) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.medium
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("name", "params", "size"), NARROW)
def test_the_plain_network_does_what_the_model_learned(
    name: str, params: dict[str, object], size: int | None, batch_norm: bool
) -> None:
    model = small(name, params, size, batch_norm=batch_norm)
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.weight.data.uniform_(-0.5, 1.5, generator=generator)
            module.bias.data.normal_(generator=generator)
    model.eval()
    found = resolve_architecture(name, params, size, 4)  # type: ignore[arg-type]
    stack = build_stack(found.builder, found.params)
    network = Network(name, stack, **GREY, source="").with_weights(plain_weights(model))
    given = pictures(3, found.input_size)
    with torch.no_grad():
        expected = model(given)
    torch.testing.assert_close(network.logits(given), expected, rtol=1e-4, atol=1e-4)
    again = trainable_of(network)
    again.eval()
    torch.testing.assert_close(again(given), network.logits(given), rtol=1e-5, atol=1e-5)
    assert all(parameter.requires_grad for parameter in again.parameters())
    # It is a copy.
    before = network.logits(given)
    with torch.no_grad():
        for parameter in again.parameters():
            parameter.zero_()
    assert torch.equal(network.logits(given), before)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_a_norm_is_behind_every_convolution(name: str) -> None:
    found = resolve_architecture(name, {}, None, 10)
    stack = build_stack(found.builder, found.params)
    convs = [each for module in stack.values() for each in module.modules() if isinstance(each, nn.Conv2d)]
    model = make_trainable(stack, **GREY, batch_norm=True)
    normed = [each for each in model.modules() if isinstance(each, NormedConv)]
    assert [each.norm.num_features for each in normed] == [conv.out_channels for conv in convs]
    assert all(each.conv.bias is None for each in normed)
    assert all(conv.bias is not None for conv in convs)
    without = make_trainable(stack, **GREY, batch_norm=False)
    assert not any(isinstance(each, nn.BatchNorm2d) for each in without.modules())


@pytest.mark.medium
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("name", "params", "size"), NARROW)
def test_classes_begin_equally_likely_and_every_weight_has_a_gradient(
    name: str, params: dict[str, object], size: int | None, batch_norm: bool
) -> None:
    found = resolve_architecture(name, params, size, 10)  # type: ignore[arg-type]
    model = new_trainable(found.builder, found.params, **GREY, batch_norm=batch_norm)
    model = initialize(model, 5, "he" if ReLU in map(type, model.modules()) else "xavier")
    loss = F.cross_entropy(model(pictures(10, found.input_size)), torch.arange(10))
    loss = loss + 0 * sum(each.sum() for each in model.auxiliary_logits)
    assert float(loss.detach()) == pytest.approx(math.log(10), abs=0.12)
    loss.backward()
    added = {
        f"{place}.{block.added}.weight"
        for place, block in model.named_modules()
        if getattr(block, "added", None) and isinstance(getattr(block, block.added), nn.Conv2d)
    }
    assert bool(added) == (name.startswith("resnet") and not batch_norm)
    assert all(model.get_parameter(each).eq(0).all() for each in added)
    for place, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), place
        # What is behind a convolution of zeros learns from the second step on.
        behind_zeros = bool(added) and "stack.res" in place and "shortcut" not in place and place not in added
        assert behind_zeros or place.startswith("heads") or parameter.grad.any(), place


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (
        initialize(new_trainable("cnn", {"side": 8, "classes": 3, "m": 1}, **GREY), seed).state_dict()
        for seed in (3, 3, 4)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stack.conv1_1.weight"], other["stack.conv1_1.weight"])


@pytest.mark.parametrize(
    ("how", "deviation"),
    [
        ("he", math.sqrt(2 / 90)),
        ("xavier", math.sqrt(1 / 90)),
        # 10 channels of 3 × 3 in, and 20 out of each group.
        ("glorot", math.sqrt(2 / (90 + 180))),
        ("constant", 0.05),
    ],
)
def test_deviations_of_initial_weights(how: str, deviation: float) -> None:
    with torch.device("meta"):
        stack = {
            "conv1": nn.Conv2d(3, 20, 1),
            "conv2": nn.Conv2d(20, 40, 3, groups=2),
            "logits": PooledLinear(40, 4, 50),
        }
    model = initialize(make_trainable(stack, **GREY), 0, how, 0.05)  # type: ignore[arg-type]
    conv = model.stack["conv2"]
    assert float(conv.weight.detach().std()) == pytest.approx(deviation, rel=0.05)
    assert conv.bias.eq(0).all()
    last = float(model.stack["logits"].weight.detach().std())
    assert last == pytest.approx(0.05 if how == "constant" else 0.03 / math.sqrt(640), rel=0.05)


def deep_activations(how: str, std: float = 0.01) -> list[float]:
    """Mean squares of what each of 20 layers of ReLUs gives."""
    params = {"side": 8, "classes": 10, "depth": 20, "width": 256}
    model = initialize(new_trainable("mlp", params, mean=(0,) * 3, std=(1,) * 3), 1, how, std)  # type: ignore[arg-type]
    x = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    found = []
    with torch.no_grad():
        for name, module in model.stack.items():
            x = module(x)
            if name.startswith("relu"):
                found.append(float(x.square().mean()))
    return found


def test_he_keeps_the_variance_over_twenty_layers_and_a_small_constant_kills_it() -> None:
    he, xavier, constant = (deep_activations(how) for how in ("he", "xavier", "constant"))
    assert all(0.3 < each < 3 for each in he)
    # A ReLU halves the mean square, which 1 / n does not make up for.
    assert 2.0**-23 < xavier[-1] < 2.0**-17
    # 256 * 0.01² / 2 = 1 / 78 a layer.
    assert constant[-1] < 1e-30


def test_a_constant_deviation_leaves_nothing_to_learn_from() -> None:
    params = {"side": 8, "classes": 10, "depth": 20, "width": 64}
    norms = {}
    for how in ("he", "constant"):
        model = initialize(new_trainable("mlp", params, **GREY), 1, how)  # type: ignore[arg-type]
        F.cross_entropy(model(pictures(10, 8)), torch.arange(10)).backward()
        norms[how] = float(model.stack["fc1"].weight.grad.norm())
    assert norms["constant"] < 1e-15 < 1e-4 < norms["he"]


def test_sums_and_norms_of_pools_are_made_up_for() -> None:
    deviations = {}
    for pooling in ("average", "l2", "sum"):
        params = {"side": 16, "classes": 3, "n": 1, "m": 2, "width": 32, "pooling": pooling}
        model = initialize(new_trainable("cnn", params, **GREY), 1)
        deviations[pooling] = float(model.stack["conv2_1"].weight.detach().std())
    assert deviations["average"] == pytest.approx(2 * deviations["l2"])
    assert deviations["average"] == pytest.approx(4 * deviations["sum"])


@pytest.mark.medium
def test_auxiliary_heads_give_logits_in_training_alone() -> None:
    model = initialize(new_trainable("googlenet", {"classes": 5}, **GREY, batch_norm=True), 1)
    assert list(model.heads) == ["inception_4a", "inception_4d"]
    logits = model(pictures(2, 32))
    assert [each.shape for each in model.auxiliary_logits] == [logits.shape] * 2 == [(2, 5)] * 2
    sum(each.square().sum() for each in model.auxiliary_logits).backward()  # type: ignore[union-attr]
    assert model.heads["inception_4a"]["fc"].weight.grad.abs().max() > 0
    assert model.stack["inception_4d"].conv3x3.conv.weight.grad.abs().max() > 0
    assert model.stack["inception_5a"].conv3x3.conv.weight.grad is None
    # What was computed last is not copied.
    assert copy.deepcopy(model).auxiliary_logits == []
    model.eval()
    model(pictures(2, 32))
    assert model.auxiliary_logits == []
    assert not any("heads" in name for name in plain_weights(model))
    assert set(plain_weights(model)) == set(
        nn.ModuleDict(build_stack("googlenet", {"classes": 5})).state_dict()
    )


MAPS = (2, 4, 6, 6)
FEW = (1, 4, 4, 4)
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv": (lambda: nn.Conv2d(4, 3, 3, padding=1), MAPS),
    "strided": (lambda: nn.Conv2d(4, 3, 3, 2, 1), MAPS),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2), MAPS),
    "padded": (lambda: PaddedConv2d(4, 4, same_padding(3, 2), groups=4), MAPS),
    "pointwise": (lambda: PointwiseConv2d(4, 3), MAPS),
    "normed": (lambda: NormedConv(nn.Conv2d(4, 3, 3)), MAPS),
    "sparse": (lambda: SparseConv(((0, 1), (1, 2, 3)), 3), MAPS),
    "linear": (lambda: PooledLinear(4, 2, 5), MAPS),
    "relu": (ReLU, MAPS),
    "sigmoid": (nn.Sigmoid, MAPS),
    "tanh": (nn.Tanh, MAPS),
    "leaky_relu": (lambda: nn.LeakyReLU(0.1), MAPS),
    "elu": (nn.ELU, MAPS),
    "maxout": (lambda: Maxout(2), MAPS),
    "maxout of units": (lambda: Maxout(2), (3, 4)),
    "scaled tanh": (ScaledTanh, MAPS),
    "max pool": (lambda: make_pool("max"), MAPS),
    "average pool": (lambda: make_pool("average"), MAPS),
    "l2 pool": (lambda: make_pool("l2"), MAPS),
    "sum pool": (lambda: make_pool("sum"), MAPS),
    "subsampling": (lambda: Subsampling(4), MAPS),
    "global average": (GlobalAverage, MAPS),
    "response norm": (ResponseNorm, (2, 7, 3, 3)),
    "luminance": (Luminance, (2, 3, 4, 4)),
    "radial basis": (lambda: RadialBasis(5, 3), (2, 5)),
    "basic": (lambda: Basic(4, 4, 1), FEW),
    "basic, wider": (lambda: Basic(4, 6, 2), FEW),
    "basic, padded": (lambda: Basic(4, 6, 2, padded=True), FEW),
    "bottleneck": (lambda: Bottleneck(4, 8, 2), FEW),
    "inverted": (lambda: InvertedResidual(4, 4, 2, Window(3, 1, 1)), FEW),
    "fire": (lambda: Fire(4, 2, 3), FEW),
    "inception": (lambda: Inception(4, (2, 1, 2, 1, 2, 2)), FEW),
    "ensemble": (lambda: Ensemble([{"logits": PooledLinear(3, 2, 4)} for _ in range(3)]), (2, 3, 4, 4)),
}


@pytest.mark.parametrize("layer", list(LAYERS))
def test_gradients_of_every_layer(layer: str) -> None:
    make, shape = LAYERS[layer]
    with torch.random.fork_rng():
        torch.manual_seed(11)
        module = make().double()
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.5)
        given = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    names, values = [name for name, _ in module.named_parameters()], list(module.parameters())

    def computed(x: Tensor, *parameters: Tensor) -> Tensor:
        weights = dict(zip(names, parameters, strict=True))
        made: Tensor = torch.func.functional_call(module, weights, (x,))
        return made

    assert torch.autograd.gradcheck(computed, (given, *values), eps=1e-5, atol=1e-7, rtol=1e-5)


def test_activations_and_pools_by_hand() -> None:
    row = torch.tensor([[3.0, -4.0, 1.0, 2.0]])
    assert Maxout(2)(row).tolist() == [[3, 2]]
    assert ScaledTanh()(torch.tensor([1.0, -1.0, 0.0])).tolist() == pytest.approx([1, -1, 0], abs=1e-4)
    maps = torch.tensor([[[[3.0, 0.0], [0.0, -4.0]]]])
    found = {name: float(make_pool(name)(maps)) for name in ("max", "average", "l2", "sum")}  # type: ignore[arg-type]
    assert found == {"max": 3, "average": -0.25, "l2": 5, "sum": -1}
    # A map of zeros has no gradient from an L2 norm, and not one that is no number.
    zeros = torch.zeros(1, 1, 2, 2, requires_grad=True)
    make_pool("l2")(zeros).backward()
    assert zeros.grad is not None and zeros.grad.eq(0).all()
    grey = torch.full((1, 3, 2, 2), 0.25)
    assert Luminance()(grey).tolist() == [[[[pytest.approx(0.25)] * 2] * 2]]
    green = torch.zeros(1, 3, 1, 1)
    green[0, 1] = 1
    assert float(Luminance()(green)) == pytest.approx(0.587)


def test_local_response_norm_is_that_of_the_paper() -> None:
    maps = torch.randn(1, 9, 1, 1, generator=torch.Generator().manual_seed(4))
    found = ResponseNorm()(maps).flatten()
    # As torch computes it.
    torch.testing.assert_close(found, nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)(maps).flatten())
    for place in range(9):
        near = maps.flatten()[max(0, place - 2) : place + 3]
        expected = maps.flatten()[place] / (2 + 1e-4 * near.square().sum()) ** 0.75
        assert float(found[place]) == pytest.approx(float(expected), rel=1e-5)


def test_distances_are_largest_where_the_code_is() -> None:
    layer = RadialBasis(84, 10)
    codes = torch.stack([layer(row[None])[0] for row in torch.eye(84)])
    assert layer(torch.zeros(1, 84)).flatten().tolist() == [-42] * 10
    # Of the code itself the distance is 0.
    code = 2.0 * (codes > codes.mean()).float()[:, 3] - 1
    assert float(layer(code[None])[0, 3]) == 0
    assert int(layer(code[None]).argmax()) == 3


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_near(name: str) -> None:
    network, _ = small_network(name)
    given = pictures(4, network.input_size or 0)
    exact = network.logits(given)
    rough = network.prepared(torch.device("cpu"), torch.bfloat16).logits(given).float()
    assert (rough - exact).norm() < 0.05 * exact.norm()
    model = trainable_of(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(given.to(memory_format=torch.channels_last))
    logits.float().square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
