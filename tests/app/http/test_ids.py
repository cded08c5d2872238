"""Ids of every form, wherever one is taken: one answer, and the same on every database."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings
from tests.app.conftest import serving, upload
from tests.support.strange_pictures import plain

GOOD = "0198c0de-0000-7000-8000-000000000000"
STRANGE = {
    "NUL": "%00",
    "half a pair": "%ED%A0%80",
    "no UTF-8": "%FF",
    "long": "a" * 5000,
    "capitals": GOOD.upper(),
    "braces": f"%7B{GOOD}%7D",
    "no hyphens": GOOD.replace("-", ""),
    "a URN": f"urn:uuid:{GOOD}",
    "digits of another script": GOOD.replace("0", "%D9%A0"),
    "a line more": f"{GOOD}%0A",
    "a space more": f"{GOOD}%20",
    "of nothing": GOOD,
}
# What a body may hold where an id belongs.
TEXTS = ["", "\0", "a\0b", "\u0660" * 36, "a" * 5000, f"{GOOD}\n", f"{GOOD}/\0", f"{GOOD}@\0", GOOD]


def paths_with_ids(client: TestClient) -> list[tuple[str, str]]:
    """Every method and path of the service that has an id or a name in it."""
    found = client.get("/v1/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, each in found.items() for method in each if "{" in path]


@pytest.mark.medium
def test_an_id_of_any_form_in_a_path_is_404(database_url: str, settings: Settings) -> None:
    with serving(settings.model_copy(update={"database_url": database_url})) as client:
        paths = paths_with_ids(client)
        assert len(paths) > 30
        for method, path in paths:
            body: dict[str, Any] = {"json": {"name": "x"}} if method == "PATCH" or "relabel" in path else {}
            if path.endswith("/members") and method == "POST":
                body = {"json": {"members": [{"image": GOOD}]}}
            for name, strange in STRANGE.items():
                place, _, rest = path.partition("{")
                asked = f"{place}{strange}{rest.partition('}')[2].replace('{name}', strange)}"
                answer = client.request(method, asked, **body)
                assert answer.status_code == 404, (method, path, name, answer.text)
                assert answer.json()["type"].startswith("unknown_") and len(answer.content) < 5000


@pytest.mark.medium
def test_an_id_of_any_form_in_a_query_is_422(database_url: str, settings: Settings) -> None:
    queries = [
        "/v1/jobs?cursor=",
        "/v1/images?cursor=",
        "/v1/batches?cursor=",
        "/v1/datasets?cursor=",
        "/v1/jobs?batch=",
        "/v1/networks?cursor=%20",
        "/v1/networks?sha256=",
        "/v1/jobs?kind=%20",
    ]
    with serving(settings.model_copy(update={"database_url": database_url})) as client:
        for query in queries:
            for name, strange in STRANGE.items():
                if name != "of nothing":
                    answer = client.get(query + strange)
                    assert (answer.status_code, answer.json()["type"]) == (422, "invalid_request"), (
                        query,
                        name,
                    )
        for name, strange in STRANGE.items():
            answer = client.get(f"/v1/events?jobs={strange}")
            assert (answer.status_code, answer.json()["type"]) == (404, "unknown_job"), name


@pytest.mark.medium
def test_a_reference_of_any_form_is_422(database_url: str, settings: Settings) -> None:
    with serving(settings.model_copy(update={"database_url": database_url})) as client:
        image = upload(client).json()["id"]
        client.post("/v1/datasets", json={"name": "birds"})
        for text in TEXTS:
            requests: list[tuple[str, Any]] = [
                ("/v1/style-transfer", {"content": text, "style": image}),
                ("/v1/style-transfer", {"content": image, "style": [image, text]}),
                ("/v1/style-transfer", {"continue_from": text}),
                ("/v1/jobs", {"kind": "deep_dream", "params": {"image": text}}),
                ("/v1/estimate", {"kind": "deep_dream", "params": {"image": text}}),
                ("/v1/evaluate", {"network": "palette", "dataset": text}),
                ("/v1/saliency", {"image": image, "network": text}),
                ("/v1/datasets/birds/members", {"members": [{"image": text}]}),
                ("/v1/batches", {"kind": "deep_dream", "over": {"image": [text]}}),
                ("/v1/batches", {"kind": "deep_dream", "over": {"image": text}}),
            ]
            for path, body in requests:
                answer = client.post(path, json=body)
                # A text with NUL is refused before it is looked at.
                expected = (400,) if "\0" in text else (422,)
                assert answer.status_code in expected, (path, body, answer.text)
                assert len(answer.content) < 10_000
        assert [job["id"] for job in client.get("/v1/jobs").json()["items"]] == []


@pytest.mark.medium
def test_texts_with_nul_are_refused_on_every_database(database_url: str, settings: Settings) -> None:
    with serving(settings.model_copy(update={"database_url": database_url})) as client:
        client.post("/v1/datasets", json={"name": "birds"})
        for path in ("/v1/datasets/birds/members?label=%00", "/v1/jobs?kind=a%00", "/v1/networks?sha256=%00"):
            assert client.get(path).status_code == 422
        lines = b'{"custom_id": "a", "kind": "architecture", "params": {"network": "palette"}}\n'
        jsonl = {"content-type": "application/x-ndjson"}
        assert client.post("/v1/batches?name=%00", content=lines, headers=jsonl).status_code == 422
        named = client.post("/v1/images", files={"image": ("a\0b.png", plain())})
        assert (named.status_code, "\0" in (named.json().get("name") or "")) == (201, False)
