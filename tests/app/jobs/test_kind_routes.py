"""What the service says of its kinds: all that a form, a client or a command line needs."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.kinds import KINDS, KindSpec, Params
from tests.app.conftest import upload

EVERY = pytest.mark.parametrize("spec", KINDS.values(), ids=lambda spec: spec.name)


def view(client: TestClient, kind: str) -> dict[str, Any]:
    items = client.get("/v1/kinds").json()["items"]
    found: dict[str, Any] = next(item for item in items if item["kind"] == kind)
    return found


@pytest.mark.medium
@EVERY
def test_every_param_says_what_it_is_called_and_for(client: TestClient, spec: KindSpec[Params]) -> None:
    shown = view(client, spec.name)
    assert shown["title"] and shown["summary"].endswith(".") and shown["submit_label"]
    for name, schema in shown["schema"]["properties"].items():
        assert schema["title"], name
        assert schema.get("description", "").endswith("."), name


@EVERY
def test_what_comes_first_is_there(client: TestClient, spec: KindSpec[Params]) -> None:
    shown = view(client, spec.name)
    assert set(shown["primary_fields"] + shown["label_fields"]) <= set(shown["schema"]["properties"])
    # Pictures have places of their own.
    assert set(shown["primary_fields"]).isdisjoint(spec.params.picture_fields())


@pytest.mark.medium
@EVERY
def test_presets_give_values_to_params_alone(client: TestClient, spec: KindSpec[Params]) -> None:
    shown = view(client, spec.name)
    for preset in shown["presets"].values():
        assert preset["summary"]
    assert not shown["presets"] or "preset" in shown["schema"]["properties"]


@pytest.mark.medium
@EVERY
def test_its_endpoint_refuses_what_it_does_not_know(client: TestClient, spec: KindSpec[Params]) -> None:
    answer = client.post(view(client, spec.name)["path"], json={"nonsense": 1})
    assert answer.status_code == 422
    assert "nonsense" in {error["field"] for error in answer.json()["errors"]}


@EVERY
def test_the_example_of_its_endpoint_is_accepted(client: TestClient, spec: KindSpec[Params]) -> None:
    path = view(client, spec.name)["path"]
    body = client.get("/v1/openapi.json").json()["paths"][path]["post"]["requestBody"]["content"]
    image = upload(client).json()["id"]
    example = json.dumps(body["application/json"]["example"]).replace(
        "0198c0de-0000-7000-8000-000000000000", image
    )
    headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
    answer = client.post(path, content=example, headers=headers)
    if "dataset" in spec.params.model_fields and not spec.listed:
        # An open set, which the service makes.
        assert "There is no set" in answer.json()["detail"]
    else:
        assert answer.status_code == 202, answer.text


def test_pictures_and_clips_are_marked(client: TestClient) -> None:
    image = view(client, "deep_dream")["schema"]["properties"]["image"]
    content = view(client, "style_transfer")["schema"]["properties"]["content"]
    assert (image["widget"], content["widget"]) == ("clip", "picture")
    files = client.get("/v1/openapi.json").json()["paths"]["/v1/deep-dream"]["post"]["requestBody"]
    form = files["content"]["multipart/form-data"]["schema"]["properties"]
    assert set(form) == {"image", "guide", "params"}
