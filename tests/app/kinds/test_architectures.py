"""Architectures by name, without torch."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InputError
from app.kinds.architectures import ARCHITECTURES, Architecture, resolve_architecture
from app.kinds.train import TrainParams
from app.networks.catalogue import SHIPPED


def test_every_name_has_an_entry() -> None:
    assert list(ARCHITECTURES) == list(get_args(Architecture))


def test_a_card_has_what_the_builder_needs() -> None:
    assert resolve_architecture("linear", {}, None, 5) == ("linear", {"side": 32, "classes": 5}, 32)
    assert resolve_architecture("resnet20", {"width": 0.5}, 48, 3) == (
        "cifar_resnet",
        {"depth": 20, "width": 0.5, "classes": 3},
        48,
    )
    found = resolve_architecture("mlp", {"depth": "2", "activation": "maxout"}, 8, 10)
    assert found.params["depth"] == 2
    assert found.params["activation"] == "maxout"
    assert found.params["side"] == found.input_size == 8


@pytest.mark.parametrize(("size", "stages"), [(8, 1), (15, 1), (16, 2), (28, 2), (32, 3), (64, 4), (128, 5)])
def test_stages_of_a_cnn_leave_maps_of_four_positions_a_side(size: int, stages: int) -> None:
    assert resolve_architecture("cnn", {}, size, 2).params["m"] == stages


@given(st.integers(8, 1024))
def test_a_cnn_for_any_size(size: int) -> None:
    stages = resolve_architecture("cnn", {}, size, 2).params["m"]
    assert isinstance(stages, int)
    assert 4 <= size >> stages <= 7


@pytest.mark.parametrize(
    ("name", "params", "size", "field", "said"),
    [
        ("lenet6", {}, None, "architecture", "There are linear, mlp"),
        ("cnn", {"depth": 3}, None, "architecture_params.depth", "it takes n, m, k"),
        ("lenet", {"width": 2}, None, "architecture_params.width", "it takes none"),
        ("cnn", {"filter": 4}, None, "architecture_params.filter", "odd"),
        ("cnn", {"filter": 13}, None, "architecture_params.filter", "less than or equal to 11"),
        ("cnn", {"m": 4}, 8, "architecture_params.m", "use 3 at most"),
        ("mlp", {"activation": "step"}, None, "architecture_params.activation", "maxout"),
        ("mlp", {"width": float("nan")}, None, "architecture_params.width", "finite"),
        ("vgg_a", {"width": 0}, None, "architecture_params.width", "0.0625"),
        ("vgg_a", {}, 31, "size", "32 px or more, not 31"),
        ("lenet_1998", {}, 28, "size", "32 px or more"),
    ],
)
def test_what_is_wrong_is_named(
    name: str, params: dict[str, Any], size: int | None, field: str, said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        resolve_architecture(name, params, size, 4)
    assert caught.value.field == field


def test_fixed_codes_are_no_embedding() -> None:
    params = {"dataset": "digits", "preset": "from-scratch", "architecture": "lenet_1998"}
    assert TrainParams.model_validate(params).resolve(SHIPPED).size == 32
    with pytest.raises(InputError, match="take lenet") as caught:
        TrainParams.model_validate({**params, "objective": "triplet"}).resolve(SHIPPED)
    assert caught.value.field == "objective"


def test_params_of_a_form_have_titles() -> None:
    for name, spec in ARCHITECTURES.items():
        for param, shown in spec.params.model_json_schema()["properties"].items():
            assert shown["title"], (name, param)
