"""Answers that every route gives alike: of methods, bodies and files."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.http.services import Services
from app.images.repository import image_key
from app.kinds.exact import NOT_NULL
from tests.app.conftest import upload
from tests.support.strange_pictures import plain

JOB = {"kind": "architecture", "params": {"network": "palette"}}


def operations(client: TestClient) -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = client.get("/v1/openapi.json").json()["paths"]
    return paths


def test_allow_names_every_method_of_a_path(client: TestClient) -> None:
    for path, methods in operations(client).items():
        answer = client.request("TRACE", path.replace("{", "").replace("}", ""))
        assert answer.status_code == 405, path
        allowed = set(answer.headers["allow"].split(", "))
        assert allowed - {"HEAD"} == {method.upper() for method in methods}, path


@pytest.mark.medium
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b"\xff", 400),
        (rb'{"a":"\ud800"}', 400),
        (b'{"a":"\\u0000"}', 400),
        (b"[1]", 422),
    ],
)
def test_bad_json_has_one_status_on_every_route(client: TestClient, body: bytes, status: int) -> None:
    client.post("/v1/datasets", json={"name": "x"})
    for path, methods in operations(client).items():
        for method, operation in methods.items():
            types = operation.get("requestBody", {}).get("content", {})
            if not types:
                continue
            place = path.replace("{dataset}", "x").replace("{name}", "x")
            if "application/json" in types:
                answer = client.request(
                    method, place, content=body, headers={"content-type": "application/json"}
                )
                assert (answer.status_code, answer.json()["type"]) == (status, "invalid_json"), (
                    path,
                    answer.text,
                )
            for other in ("text/plain", "application/vnd.x+json", None):
                headers = {} if other is None else {"content-type": other}
                answer = client.request(method, place, content=body, headers=headers)
                assert answer.status_code == 415, (path, other, answer.text)


def test_an_ended_job_is_neither_paused_nor_resumed(client: TestClient) -> None:
    job = client.post("/v1/jobs", json=JOB).json()["id"]
    assert client.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    for action in ("pause", "resume"):
        answer = client.post(f"/v1/jobs/{job}/{action}")
        assert (answer.status_code, answer.json()["type"]) == (409, "job_ended")
        assert "ended as cancelled" in answer.json()["detail"]
    assert client.post(f"/v1/jobs/{job}/cancel").status_code == 200


def test_a_file_that_is_replaced_is_sent_as_it_was_opened(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview has the key of the one before, and is renamed into its place at any moment."""
    old, new = plain(size=(200, 100)), plain(size=(8, 8))
    image = upload(client, old).json()["id"]
    storage = services.storage
    opened = storage.open

    def open_and_replace(key: str) -> Any:
        file = opened(key)
        storage.put(image_key(image), new)
        return file

    monkeypatch.setattr(type(storage), "open", lambda self, key: open_and_replace(key))
    answer = client.get(f"/v1/images/{image}/content")
    assert answer.content == old and int(answer.headers["content-length"]) == len(old)


def test_times_of_queries_are_times_and_no_numbers(client: TestClient) -> None:
    for name in ("created_before", "created_after"):
        for wrong in ("0.5", "1700000000", "2026-01-31", "2026-01-31T12:00:00"):
            answer = client.get("/v1/jobs", params={name: wrong})
            assert (answer.status_code, answer.json()["field"]) == (422, name), wrong
        assert client.get("/v1/jobs", params={name: "2026-01-31T12:00:00Z"}).status_code == 200


def test_what_a_form_needs_is_required_by_its_schema(client: TestClient) -> None:
    api = client.get("/v1/openapi.json").json()
    schemas = api["components"]["schemas"]
    given = {"type": "object", "required": ["image"], "properties": {"image": NOT_NULL}}
    inside = {"required": ["params"], "properties": {"params": given}}
    dream = schemas["DeepDreamForm"]
    assert dream["allOf"] == [{"anyOf": [{"required": ["image"]}, inside]}]
    assert dream["additionalProperties"] is False and dream["properties"]["guide"]["format"] == "binary"
    assert set(dream["properties"]) == {"image", "guide", "params"}
    assert "required" not in schemas["DeepDreamFormParams"]
    assert schemas["TrainForm"]["required"] == ["params"]
    assert schemas["TrainFormParams"]["required"] == ["dataset"]
    # A job that goes on from another needs no pictures.
    ways = schemas["StyleTransferForm"]["allOf"][0]["anyOf"]
    assert len(ways) == 2 and "continue_from" in str(ways[1]) and "continue_from" not in str(ways[0])
    form = api["paths"]["/v1/datasets"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file", "params"] and form["properties"]["params"]["required"] == ["name"]


def test_what_is_made_links_to_what_its_id_opens(client: TestClient) -> None:
    paths = operations(client)
    known = {each["operationId"]: path for path, methods in paths.items() for each in methods.values()}
    links = 0
    for path, methods in paths.items():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                for name, link in answer.get("links", {}).items():
                    (parameter,) = link["parameters"]
                    assert f"{{{parameter}}}" in known[link["operationId"]], (path, status, name)
                    links += 1
    assert links > 200
    made = paths["/v1/images"]["post"]["responses"]["201"]
    assert {"get_image", "get_image_content", "get_image_recipe"} <= made["links"].keys()
    assert "Location" in made["headers"]
    assert "get_job" in paths["/v1/style-transfer"]["post"]["responses"]["202"]["links"]


def test_no_parameter_of_a_request_is_null(client: TestClient) -> None:
    for path, methods in operations(client).items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                assert {"type": "null"} not in parameter["schema"].get("anyOf", ()), (path, parameter)
