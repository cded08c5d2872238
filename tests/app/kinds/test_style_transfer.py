"""Params of style transfer that exclude or need each other."""

import pytest
from pydantic import ValidationError

from app.errors import InputError
from app.kinds.style_presets import LARGEST_VIEWED
from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.kinds.work import scale_sides
from app.networks.catalogue import SHIPPED, get_card


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
    # Its colors count.
    resolved(fine_style="f", style_weight=0, color_match="pca")


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


Sides = tuple[int, int]


@pytest.mark.parametrize(
    ("content", "mask", "size", "fits"),
    [
        ((4000, 3000), (4000, 3000), 512, True),
        ((4000, 3000), (100, 75), 512, True),
        # A pixel is rounded away.
        ((4000, 3000), (10, 7), 512, True),
        ((4000, 3000), (4000, 2920), 512, True),
        ((4000, 3000), (4000, 2880), 512, False),
        ((4000, 3000), (3000, 4000), 512, False),
        # As small as the job loads them the difference is a pixel.
        ((4000, 3000), (4000, 2800), 16, True),
    ],
)
def test_masks_have_the_proportions_of_the_content(
    content: Sides, mask: Sides, size: int, fits: bool
) -> None:
    params = resolved(size=size, style_masks=["m", "n"], content_mask="p")
    sides = {"content": [content], "style_masks": [None, mask], "content_mask": [content]}
    found = params.problems_of_sides(sides.__getitem__)
    assert [error.field for error in found] == ([] if fits else ["style_masks.1"])
    assert all(f"{mask[0]}×{mask[1]}" in error.detail for error in found)
    assert params.problems_of_sides({**sides, "content": [None]}.__getitem__) == []


def test_views_are_a_list_or_a_text_and_each_is_named_once() -> None:
    given: dict[str, object] = {"content": "c", "style": ["s"]}
    for views in (["negative", "picture"], "negative, picture"):
        params = StyleTransferParams.model_validate({**given, "views": views}).resolve(SHIPPED)
        assert params.views == ["negative", "picture"]
        assert params.views_at(LARGEST_VIEWED) == ["negative", "picture"]
    for wrong, message in (
        (["picture", "picture"], "named twice"),
        (["sepia"], "'negative'"),
        ([], "at least 1"),
    ):
        with pytest.raises(ValidationError, match=message):
            StyleTransferParams.model_validate({**given, "views": wrong})


def test_beyond_the_coarse_scales_views_take_turns() -> None:
    def views_of(size: int, *views: str) -> list[list[str]]:
        given = {"content": "c", "style": ["s"], "size": size, "views": [*views]}
        params = StyleTransferParams.model_validate(given).resolve(SHIPPED)
        return [[*params.views_at(side)] for side in scale_sides(size, 90)]

    both = ["picture", "negative"]
    assert LARGEST_VIEWED == 150
    turns = [["negative"], ["picture"]]
    # 91, 128; 181, 256, 362, 512.
    assert views_of(512, *both) == [both] * 2 + turns * 2
    # 94, 133; 188, 265, 375, 530, 750.
    assert views_of(750, *both) == [both] * 2 + [["picture"]] + turns * 2
    three = ["rotated", "picture", "negative"]
    in_turn = [["rotated"], ["negative"], ["picture"], ["rotated"]]
    assert views_of(1024, *three) == [three] * 2 + [["negative"], ["picture"]] + in_turn
    assert views_of(512, "picture") == [["picture"]] * 6


def test_more_views_are_more_work_where_they_are_seen() -> None:
    def work(size: int, *views: str) -> float:
        given = {"content": "c", "style": ["s"], "size": size, "views": [*views]}
        found = StyleTransferParams.model_validate(given).resolve(SHIPPED).work(get_card("palette"), 1)
        assert found is not None
        return found

    assert 1.5 < work(128, "picture", "negative") / work(128, "picture") < 2
    assert 1 < work(2048, "picture", "negative") / work(2048, "picture") < 1.1


def test_a_job_of_before_there_were_views_is_asked_for_with_the_picture_alone() -> None:
    stored = resolved(size=64).model_dump(mode="json")
    assert StyleTransferParams.present_values(stored, {}) == stored
    earlier = {name: value for name, value in stored.items() if name != "views"}
    assert ResolvedStyleTransfer.model_validate(earlier).views == ["picture"]
    asked = StyleTransferParams.present_values(earlier, {})
    assert StyleTransferParams.model_validate(asked).resolve(SHIPPED).views == ["picture"]
    # Not resolved: the preset says.
    assert StyleTransferParams.present_values({"size": 64}, {}) == {"size": 64}
