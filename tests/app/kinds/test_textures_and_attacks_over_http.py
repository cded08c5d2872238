"""Texture synthesis and adversarial pictures over REST."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support import strange_pictures as strange


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("texture-synthesis", {"seamless": True, "aspect": 2}, {"size": 512, "aspect": 2, "seamless": True}),
        ("adversarial", {"method": "fgsm", "target": 62}, {"target": "zebra", "epsilon": 16, "size": 128}),
    ],
)
def test_the_picture_comes_with_it(
    client: TestClient, path: str, params: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = client.post(
        f"/v1/{path}",
        files=[("image", ("photo.png", strange.plain()))],
        data={"params": json.dumps(params)},
    )

    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["kind"], job["state"]) == (path.replace("-", "_"), "queued")
    assert job["params"].items() >= expected.items()
    assert client.get(f"/v1/images/{job['params']['image']}").json()["name"] == "photo.png"
    # A retry begins with what was resolved.
    again = client.post("/v1/jobs", json={"kind": job["kind"], "params": job["params"]})
    assert again.status_code == 202, again.text
    assert again.json()["params"] == job["params"]


@pytest.mark.parametrize("params", [{"method": "fooling", "target": "zebra"}, {"method": "linear"}])
def test_no_picture_is_needed(client: TestClient, params: dict[str, Any]) -> None:
    answer = client.post("/v1/adversarial", json=params)

    assert answer.status_code == 202, answer.text
    assert answer.json()["params"]["image"] is None


def test_a_picture_that_is_missing_is_a_problem_of_its_field(client: TestClient) -> None:
    answer = client.post("/v1/adversarial", json={"target": "zebra"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "image"


def test_what_a_form_asks_for(client: TestClient) -> None:
    items = {item["kind"]: item for item in client.get("/v1/kinds").json()["items"]}
    schema = items["adversarial"]["schema"]["properties"]

    assert items["adversarial"]["schema"].get("required", []) == []
    for name in ("target", "against"):
        assert "class" in {each.get("widget") for each in schema[name]["anyOf"]}
    assert items["texture_synthesis"]["schema"]["required"] == ["image"]
