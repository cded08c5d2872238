"""What jobs must have in common to be computed together."""

from typing import Any

import pytest

from app.kinds import KINDS, Params
from app.kinds.stacking import fitted, short_hash
from app.kinds.style_presets import IMPASTO_STYLE_LAYERS
from app.networks.catalogue import SHIPPED

SIDES = {"wide": (1200, 900), "also wide": (400, 300), "tall": (900, 1200)}

GIVEN: dict[str, dict[str, Any]] = {
    "style_transfer": {"content": "wide", "style": ["wide"], "size": 128, "steps": 20},
    "texture_synthesis": {"image": "wide", "size": 128, "steps": 20},
    "feature_inversion": {"image": "wide", "size": 64, "steps": 20, "layers": ["relu2_2", "relu3_4"]},
}


def key(kind: str, **values: Any) -> str | None:
    params: Params = KINDS[kind].params.model_validate({**GIVEN[kind], **values}).resolve(SHIPPED)
    return params.stack_key(SIDES)


SAME: list[tuple[str, dict[str, Any]]] = [
    ("style_transfer", {"content": "also wide", "style": ["tall", "wide"], "style_weight": 3, "seed": 1}),
    ("style_transfer", {"style_scales": [2], "fine_style": "tall"}),
    ("style_transfer", {"style_size": 300}),
    ("style_transfer", {"optimizer": "adam", "init": "noise", "color": "content", "tv_weight": 0}),
    ("style_transfer", {"style_layers": dict.fromkeys(IMPASTO_STYLE_LAYERS, 2)}),
    ("texture_synthesis", {"seed": 5, "tv_weight": 0.5}),
    ("texture_synthesis", {"image": "tall"}),
    ("feature_inversion", {"image": "also wide", "seed": 3, "optimizer": "adam"}),
    ("feature_inversion", {"layers": ["relu3_4", "relu2_2"]}),
]


@pytest.mark.parametrize(("kind", "values"), SAME)
def test_what_each_has_of_its_own_may_differ(kind: str, values: dict[str, Any]) -> None:
    assert key(kind, **values) == key(kind) is not None


OTHER: list[tuple[str, dict[str, Any]]] = [
    *(
        ("style_transfer", {name: value})
        for name, value in {
            "content": "tall",
            "size": 129,
            "steps": 21,
            "preset": "gatys-2016",
            "pooling": "max",
            "network": "vgg19-random",
            "style_layers": ["relu1_1"],
            "style_loss": "wasserstein",
            "content_weight": 0,
            "tileable": True,
            "views": ["picture"],
        }.items()
    ),
    *(
        ("texture_synthesis", {name: value})
        for name, value in {
            "image": "also small",
            "size": 96,
            "aspect": 2.0,
            "steps": 21,
            "seamless": True,
            "source_size": 64,
            "layers": ["relu1_1"],
            "variations": 2,
        }.items()
    ),
    *(
        ("feature_inversion", {name: value})
        for name, value in {
            "image": "tall",
            "size": 65,
            "steps": 21,
            "layers": ["relu2_2"],
            "parametrization": "pixels",
            "p_weight": 0.1,
            "tv_weight": 0.1,
            "variations": 2,
        }.items()
    ),
]


@pytest.mark.parametrize(("kind", "values"), OTHER)
def test_what_a_pass_has_in_common_may_not(kind: str, values: dict[str, Any]) -> None:
    assert key(kind, **values) != key(kind)


@pytest.mark.parametrize("loss", ["nearest_neighbors", "relaxed_emd", "sliced_wasserstein", "histogram"])
def test_losses_that_rounding_may_change_have_none(loss: str) -> None:
    assert key("style_transfer", style_loss=loss) is None


@pytest.mark.parametrize("kind", GIVEN)
def test_a_picture_of_unknown_size_has_no_key_and_others_a_short_one(kind: str) -> None:
    field = "content" if kind == "style_transfer" else "image"
    assert key(kind, **{field: "a job's/image"}) is None
    found = key(kind)
    assert found is not None and len(found) <= 200


def test_sides_are_fitted_as_pictures_are() -> None:
    assert fitted((1200, 900), 128) == (128, 96)
    assert fitted((900, 1200), 128) == (96, 128)
    assert fitted((1, 1000), 100) == (1, 100)


def test_a_hash_of_names_knows_no_order_but_which_list_they_are_in() -> None:
    assert short_hash(["a", "b"], ["c"]) == short_hash(["b", "a"], ["c"])
    assert (
        len({short_hash(["a", "b"], ["c"]), short_hash(["a"], ["b", "c"]), short_hash(["a", "b", "c"])}) == 3
    )
