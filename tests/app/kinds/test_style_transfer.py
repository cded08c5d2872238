"""Params of style transfer that exclude or need each other."""

import pytest

from app.errors import InputError
from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.networks.catalogue import SHIPPED


def resolved(**values: object) -> ResolvedStyleTransfer:
    given = {"content": "c", "style": ["s", "t"], "size": 500, **values}
    return StyleTransferParams.model_validate(given).resolve(SHIPPED)


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"style_scales": [1]}, "style_scales", "1 scales for 2 style pictures: give one for each, or none."),
        ({"style_scales": [1, 2], "style_scale": 0.5}, "style_scales", "style_scale is 0.5, for all"),
        ({"style_size": 300, "style_scale": 2}, "style_size", "style_scale is relative to the size"),
        ({"style_size": 300, "style_scales": [1, 2]}, "style_size", "style_scales is relative to the size"),
        (
            {"fine_style": "f", "style_layers": ["relu3_1", "relu4_1"]},
            "fine_style",
            "No layer is left for fine_style: of the style layers relu3_1, relu4_1 none has a stride of at ",
        ),
        (
            {"fine_style": "f", "style_layers": {"relu1_1": 1, "relu2_2": 2, "relu3_1": 0}},
            "fine_style",
            "No layer is left for style: of the style layers relu1_1, relu2_2 none has a stride of more",
        ),
    ],
)
def test_what_does_not_go_together_is_named(values: dict[str, object], field: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        resolved(**values)
    assert caught.value.field == field


def test_what_does() -> None:
    assert resolved(style_scale=2).scales_of_styles() == [2, 2]
    assert resolved(style_scales=[1, 2]).scales_of_styles() == [1, 2]
    assert resolved(style_size=300, style_scales=[1, 1]).scales_of_styles() == [1, 1]
    assert resolved(fine_style="f").pictures()["fine_style"] == ["f"]
    resolved(fine_style="f", style_layers=["relu3_1"], style_weight=0)


@pytest.mark.parametrize(
    ("values", "style", "fine_style"),
    [
        ({}, 500, 500),
        ({"style_scale": 0.25}, 125, 125),
        ({"style_scales": [0.5, 2]}, 1000, 250),
        ({"style_size": 700}, 700, 700),
    ],
)
def test_pictures_are_read_as_large_as_they_are_used(
    values: dict[str, object], style: int, fine_style: int
) -> None:
    params = resolved(fine_style="f", **values)
    assert [params.picture_side(field) for field in ("style", "fine_style", "content")] == [
        *(style, fine_style),
        500,
    ]
