"""Lists of layers as text and as JSON, and the params of architecture."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.kinds.architecture import ResolvedArchitecture
from app.kinds.layer_lists import MAX_LAYERS, Filters, FullyConnected, as_text, format_layers, parse_layers
from app.networks.catalogue import SHIPPED


def resolved(**params: Any) -> ResolvedArchitecture:
    made = parse_params("architecture", params, SHIPPED)
    assert isinstance(made, ResolvedArchitecture)
    return made


def refusal(**params: Any) -> tuple[str, str]:
    with pytest.raises(ParamsError) as caught:
        parse_params("architecture", params, SHIPPED)
    (error,) = caught.value.errors
    return error.field, error.detail


def test_the_pattern_of_the_lecture() -> None:
    layers = parse_layers("[(CONV-RELU)*2-POOL]*3-[FC-RELU]*2-FC")

    kinds = [layer.type for layer in layers]
    assert kinds == ["conv", "relu", "conv", "relu", "pool"] * 3 + ["fc", "relu"] * 2 + ["fc"]
    assert [layer.units for layer in layers if isinstance(layer, FullyConnected)] == [4096, 4096, 1000]
    assert layers[0] == Filters(type="conv", filters=64, size=3, padding=1)


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("CONV5x5-10/1p2", {"type": "conv", "filters": 10, "size": 5, "stride": 1, "padding": 2}),
        ("conv5-10", {"type": "conv", "filters": 10, "size": 5}),
        ("CONV-128", {"type": "conv", "filters": 128, "size": 3, "padding": 1}),
        ("CONV3×3-8g2nobias", {"type": "conv", "filters": 8, "size": 3, "groups": 2, "bias": False}),
        ("LOCAL11x11-96/4", {"type": "locally_connected", "filters": 96, "size": 11, "stride": 4}),
        ("POOL3x3/2ceil", {"type": "pool", "size": 3, "stride": 2, "rounding": "ceil"}),
        ("avgpool", {"type": "pool", "method": "average"}),
        ("L2POOL3/2p1", {"type": "pool", "method": "L2", "size": 3, "stride": 2, "padding": 1}),
        ("FC-10nobias", {"type": "fc", "units": 10, "bias": False}),
        ("FC10", {"type": "fc", "units": 10}),
        ("GAP", {"type": "global_average"}),
        ("LRN", {"type": "norm", "method": "local_response"}),
        ("BN", {"type": "norm"}),
        ("DROPOUT", {"type": "dropout"}),
    ],
)
def test_a_layer_as_text_and_as_json(text: str, layer: dict[str, Any]) -> None:
    canonical = as_text([layer])
    assert format_layers(parse_layers(text)) == canonical
    assert as_text(json.dumps([layer])) == canonical


_FILTERS = st.builds(
    Filters,
    type=st.sampled_from(["conv", "locally_connected"]),
    filters=st.integers(1, 99),
    size=st.integers(1, 99),
    stride=st.integers(1, 99),
    padding=st.integers(0, 99),
    groups=st.integers(1, 9),
    bias=st.booleans(),
    rounding=st.sampled_from([None, "floor", "ceil"]),
)


@pytest.mark.medium
@given(
    st.lists(_FILTERS | st.builds(FullyConnected, type=st.just("fc"), units=st.integers(1, 9)), min_size=1)
)
def test_text_says_all_that_json_does(layers: list[Any]) -> None:
    assert parse_layers(format_layers(layers)) == layers


@given(st.text(alphabet="CONVPLFREU()[]*-/x5 pg1,", max_size=40))
def test_any_text_is_layers_or_an_error_that_says_why(text: str) -> None:
    try:
        layers = parse_layers(text)
    except ValueError as error:
        assert len(str(error)) > 10
    else:
        assert parse_layers(format_layers(layers)) == parse_layers(format_layers(layers))


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("", "there is no layer"),
        ("CONV5x3", "only squares"),
        ("CONVV-3", "'CONVV-3' at character 1 is no layer"),
        ("FC-(CONV", "'(' at character 4 opens is not closed"),
        ("CONV)", "')' at character 5 closes a group that was not opened"),
        ("[CONV)", "does not close"),
        ("CONV-", "followed by no layer"),
        ("CONV RELU", "'RELU' at character 6 must be joined"),
        ("CONV-POOL?", "'?' at character 10"),
        ("RELU3", "takes no numbers"),
        ("POOL2-3", "as many channels as its input"),
        ("FC/2", "FC has no stride"),
        ("FC3-2", "the units alone"),
        ("CONV*N", "'*' at character 5"),
        ("CONV*0", "repeated 1 to"),
        ("CONV3-0", "layer 1: filters: Input should be greater than or equal to 1"),
        ("CONV3-99999999999999999", "layer 1: filters: Input should be less"),
        ("(" * 20 + "CONV" + ")" * 20, "deep at most"),
        (f"CONV*{MAX_LAYERS}-CONV", f"more than {MAX_LAYERS} layers"),
        ("(((CONV*1000)*1000)*1000)*1000", f"more than {MAX_LAYERS} layers"),
        ("[{oops", "this begins as JSON"),
        ('[{"a":' + "[" * 9000, "this begins as JSON"),
        ('[{"a":' + "[" * 90_000, "characters are too many"),
        ([{"type": "conv", "filters": 1 << 24, "size": 1 << 14}] * 1000, "as text they have"),
        ([{"type": "conv"}], "layer 1: filters: Field required"),
        ([{"type": "relu"}, {"type": "fc", "units": 3, "x": 1}], "layer 2: x: Extra inputs"),
        ([{"type": "cnv"}], "layer 1: Input tag 'cnv'"),
        ([], "at least 1"),
        ([3], "layer 1: "),
        (3, "valid string"),
    ],
)
def test_what_is_no_list_of_layers(layers: Any, said: str) -> None:
    field, detail = refusal(layers=layers, input=32)
    assert field == "layers" and said in detail


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (32, [3, 32, 32]),
        ("32", [3, 32, 32]),
        (["32"], [3, 32, 32]),
        ([1, 28, 28], [1, 28, 28]),
        ("3x32x64", [3, 32, 64]),
        ("3, 32, 64", [3, 32, 64]),
    ],
)
def test_an_input_by_its_side_or_in_full(given: Any, shape: list[int]) -> None:
    assert resolved(layers="FC", input=given).input == shape


@pytest.mark.parametrize("given", [0, [3, 4], "big", [3, 32, 32, 32], True, 1 << 20])
def test_what_is_no_input(given: Any) -> None:
    assert refusal(layers="FC", input=given)[0].startswith("input")


def test_a_network_brings_its_input_and_layers_take_its_place() -> None:
    network = resolved(network="vgg19")
    assert (network.network, network.input) == ("vgg19", [3, 224, 224])
    need = network.network_need()
    assert need is not None and not need.weights

    layers = resolved(layers="FC-10")
    assert (layers.network, layers.layers, layers.network_need()) == (None, "FC-10", None)
    assert resolved(network=None) == resolved()


@pytest.mark.parametrize(
    ("params", "field", "said"),
    [
        ({"network": "vgg20"}, "network", "no network 'vgg20'"),
        ({"network": "vgg19", "rounding": "floor"}, "rounding", "rounds as it was built"),
        ({"network": "vgg19", "layers": "FC-10"}, "network", "leave out one of the two"),
        ({"network": "vgg19", "input": [1, 32, 32]}, "input", "takes 3 channels, not 1"),
    ],
)
def test_what_does_not_go_with_a_network(params: dict[str, Any], field: str, said: str) -> None:
    found = refusal(**params)
    assert found[0] == field and said in found[1]
