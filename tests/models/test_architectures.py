"""The architectures that a training can begin with: counts of parameters as published, layers, sizes."""

from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from app.errors import InputError
from app.kinds.architectures import ARCHITECTURES, Architecture, resolve_architecture
from models.architectures import BUILDERS, build_heads, build_stack
from models.architectures.ensemble import ensemble_params, ensemble_weights
from models.architectures.lenet import SOURCES, SparseConv, class_codes
from models.architectures.resnet import PaddedShortcut
from models.costs import layer_costs, multiply_adds
from models.network import Network, describe_layers
from models.trainable import Trainable, initialize, new_trainable, plain_weights

GREY = {"mean": (0.5,) * 3, "std": (0.25,) * 3}


def network_of(name: str, params: dict[str, object], size: int | None, classes: int) -> Network:
    """The network of an architecture, without weights."""
    found = resolve_architecture(name, params, size, classes)  # type: ignore[arg-type]
    return Network(name, build_stack(found.builder, found.params), **GREY, source="a test")


def in_training(name: str, classes: int, *, batch_norm: bool) -> Trainable:
    """The network of an architecture in training, without weights."""
    found = resolve_architecture(name, {}, None, classes)
    return new_trainable(found.builder, found.params, **GREY, batch_norm=batch_norm)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# As published, or as torchvision 0.28 counts them. Batch norms have a scale and a bias a channel, where the
# published network has norms.
@pytest.mark.medium
@pytest.mark.parametrize(
    ("name", "classes", "batch_norm", "parameters"),
    [
        ("lenet", 10, False, 61_706),
        ("lenet_1998", 10, False, 60_000),
        ("alexnet", 1000, False, 61_100_840),
        ("alexnet_2012", 1000, False, 60_965_224),
        ("zfnet", 1000, False, 62_357_608),
        ("zfnet_lecture", 1000, False, 107_627_624),
        ("vgg_a", 1000, False, 132_863_336),
        ("vgg_a_lrn", 1000, False, 132_863_336),
        ("vgg_b", 1000, False, 133_047_848),
        ("vgg_c", 1000, False, 133_638_952),
        ("vgg_d", 1000, False, 138_357_544),
        ("vgg_e", 1000, False, 143_667_240),
        ("vgg_a", 1000, True, 132_863_336 + 5_504 // 2),
        ("googlenet", 1000, True, 13_004_888),
        ("resnet18", 1000, True, 11_689_512),
        ("resnet34", 1000, True, 21_797_672),
        ("resnet50", 1000, True, 25_557_032),
        ("resnet101", 1000, True, 44_549_160),
        ("resnet152", 1000, True, 60_192_808),
        # He et al. 2016, table 6: 0.27, 0.46, 0.66 and 0.85 million.
        ("resnet20", 10, True, 269_722),
        ("resnet32", 10, True, 464_154),
        ("resnet44", 10, True, 658_586),
        ("resnet56", 10, True, 853_018),
        # The shortcuts of option A have no parameters; those of option B are 1 × 1, with norms.
        ("plain20", 10, True, 269_722),
        ("plain56", 10, True, 853_018),
        ("plain18", 1000, True, 11_689_512 - (64 * 128 + 128 * 256 + 256 * 512) - 2 * (128 + 256 + 512)),
        ("plain34", 1000, True, 21_797_672 - (64 * 128 + 128 * 256 + 256 * 512) - 2 * (128 + 256 + 512)),
    ],
)
def test_parameters_are_as_published(name: str, classes: int, batch_norm: bool, parameters: int) -> None:
    assert count(in_training(name, classes, batch_norm=batch_norm)) == parameters


def test_parameters_by_hand() -> None:
    assert count(network_of("linear", {}, 8, 10)) == 10 * (3 * 64 + 1)
    mlp = network_of("mlp", {"depth": 2, "width": 5}, 8, 10)
    assert count(mlp) == 5 * (3 * 64 + 1) + 5 * 6 + 10 * 6
    maxout = network_of("mlp", {"width": 5, "activation": "maxout"}, 8, 10)
    assert count(maxout) == 2 * 5 * (3 * 64 + 1) + 10 * 6
    # 3 × 3 filters of 3 and 16, then of 16 and 32 channels; 32 maps of 2 × 2 for a picture of 8 px.
    cnn = network_of("cnn", {"n": 1, "m": 2}, 8, 10)
    assert count(cnn) == 16 * 28 + 32 * 145 + 128 * (32 * 4 + 1) + 10 * 129
    assert count(in_training("googlenet", 1000, batch_norm=True).stack) == 6_624_904


def test_lenet_of_1998_by_layer() -> None:
    network = network_of("lenet_1998", {}, None, 10)
    counted = {name: count(module) for name, module in network.stack.items() if count(module)}
    assert counted == {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48_120, "f6": 10_164}
    # Section II.B: C1 has 122,304 connections, C3 151,600, C5 48,120; without those of biases:
    costs = layer_costs(network, 32, 32)
    assert costs["c1"].multiply_adds == 122_304 - 6 * 28 * 28
    assert costs["c3"].multiply_adds == 151_600 - 16 * 10 * 10
    assert costs["c5"].shape == (120, 1, 1)


def test_the_maps_of_c3_see_what_table_1_says() -> None:
    assert [len(each) for each in SOURCES] == [3] * 6 + [4] * 9 + [6]
    assert len(set(SOURCES)) == 16
    # Each map of S2 is seen by ten of C3.
    assert [sum(place in each for each in SOURCES) for place in range(6)] == [10] * 6
    conv = SparseConv(SOURCES, 5)
    picture = torch.rand(1, 6, 5, 5)
    before = conv(picture)
    picture[:, 3] += 1
    changed = (conv(picture) != before).flatten().tolist()
    assert changed == [3 in each for each in SOURCES]


def test_codes_of_classes_differ_in_about_half_of_the_units() -> None:
    codes = torch.from_numpy(class_codes(1000, 84))
    assert set(codes.unique().tolist()) == {-1.0, 1.0}
    products = codes @ codes.T - 84 * torch.eye(1000)
    assert products.abs().max() < 60
    assert abs(float(products.mean())) < 0.1


# Giga-multiply-adds as torchvision counts them.
@pytest.mark.medium
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("vgg_a", 7.61), ("vgg_b", 11.31), ("vgg_d", 15.47), ("vgg_e", 19.63), ("alexnet", 0.714)),
        *(("googlenet", 1.498), ("resnet18", 1.814), ("resnet50", 4.089), ("resnet152", 11.514)),
    ],
)
def test_multiply_adds_are_as_published(name: str, expected: float) -> None:
    assert multiply_adds(network_of(name, {}, None, 1000)) / 1e9 == pytest.approx(expected, abs=0.006)


def test_sides_of_maps_are_as_published() -> None:
    def sides(name: str) -> list[int]:
        network = network_of(name, {}, None, 10)
        side = resolve_architecture(name, {}, None, 10).input_size
        costs = layer_costs(network, side, side)
        kinds = {layer.name: layer.kind for layer in network.layers}
        return [cost.shape[1] for layer, cost in costs.items() if kinds[layer] in ("conv", "pool")]

    assert sides("alexnet_2012") == [55, 27, 27, 13, 13, 13, 13, 6]
    assert sides("zfnet") == [110, 55, 26, 13, 13, 13, 13, 6]
    assert network_of("vgg_c", {}, None, 10).stack["conv5_3"].kernel_size == (1, 1)
    assert list(network_of("vgg_a_lrn", {}, None, 10).stack)[:4] == ["conv1_1", "relu1_1", "norm1_1", "pool1"]
    assert list(network_of("plain20", {}, None, 10).stack)[:5] == [
        *("conv1", "relu1", "conv2_1", "relu2_1", "conv2_2")
    ]


@pytest.mark.medium
@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_the_smallest_picture_is_the_smallest_that_works(name: Architecture) -> None:
    spec = ARCHITECTURES[name]
    assert spec.smallest <= spec.size
    network = network_of(name, {}, spec.smallest, 7)
    assert network.minimum_side(list(network.stack)) <= spec.smallest
    assert network.layers[-1].kind == "logits"
    assert network.layers[-1].channels == 7
    costs = layer_costs(network, spec.smallest, spec.smallest)
    assert costs["logits"].shape == (7,)
    for layer in network.layers:
        assert costs[layer.name].shape[0] == layer.channels, layer
        assert (len(costs[layer.name].shape) == 3) == (layer.receptive_field > 0), layer
        assert prod(costs[layer.name].shape) > 0
    if spec.smallest > 1:
        with pytest.raises(InputError, match=f"{spec.smallest} px or more") as caught:
            resolve_architecture(name, {}, spec.smallest - 1, 7)
        assert caught.value.field == "size"
        if not spec.sized:
            assert network.minimum_side(list(network.stack)) == spec.smallest


@pytest.mark.medium
@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_a_classifier_on_any_layer(name: Architecture) -> None:
    found = resolve_architecture(name, {}, None, 10)
    layers = describe_layers(build_stack(found.builder, found.params))
    for layer in layers[:: max(1, len(layers) // 12)]:
        params = {**found.params, "classes": 3, "features": layer.name}
        if layer.kind == "logits":
            with pytest.raises(ValueError, match="does not take"):
                build_stack(found.builder, params)
            continue
        stack = build_stack(found.builder, params)
        names = [each.name for each in layers[: layers.index(layer) + 1]]
        added = ["features_mean", "logits"] if layer.receptive_field else ["logits"]
        assert list(stack) == names + added
        assert stack["logits"].in_features == layer.channels
        assert stack["logits"].out_features == 3
        assert build_heads(found.builder, params) == {}


@pytest.mark.medium
@settings(max_examples=40, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "n": st.integers(1, 3),
            "m": st.integers(1, 4),
            "k": st.integers(0, 2),
            "width": st.integers(1, 9),
            "units": st.integers(1, 9),
            "filter": st.sampled_from([1, 3, 5]),
            "pooling": st.sampled_from(["max", "average", "l2", "sum", "none"]),
            "activation": st.sampled_from(["sigmoid", "tanh", "relu", "leaky_relu", "elu", "maxout"]),
            "dropout": st.sampled_from([0.0, 0.5]),
        },
    ),
    st.integers(8, 40),
    st.booleans(),
)
def test_any_cnn_learns_from_pictures_of_any_size(
    params: dict[str, object], size: int, batch_norm: bool
) -> None:
    if params.get("m", 1) > size.bit_length() - 1:  # type: ignore[operator]
        with pytest.raises(InputError, match="halved") as caught:
            resolve_architecture("cnn", params, size, 4)  # type: ignore[arg-type]
        assert caught.value.field == "architecture_params.m"
        return
    found = resolve_architecture("cnn", params, size, 4)  # type: ignore[arg-type]
    model = initialize(new_trainable("cnn", found.params, **GREY, batch_norm=batch_norm), 1)
    pictures = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(2))
    model(pictures).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    n, m, k = (found.params[name] for name in "nmk")
    kinds = [layer.kind for layer in describe_layers(build_stack("cnn", found.params))]
    assert (kinds.count("conv"), kinds.count("fc")) == (n * m, k)
    assert kinds.count("pool") == (0 if found.params["pooling"] == "none" else m)
    network = Network("cnn", build_stack("cnn", found.params), **GREY, source="")
    network = network.with_weights(plain_weights(model))
    assert network.logits(pictures).isfinite().all()
    # Larger ones are averaged.
    assert network.logits(torch.rand(1, 3, size + 5, size + 9)).shape == (1, 4)


def test_an_ensemble_is_the_mean_of_its_probabilities() -> None:
    found = resolve_architecture("mlp", {"width": 6}, 8, 4)
    members = [
        plain_weights(initialize(new_trainable(found.builder, found.params, **GREY), seed)) for seed in (1, 2)
    ]
    for weights in members:
        weights["logits.weight"] *= 100
    pictures = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    alone = [
        Network("mlp", build_stack(found.builder, found.params), **GREY, source="").with_weights(weights)
        for weights in members
    ]
    expected = torch.stack([each.logits(pictures).softmax(1) for each in alone]).mean(0)
    stack = build_stack("ensemble", ensemble_params(found.builder, found.params, 2))
    together = Network("two", stack, **GREY, source="").with_weights(ensemble_weights(members))
    torch.testing.assert_close(together.logits(pictures).exp(), expected)
    assert (expected - alone[0].logits(pictures).softmax(1)).abs().max() > 0.01
    assert [layer.kind for layer in together.layers] == ["logits"]
    assert count(together) == 2 * count(alone[0])


def test_an_ensemble_of_convolutions_needs_what_its_members_need() -> None:
    params = ensemble_params("vgg", {"depth": 11, "width": 1 / 16, "classes": 3}, 2)
    network = Network("two", build_stack("ensemble", params), **GREY, source="")
    assert network.minimum_side(["logits"]) == 32


@pytest.mark.parametrize(
    ("architecture", "params"),
    [
        ("none", {}),
        ("ensemble", {"member": "ensemble", "member_params": "{}", "count": 2}),
        ("ensemble", {"member": "linear", "member_params": "5", "count": 2}),
        ("ensemble", {"member": "linear", "member_params": '{"side": 8, "classes": 3}', "count": 99}),
        ("mlp", {"side": 8, "classes": 3, "depth": 10**9}),
        ("cnn", {"side": 8, "classes": 3, "n": 10**9}),
        ("cnn", {"side": 8, "classes": 3, "m": 4}),
        ("cnn", {"side": 8, "classes": 3, "m": 10**9, "n": 0}),
        ("cnn", {"side": 8, "classes": 3, "m": 10**9, "k": -(10**9)}),
        ("mlp", {"side": 8, "classes": 3, "depth": -1}),
        ("cnn", {"side": 8, "classes": 3, "pooling": "median"}),
        ("mlp", {"side": 8, "classes": 3, "activation": "step"}),
        ("cifar_resnet", {"depth": 6 * 10**9 + 2, "classes": 3}),
        ("cifar_resnet", {"depth": 21, "classes": 3}),
        ("resnet", {"depth": 50, "classes": 3, "shortcuts": False}),
        ("linear", {"side": 8, "classes": 3, "features": "conv1"}),
        ("vgg", {"depth": 11, "features": "pool1"}),
    ],
)
def test_strange_params_are_refused(architecture: str, params: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=architecture):
        build_stack(architecture, params)


def test_every_builder_has_a_name_that_a_training_gives_or_a_network_has() -> None:
    given_names = {spec.builder for spec in ARCHITECTURES.values()}
    shipped = {"palette", "squeezenet1_1", "mobilenet_v2", "efficientnet_lite0"}
    assert given_names | shipped | {"ensemble"} == set(BUILDERS)


def test_shortcuts_of_option_a_pad_with_zeros() -> None:
    maps = torch.arange(2 * 3 * 3.0).view(1, 2, 3, 3)
    found = PaddedShortcut(2, 3, 2)(maps)
    assert found[0].tolist() == [[[0, 2], [6, 8]], [[9, 11], [15, 17]], [[0, 0], [0, 0]]]
