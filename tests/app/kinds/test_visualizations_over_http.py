"""Kinds that need no picture, or one, over REST."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support import strange_pictures as strange


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("class-visualization", {"target": [1, "tench"]}, {"target": ["goldfish", "tench"], "size": 224}),
        ("feature-visualization", {"layer": "conv3_1", "channels": "0-2"}, {"channels": [0, 1, 2]}),
    ],
)
def test_no_picture_is_needed(
    client: TestClient, path: str, params: dict[str, Any], expected: dict[str, Any]
) -> None:
    values = {"network": "vgg19", **params}
    by_json = client.post(f"/v1/{path}", json=values)
    by_form = client.post(f"/v1/{path}", files={"params": (None, json.dumps(values))})
    kind = path.replace("-", "_")
    as_job = client.post("/v1/jobs", json={"kind": kind, "params": values})

    for answer in (by_json, by_form, as_job):
        assert answer.status_code == 202, answer.text
        job = answer.json()
        assert (job["kind"], job["state"]) == (kind, "queued")
        assert job["params"]["preset"] == "lucid"
        assert job["params"].items() >= expected.items()


def test_the_picture_of_an_inversion_comes_with_it(client: TestClient) -> None:
    answer = client.post(
        "/v1/feature-inversion",
        files=[("image", ("photo.png", strange.plain()))],
        data={"params": json.dumps({"network": "vgg19", "layers": "relu2_2, pool5"})},
    )

    assert answer.status_code == 202, answer.text
    params = answer.json()["params"]
    assert params["layers"] == ["relu2_2", "pool5"]
    assert client.get(f"/v1/images/{params['image']}").json()["name"] == "photo.png"


def test_an_example_comes_with_its_caricature(client: TestClient) -> None:
    files = [("image", ("photo.png", strange.plain()))]
    asked = {"network": "vgg19", "layer": "relu4_2", "objective": "caricature"}
    answer = client.post("/v1/feature-visualization", files=files, data={"params": json.dumps(asked)})
    alone = client.post("/v1/feature-visualization", json=asked)

    assert answer.status_code == 202, answer.text
    assert client.get(f"/v1/images/{answer.json()['params']['image']}").json()["name"] == "photo.png"
    assert alone.status_code == 422
    assert alone.json()["errors"][0]["field"] == "image"


def test_a_class_that_is_not_there_is_a_problem_of_its_field(client: TestClient) -> None:
    answer = client.post("/v1/class-visualization", json={"network": "vgg19", "target": "godfish"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "target"
    assert "Did you mean 'goldfish'" in answer.text


def test_a_file_for_a_kind_that_takes_none_is_refused(client: TestClient) -> None:
    answer = client.post(
        "/v1/class-visualization",
        files=[("image", ("photo.png", strange.plain()))],
        data={"params": json.dumps({"network": "vgg19", "target": 1})},
    )

    assert answer.status_code == 422
    assert "takes no picture 'image'. Pictures it takes: none." in answer.text
