"""Requests for sets that are refused, and leave nothing."""

import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.http.services import Services
from app.settings import Settings
from app.storage import FolderStorage
from tests.app.conftest import serving
from tests.app.datasets.conftest import URL, send, stored_files
from tests.support.zips import class_folders, picture, zipped
from worker.runtime.context import make_context
from worker.runtime.run_job import run_next

Json = dict[str, Any]


def test_a_set_of_pictures_none_of_which_can_be_read_says_why(client: TestClient, work: Any) -> None:
    made = send(client, zipped({"a.png": b"no", "b.jpg": b""}), name="pets").json()
    work()
    error = client.get(f"/v1/jobs/{made['jobs'][0]}").json()["error"]
    assert (error["type"], error["field"]) == ("zip_unusable", "file")
    assert error["title"] and "None of its pictures (2) can be read" in error["detail"]


@pytest.mark.parametrize("label", ["a\nb", "\1", "", "x" * 101])
def test_labels_are_a_line_of_text(client: TestClient, label: str) -> None:
    answer = send(client, zipped(class_folders(cat=1)), name="pets", label=label)
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "label"
    assert client.get(URL).json()["items"] == []


def test_a_hostile_zip_leaves_nothing(client: TestClient, work: Any) -> None:
    client.post(URL, json={"name": "open"})
    for url, more in ((URL, {"name": "pets"}), (f"{URL}/open/members", {})):
        problem = send(client, zipped({"../a.png": picture(1)}), url, **more).json()
        assert (problem["status"], problem["type"], problem["field"]) == (422, "zip_unusable", "file")
    lying = bytearray(zipped({"cat/a.png": picture(1), "cat/b.png": picture(2) + bytes(200)}))
    directory = lying.rindex(b"PK\x01\x02")
    lying[directory + 24 : directory + 28] = (50).to_bytes(4, "little")
    answer = send(client, bytes(lying), name="pets")
    work()
    job = client.get(f"/v1/jobs/{answer.json()['jobs'][0]}").json()
    assert (job["state"], job["error"]["type"], job["error"]["field"]) == ("failed", "zip_unusable", "file")
    assert client.get(f"{URL}/pets").json()["members"] == 0
    assert stored_files(client) == []
    # The name of what failed is free for another try, and only for that.
    client.post(URL, json={"name": "mine"})
    assert send(client, zipped(class_folders(cat=2)), name="mine").json()["type"] == "dataset_name_taken"
    again = send(client, zipped(class_folders(cat=2)), name="pets")
    assert again.json()["id"] == answer.json()["id"]
    assert send(client, zipped(class_folders(cat=3)), name="pets").json()["type"] == "dataset_name_taken"
    work()
    assert client.get(f"{URL}/pets").json()["members"] == 2
    assert send(client, zipped(class_folders(cat=3)), name="pets").json()["type"] == "dataset_name_taken"
    assert client.delete(f"{URL}/pets").status_code == 204


@pytest.mark.medium
@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"data": {"params": '{"name": "x"}'}, "files": {"zip": b"x"}}, "zip"),
        ({"data": {"params": '{"name": "x"}'}, "files": {"labels": b"file,label\n"}}, "file"),
        ({"data": {"params": '{"name": "x", "size": 3}'}, "files": {"file": zipped({"a.png": b""})}}, "size"),
        ({"files": {"file": zipped({"a.png": b""})}}, "name"),
        ({"data": {"params": "{"}, "files": {"file": zipped({"a.png": b""})}}, "params"),
        ({"data": {"params": '{"name": "A"}'}, "files": {"file": zipped({"a.png": b""})}}, "name"),
        ({"data": {"params": '{"name": "x"}'}, "files": {"file": zipped({"a.txt": b""})}}, "file"),
        ({"data": {"params": '{"name": "x"}'}, "files": {"labels": b"a"}}, "labels"),
        ({"json": {}}, "name"),
        ({"json": {"name": "x", "count": 3}}, "count"),
        ({"json": {"source": "palette", "count": 3}}, "name"),
        ({"json": {"source": "palette", "name": "x", "classes": ["lake"]}}, "classes"),
        ({"json": {"source": "palette", "name": "x", "size": 3}}, "size"),
        ({"json": {"source": "digits", "name": "x", "size": 8}}, "size"),
        ({"json": {"source": "mnist"}}, "source"),
        ({"json": {"source": "cifar10"}}, "source"),
        ({"json": {"source": "palette", "name": "x", "count": 50_000}}, "count"),
        ({"json": {"name": "digits"}}, "name"),
        ({"json": {"name": "0198c0de-0000-7000-8000-000000000000"}}, "name"),
    ],
)  # fmt: skip
def test_a_wrong_request_names_the_field_and_leaves_nothing(
    client: TestClient, form: Json, field: str
) -> None:
    answer = client.post(URL, **form)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["field"] == field, answer.text
    assert stored_files(client) == [] and client.get(URL).json()["items"] == []


def test_members_that_cannot_be(client: TestClient, image_id: str) -> None:
    client.post(URL, json={"name": "x"})
    for member, field in (
        ({"image": "none"}, "members.1.image"),
        ({"image": image_id, "label": ""}, "members.1.label"),
        ({"image": image_id, "label": "a\n"}, "members.1.label"),
        ({"image": image_id, "boxes": [{"x": -1, "y": 0, "width": 1, "height": 1}]}, "members.1.boxes.0.x"),
    ):
        problem = client.post(f"{URL}/x/members", json={"members": [{"image": image_id}, member]}).json()
        assert (problem["status"], problem["field"]) == (422, field), problem
    assert client.get(f"{URL}/x").json()["members"] == 0
    assert client.post(f"{URL}/x/close").json()["type"] == "dataset_empty"
    assert client.post(f"{URL}/none/close").status_code == 404
    assert client.post(f"{URL}/x/members", content=b"x").status_code == 415


def test_a_key_whose_set_was_deleted_is_refused(client: TestClient, work: Any) -> None:
    form: Json = {
        "files": {"file": zipped(class_folders(a=1))},
        "data": {"params": '{"name": "x"}'},
        "headers": {"Idempotency-Key": "once"},
    }
    client.post(URL, **form)
    work()
    assert client.delete(f"{URL}/x").status_code == 204
    answer = client.post(URL, **form)
    assert answer.status_code == 422 and "use another key" in answer.json()["detail"]


def test_no_zip_is_taken_that_the_disk_has_no_space_for(client: TestClient, services: Services) -> None:
    storage = services.storage
    assert isinstance(storage, FolderStorage)
    storage._min_free_bytes = 1 << 60
    problem = send(client, zipped({"a.png": picture(1)}), name="x").json()
    assert (problem["status"], problem["type"]) == (507, "storage_full")
    assert stored_files(client) == []


@pytest.mark.medium
def test_limits_are_those_of_sets(settings: Settings) -> None:
    data = zipped(class_folders(a=3))
    small = {"max_request_bytes": 1000, "max_dataset_bytes": len(data), "max_dataset_members": 4}
    limited = settings.model_copy(update=small)
    with serving(limited) as client:
        context = make_context(limited, "w1", "cpu")
        assert send(client, data, name="x", close=False).status_code == 202
        assert run_next(context, ["long"], threading.Event())
        answer = send(client, zipped({f"c{n}.png": picture(90 + n) for n in range(3)}), f"{URL}/x/members")
        assert run_next(context, ["long"], threading.Event())
        job = client.get(f"/v1/jobs/{answer.json()['id']}").json()
        assert (job["state"], job["error"]["type"]) == ("failed", "dataset_too_large")
        assert client.get(f"{URL}/x").json()["members"] == 3
        problem = send(client, zipped(class_folders(c=5)), f"{URL}/x/members").json()
        assert problem["type"] == "zip_unusable" and "5 pictures" in problem["detail"]
        assert send(client, bytes(21_000_000 + len(data)), f"{URL}/x/members").status_code == 413
        context.engine.dispose()
