"""Sets that are renamed, and made of the pictures of others."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.http.services import Services
from tests.app.conftest import upload
from tests.support.zips import picture

URL = "/v1/datasets"
Json = dict[str, Any]


@pytest.fixture
def pets(client: TestClient) -> Json:
    """A closed set of four cats, two dogs and a picture without a label."""
    client.post(URL, json={"name": "pets"})
    labels = ["cat"] * 4 + ["dog"] * 2 + [None]
    new = [
        {"image": upload(client, picture(n), f"{n}.png").json()["id"], "label": label}
        for n, label in enumerate(labels)
    ]
    client.post(f"{URL}/pets/members", json={"members": new})
    closed: Json = client.post(f"{URL}/pets/close").json()
    return closed


def labels_of(client: TestClient, name: str) -> list[tuple[str, str | None]]:
    items = client.get(f"{URL}/{name}/members").json()["items"]
    assert [item["position"] for item in items] == list(range(len(items)))
    return [(item["name"], item["label"]) for item in items]


def test_relabelling_makes_a_set_that_shares_the_pictures(
    client: TestClient, pets: Json, services: Services
) -> None:
    before = client.get(f"{URL}/pets/members").json()
    files = sorted((services.settings.data_dir / "files" / "images").iterdir())
    body = {"name": "pets-2", "labels": {"6.png": "cat", "0": "dog"}, "rename": {"dog": "hound"}, "drop": [1]}
    answer = client.post(f"{URL}/pets/relabel", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"{URL}/{made['id']}"
    assert (made["name"], made["state"], made["members"]) == ("pets-2", "closed", 6)
    assert made["options"] == {"relabeled": f"{pets['id']}@{pets['sha256']}"}
    assert labels_of(client, "pets-2") == [
        ("0.png", "dog"),
        ("2.png", "cat"),
        ("3.png", "cat"),
        ("4.png", "hound"),
        ("5.png", "hound"),
        ("6.png", "cat"),
    ]
    assert made["bytes"] == sum(len(picture(n)) for n in (0, 2, 3, 4, 5, 6))
    parts = [item["part"] for item in client.get(f"{URL}/pets-2/members").json()["items"]]
    assert None not in parts and {each["label"]: each["parts"]["train"] for each in made["labels"]} == {
        "cat": 2,
        "dog": 1,
        "hound": 1,
    }
    assert client.get(f"{URL}/pets/members").json() == before
    assert sorted((services.settings.data_dir / "files" / "images").iterdir()) == files
    # The pictures stay while one of the sets does.
    assert client.delete(f"{URL}/pets").status_code == 204
    item = client.get(f"{URL}/pets-2/members").json()["items"][0]
    assert client.get(item["url"]).content == picture(0)


def test_the_same_request_makes_one_set(client: TestClient, pets: Json) -> None:
    body = {"name": "b", "rename": {"cat": "dog"}}
    first = client.post(f"{URL}/pets/relabel", json=body)
    again = client.post(f"{URL}/pets/relabel", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = client.post(f"{URL}/pets/relabel", json={**body, "drop": [0]})
    assert (other.status_code, other.json()["type"]) == (409, "dataset_name_taken")
    # Nothing but the content makes a set what it is.
    copy = client.post(f"{URL}/pets/relabel", json={"name": "copy"}).json()
    assert copy["sha256"] == pets["sha256"] and copy["parts"] == pets["parts"]


def test_a_table_has_labels(client: TestClient, pets: Json) -> None:
    files = {"labels": ("labels.csv", b"file;class\n0;lynx\n6.png;cat\n4.png;\n")}
    params = {"name": "b", "rename": {"dog": "hound"}}
    answer = client.post(f"{URL}/pets/relabel", files=files, data={"params": json.dumps(params)})
    assert answer.status_code == 201, answer.text
    assert [label for _, label in labels_of(client, "b")] == [
        "lynx",
        "cat",
        "cat",
        "cat",
        None,
        "hound",
        "cat",
    ]
    wrong = client.post(
        f"{URL}/pets/relabel",
        files={"labels": ("l.csv", b"file,label\nx.png,a\n")},
        data={"params": json.dumps({"name": "c"})},
    ).json()
    assert (wrong["status"], wrong["errors"][0]["field"]) == (422, "labels")
    assert "'x.png'" in wrong["detail"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "name"),
        ({"name": "My set"}, 422, "name"),
        ({"name": "digits"}, 409, "name"),
        ({"name": "pets"}, 409, "name"),
        ({"name": "b", "labels": {"0": "a\nb"}}, 422, "labels.0"),
        ({"name": "b", "labels": {"99": "a"}}, 422, "labels.99"),
        ({"name": "b", "rename": {"cow": "a"}}, 422, "rename"),
        ({"name": "b", "rename": {"cat": ""}}, 422, "rename.cat"),
        ({"name": "b", "rename": {"cat": "  "}}, 422, "rename.cat"),
        ({"name": "b", "labels": {"0": " "}}, 422, "labels.0"),
        ({"name": "b", "drop": ["cow"]}, 422, "drop"),
        ({"name": "b", "drop": [7]}, 422, "drop.0"),
        ({"name": "b", "drop": ["cat", "dog", 6]}, 422, "drop"),
        ({"name": "b", "keep": ["cat"]}, 422, "keep"),
    ],
)
def test_what_is_wrong_is_named(client: TestClient, pets: Json, body: Json, status: int, field: str) -> None:
    answer = client.post(f"{URL}/pets/relabel", json={"drop": [0], **body}).json()
    assert answer["status"] == status, answer
    assert answer["errors"][0]["field"] == field, answer
    assert [each["name"] for each in client.get(URL).json()["items"]] == ["pets"]


def test_an_open_set_is_not_relabelled(client: TestClient) -> None:
    client.post(URL, json={"name": "a"})
    answer = client.post(f"{URL}/a/relabel", json={"name": "b"}).json()
    assert answer["type"] == "invalid_dataset" and "close it first" in answer["detail"]
    assert client.post(f"{URL}/none/relabel", json={"name": "b"}).status_code == 404


def test_a_set_is_renamed(client: TestClient, pets: Json) -> None:
    renamed = client.patch(f"{URL}/pets", json={"name": "animals"})
    assert renamed.status_code == 200, renamed.text
    assert renamed.json() == {**pets, "name": "animals"}
    assert client.get(f"{URL}/pets").status_code == 404
    assert client.patch(f"{URL}/{pets['id']}", json={"name": "animals"}).json() == renamed.json()
    client.post(URL, json={"name": "other"})
    for name, kind in (
        ("other", "dataset_name_taken"),
        ("palette", "dataset_name_taken"),
        ("No!", "dataset_name_invalid"),
    ):
        answer = client.patch(f"{URL}/animals", json={"name": name}).json()
        assert answer["type"] == kind and answer["errors"][0]["field"] == "name"
    client.post(URL, json={"source": "digits"})
    assert "keeps its name" in client.patch(f"{URL}/digits", json={"name": "d"}).json()["detail"]
