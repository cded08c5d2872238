"""Options made from a params class."""

from pathlib import Path
from typing import Any, get_args

import pytest

from app.cli.options import option_name, option_parameters, params_of
from app.kinds.style_transfer import StyleTransferParams

FIELDS = StyleTransferParams.model_fields


def types_and_options() -> dict[str, tuple[Any, Any]]:
    made = option_parameters(StyleTransferParams, without=("content", "style"))
    return {parameter.name: get_args(parameter.annotation) for parameter in made}


def test_there_is_one_option_for_each_param() -> None:
    assert set(types_and_options()) == set(FIELDS) - {"content", "style"}
    assert option_name("tv_weight") == "--tv-weight"


def test_nothing_given_leaves_every_default_to_the_class() -> None:
    made = option_parameters(StyleTransferParams, without=())
    assert {parameter.default for parameter in made} == {None}
    assert params_of(StyleTransferParams, dict.fromkeys(FIELDS)) == {}


def test_descriptions_choices_and_defaults_are_those_of_the_class() -> None:
    made = types_and_options()
    for name, (_, option) in made.items():
        description = FIELDS[name].description
        assert description and option.help.startswith(description)
    assert (
        made["preset"][1].metavar
        == "impasto|gatys-2016|gatys-2016-code|neural-style|crowson-2021|crowson-2023|strotss-2019|nnst-2022"
    )
    assert made["preset"][1].help.endswith("Default: impasto.")
    assert made["optimizer"][1].metavar == "lbfgs|preconditioned_lbfgs|adam"
    assert "Default" not in made["optimizer"][1].help


def test_pictures_are_files() -> None:
    made = types_and_options()
    kinds = {name: kind for name, (kind, _) in made.items() if "Path" in str(kind)}
    assert kinds == {
        "fine_style": Path | None,
        "init_image": Path | None,
        "continue_from": Path | None,
        "content_mask": Path | None,
        "content_weight_map": Path | None,
        "style_masks": list[Path] | None,
    }
    assert made["style_masks"][1].help.endswith("Once for each picture.")


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("style_weights", "1, 2.5", ["1", "2.5"]),
        ("style_weights", "3", ["3"]),
        ("style_layers", "relu1_1,relu2_1", ["relu1_1", "relu2_1"]),
        ("style_layers", "relu1_1=1, relu2_1=0.5", {"relu1_1": "1", "relu2_1": "0.5"}),
        ("style_layers", "relu1_1=1,relu2_1", {"relu1_1": "1", "relu2_1": ""}),
        ("network", "a,b=c", "a,b=c"),
        ("size", "64", "64"),
    ],
)
def test_lists_and_mappings_are_read_from_text(option: str, text: str, value: Any) -> None:
    assert params_of(StyleTransferParams, {option: text}) == {option: value}


def test_the_class_reads_what_was_parsed() -> None:
    given = params_of(
        StyleTransferParams,
        {"style_weights": "1,3", "style_layers": "relu1_1=2", "size": "64", "style_weight": "1e3"},
    )
    params = StyleTransferParams(content="c", style=["a", "b"], **given)
    assert params.style_weights == [1, 3]
    assert params.style_layers == {"relu1_1": 2}
    assert (params.size, params.style_weight) == (64, 1000)
