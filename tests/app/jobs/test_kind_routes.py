"""What the service says of its kinds: all that a form, a client or a command line needs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.kinds import KINDS, KindSpec, Params
from app.settings import Settings
from tests.app.conftest import serving, upload

EVERY = pytest.mark.parametrize("spec", KINDS.values(), ids=lambda spec: spec.name)


Views = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One service for all tests here that store nothing."""
    folder = tmp_path_factory.mktemp("kinds")
    with serving(Settings(data_dir=folder / "data", port=0, allowed_hosts="testserver")) as client:
        yield client


@pytest.fixture(scope="module")
def views(client: TestClient) -> Views:
    """What the service says of each kind, by name."""
    items = client.get("/v1/kinds").json()["items"]
    assert len(items) == len(KINDS)
    return {item["kind"]: item for item in items}


@pytest.fixture(scope="module")
def bodies(client: TestClient) -> Views:
    """The bodies that each endpoint is described to take, by path and media type."""
    paths = client.get("/v1/openapi.json").json()["paths"]
    return {
        path: operations["post"]["requestBody"]["content"]
        for path, operations in paths.items()
        if "requestBody" in operations.get("post", {})
    }


@EVERY
def test_every_param_says_what_it_is_called_and_for(views: Views, spec: KindSpec[Params]) -> None:
    shown = views[spec.name]
    assert shown["title"] and shown["summary"].endswith(".") and shown["submit_label"]
    for name, schema in shown["schema"]["properties"].items():
        assert schema["title"], name
        assert schema.get("description", "").endswith("."), name


@EVERY
def test_what_comes_first_is_there(views: Views, spec: KindSpec[Params]) -> None:
    shown = views[spec.name]
    assert set(shown["primary_fields"] + shown["label_fields"]) <= set(shown["schema"]["properties"])
    # Pictures have places of their own.
    assert set(shown["primary_fields"]).isdisjoint(spec.params.picture_fields())


@EVERY
def test_presets_give_values_to_params_alone(views: Views, spec: KindSpec[Params]) -> None:
    shown = views[spec.name]
    for preset in shown["presets"].values():
        assert preset["summary"]
    assert not shown["presets"] or "preset" in shown["schema"]["properties"]


@EVERY
def test_its_endpoint_refuses_what_it_does_not_know(
    client: TestClient, views: Views, spec: KindSpec[Params]
) -> None:
    answer = client.post(views[spec.name]["path"], json={"nonsense": 1})
    assert answer.status_code == 422
    assert "nonsense" in {error["field"] for error in answer.json()["errors"]}


@EVERY
def test_the_example_of_its_endpoint_is_accepted(
    settings: Settings, views: Views, bodies: Views, spec: KindSpec[Params]
) -> None:
    path = views[spec.name]["path"]
    with serving(settings) as fresh:
        image = upload(fresh).json()["id"]
        example = json.dumps(bodies[path]["application/json"]["example"]).replace(
            "0198c0de-0000-7000-8000-000000000000", image
        )
        headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
        answer = fresh.post(path, content=example, headers=headers)
        if "dataset" in spec.params.model_fields and not spec.listed:
            # An open set, which the service makes.
            assert "There is no set" in answer.json()["detail"]
        else:
            assert answer.status_code == 202, answer.text


def test_pictures_and_clips_are_marked(views: Views, bodies: Views) -> None:
    image = views["deep_dream"]["schema"]["properties"]["image"]
    content = views["style_transfer"]["schema"]["properties"]["content"]
    assert (image["widget"], content["widget"]) == ("clip", "picture")
    form = bodies["/v1/deep-dream"]["multipart/form-data"]["schema"]
    assert form == {"$ref": "#/components/schemas/DeepDreamForm"}
