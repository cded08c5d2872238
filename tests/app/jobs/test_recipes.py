"""Recipes in pictures of anybody's: what of them can be asked for again, and that none does harm."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import PngImagePlugin
from sqlalchemy import Engine

from app.database.engine import make_engine
from app.database.ids import new_id
from app.database.migrations import upgrade
from app.jobs.params import parse_params
from app.jobs.recipes import MAX_LEFT_OUT, reusable
from app.kinds import KINDS
from app.media.recipe_text import MAX_RECIPE_BYTES, RECIPE_KEY
from app.networks.catalogue import SHIPPED
from app.settings import Settings
from tests.app.conftest import upload
from tests.support.clips import mp4
from tests.support.strange_pictures import noise, plain

LISTED = [name for name, spec in KINDS.items() if spec.listed]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    url = Settings(data_dir=tmp_path_factory.mktemp("recipes")).resolved_database_url
    upgrade(url)
    engine = make_engine(url)
    yield engine
    engine.dispose()


def with_recipe(recipe: Any, size: tuple[int, int] = (24, 16)) -> bytes:
    """A picture with a text in it as a job writes its recipe."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(RECIPE_KEY, recipe if isinstance(recipe, str) else json.dumps(recipe))
    return plain(size=size, pnginfo=info)


def recipe_of(client: TestClient, recipe: Any) -> Any:
    """What the service says of the recipe in a picture."""
    image = upload(client, with_recipe(recipe)).json()["id"]
    answer = client.get(f"/v1/images/{image}/recipe")
    assert answer.status_code == 200, answer.text
    return answer.json()


def painting(**params: Any) -> dict[str, Any]:
    return {"kind": "style_transfer", "params": {"size": 96, "seed": 3, **params}}


@pytest.mark.parametrize("kind", LISTED)
def test_the_settings_of_a_job_are_taken_as_they_were(engine: Engine, kind: str) -> None:
    spec = KINDS[kind]
    fields = spec.params.model_fields
    pictures = {
        name: [new_id()] if mark.many else new_id()
        for name, mark in spec.params.picture_fields().items()
        if fields[name].is_required() or name == spec.example_picture
    }
    params = parse_params(kind, {**spec.example, **pictures}, SHIPPED).model_dump(mode="json")

    found = reusable(engine, {"kind": kind, "params": params})

    assert found is not None
    used = {name: value for name, value in params.items() if value is not None and name not in pictures}
    assert found.params == used
    assert {each.field for each in found.left_out} == pictures.keys()


def test_pictures_come_along_where_the_same_are_stored(client: TestClient) -> None:
    one, two = (upload(client, noise(seed=seed)).json() for seed in (1, 2))
    recipe = painting(content=one["id"], style=[two["id"], one["id"]], content_mask=two["id"])
    hashes = {"content": [one["sha256"]], "style": [two["sha256"], one["sha256"]]}

    # The mask is another picture now, or one of another service that has the id by chance.
    found = recipe_of(client, recipe | {"inputs": hashes | {"content_mask": [one["sha256"]]}})

    assert found["params"] == {
        "size": 96,
        "seed": 3,
        "content": one["id"],
        "style": [two["id"], one["id"]],
    }
    assert found["left_out"] == [{"param": "content_mask", "detail": "This is not stored here."}]
    # All of a list, or none of it: shares and masks go by their places.
    client.delete(f"/v1/images/{two['id']}")
    found = recipe_of(client, recipe | {"inputs": hashes})
    assert [each["param"] for each in found["left_out"]] == ["style", "content_mask"]


def test_what_is_unknown_or_of_a_wrong_type_is_named_and_left_out(client: TestClient) -> None:
    strange = {"style_weight": "20", "steps": 2.5, "style_layers": [["relu1_1"]], "color": "mauve"}
    found = recipe_of(client, painting(**strange, network="of-mine", speed=9, tileable=True))

    assert found["params"] == {"size": 96, "seed": 3, "tileable": True}
    reasons = {each["param"]: each["detail"] for each in found["left_out"]}
    assert reasons.keys() == {*strange, "network", "speed"}
    assert reasons["speed"] == "There is no such param." and reasons["network"] == "This network is not here."
    # What the page has no field for comes last.
    assert [*reasons][-1] == "speed"


@pytest.mark.parametrize("kind", ["sculpt", "pull_weights", "x" * 9000, "<script>"])
def test_a_kind_that_nobody_can_choose_is_named(client: TestClient, kind: str) -> None:
    found = recipe_of(client, {"kind": kind, "params": {"network": "vgg19"}})
    assert (found["kind"], found["params"]) == (kind[:60], {})
    assert [each["param"] for each in found["left_out"]] == ["kind"]


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        [],
        "no JSON",
        '{"kind": "style_transfer", "params": {"size": NaN}}',
        {"kind": 7, "params": {}},
        {"kind": "style_transfer"},
        {"kind": "style_transfer", "params": [1]},
        '{"kind": "\\ud800", "params": {}}',
        painting(network="\0"),
        painting(network="x" * MAX_RECIPE_BYTES),
        '{"kind": "style_transfer", "params": ' + '{"size": ' * 5000 + "1" + "}" * 5001,
    ],
)
def test_what_is_no_recipe_is_none(client: TestClient, recipe: Any) -> None:
    assert recipe_of(client, recipe) is None


def test_pictures_without_one_clips_and_none_at_all(client: TestClient) -> None:
    for data in (plain(), mp4()):
        image = upload(client, data).json()["id"]
        assert client.get(f"/v1/images/{image}/recipe").json() is None
    assert client.get(f"/v1/images/{new_id()}/recipe").json()["type"] == "unknown_image"


def test_many_strange_names_are_a_few(engine: Engine) -> None:
    names = {f"{number:03}" + "n" * 500: 1 for number in range(300)}
    found = reusable(engine, painting(**names))
    assert found is not None and found.params == {"size": 96, "seed": 3}
    assert len(found.left_out) == MAX_LEFT_OUT and all(len(each.field) == 60 for each in found.left_out)


NAMES = st.sampled_from([*KINDS["style_transfer"].params.model_fields, "nonsense"])


@given(
    params=st.dictionaries(NAMES, JSON, max_size=5),
    more=st.dictionaries(
        st.sampled_from(["inputs", "network", "further_networks", "kind"]),
        JSON | st.just("style_transfer"),
        max_size=3,
    ),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_recipe_holds_what_is_left_is_right(
    engine: Engine, params: dict[str, Any], more: dict[str, Any]
) -> None:
    found = reusable(engine, {"kind": "style_transfer", "params": params, **more})
    if found is not None and found.kind == "style_transfer":
        # With pictures a class takes it.
        pictures = {"content": "c", "style": ["s"]}
        KINDS["style_transfer"].params.model_validate(pictures | found.params)
        # Recipes of before there were views are of the picture alone.
        assert found.params.keys() - params.keys() <= {"views"}
        assert "views" in params or found.params.get("views", ["picture"]) == ["picture"]
