"""Sets over HTTP: made, filled, closed, listed and deleted."""

import io
import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.datasets.builtin import BUILT_IN
from app.http.services import Services
from app.images.repository import image_key
from app.settings import Settings
from tests.app.conftest import upload
from tests.app.datasets.conftest import URL, members, send, stored_files
from tests.support.strange_pictures import plain
from tests.support.zips import class_folders, picture, zipped
from worker.runtime.context import make_context
from worker.runtime.run_job import run_next

Json = dict[str, Any]


@pytest.mark.medium
def test_one_call_makes_fills_and_closes_a_set(client: TestClient, work: Any) -> None:
    answer = send(client, zipped({**class_folders(cat=2, dog=1), "readme.txt": b"x"}), name="pets")
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert (made["state"], made["members"], made["sha256"]) == ("open", 0, None)
    (job_id,) = made["jobs"]
    work()
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["state"] == "succeeded", job["error"]
    shown = client.get(f"{URL}/pets").json()
    assert (shown["state"], shown["members"], shown["jobs"]) == ("closed", 3, [])
    assert shown["labels"] == [
        {"label": "cat", "members": 2, "parts": {"train": 1, "validation": 1, "test": 0}},
        {"label": "dog", "members": 1, "parts": {"train": 1, "validation": 0, "test": 0}},
    ]
    assert shown["parts"] == {"train": 2, "validation": 1, "test": 0}
    assert members(client, "pets") == [("cat/0.png", "cat"), ("cat/1.png", "cat"), ("dog/0.png", "dog")]
    assert members(client, made["id"], label="dog") == [("dog/0.png", "dog")]
    assert members(client, "pets", label="dog", part="train") == [("dog/0.png", "dog")]
    assert [label for _, label in members(client, "pets", part="validation")] == ["cat"]
    assert (job["result"]["added"], job["result"]["ignored"]) == (3, 1)
    (item,) = client.get(URL).json()["items"]
    assert item["id"] == made["id"]


@pytest.mark.medium
def test_several_calls_fill_a_set_and_nothing_is_added_twice(client: TestClient, work: Any) -> None:
    answer = client.post(URL, json={"name": "pets"})
    assert (answer.status_code, answer.headers["location"]) == (201, f"{URL}/{answer.json()['id']}")
    files = class_folders(cat=3, dog=2)
    first = dict(list(files.items())[:3])
    answer = send(client, zipped(first), f"{URL}/pets/members", label="cat")
    assert answer.status_code == 202 and answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    assert client.post(f"{URL}/pets/close").json()["type"] == "dataset_in_use"
    assert client.delete(f"{URL}/pets").json()["type"] == "dataset_in_use"
    work()
    # They lay in one folder, which is no class.
    assert members(client, "pets") == [(f"{place}.png", "cat") for place in range(3)]
    again = send(client, zipped(first), f"{URL}/pets/members")
    work()
    result = client.get(f"/v1/jobs/{again.json()['id']}").json()["result"]
    assert (result["added"], result["present"], result["duplicates"]) == (0, 3, 0)
    # The same pictures under other names are members, and counted.
    third = send(client, zipped(files), f"{URL}/pets/members")
    work()
    result = client.get(f"/v1/jobs/{third.json()['id']}").json()["result"]
    assert (result["added"], result["present"], result["duplicates"]) == (5, 0, 3)
    shown = client.post(f"{URL}/pets/close").json()
    assert (shown["state"], shown["members"], shown["duplicates"]) == ("closed", 8, 3)
    assert client.post(f"{URL}/pets/close").json() == shown
    closed = send(client, zipped(files), f"{URL}/pets/members").json()
    assert (closed["status"], closed["type"]) == (409, "dataset_closed")


def test_stored_pictures_are_members_by_id(client: TestClient, work: Any) -> None:
    ids = [upload(client, picture(number), f"{number}.png").json()["id"] for number in range(3)]
    client.post(URL, json={"name": "mine"})
    box = {"x": 1, "y": 2, "width": 3, "height": 4, "label": "eye"}
    new = [{"image": ids[0], "label": "a", "boxes": [box]}, {"image": ids[1], "name": "one"}]
    assert client.post(f"{URL}/mine/members", json={"members": new}).json() == {
        "added": 2,
        "present": 0,
        "duplicates": 0,
    }
    both = {"members": [*new, {"image": ids[0], "name": "other"}]}
    assert client.post(f"{URL}/mine/members", json=both).json() == {"added": 1, "present": 2, "duplicates": 1}
    client.post(f"{URL}/mine/close")
    first, second, third = client.get(f"{URL}/mine/members").json()["items"]
    assert (first["image"], first["name"], first["boxes"]) == (ids[0], "0.png", [box])
    assert (second["name"], second["label"], third["name"]) == ("one", None, "other")
    assert members(client, "mine", label="") == [("one", None), ("other", None)]
    refused = client.delete(f"/v1/images/{ids[0]}").json()
    assert (refused["status"], refused["type"]) == (409, "image_in_set") and "mine" in refused["detail"]
    assert client.delete(f"/v1/images/{ids[2]}").status_code == 204
    # They were there before the set, and stay.
    assert client.delete(f"{URL}/mine").status_code == 204
    assert client.delete(f"/v1/images/{ids[0]}").status_code == 204


@pytest.mark.medium
def test_pictures_go_with_the_last_set_that_holds_them(
    client: TestClient, services: Services, work: Any
) -> None:
    data = zipped(class_folders(cat=2, dog=2))
    for name in ("a", "b"):
        send(client, data, name=name)
    work()
    one, other = (client.get(f"{URL}/{name}").json() for name in ("a", "b"))
    assert one["sha256"] == other["sha256"] and one["id"] != other["id"]
    stored = services.settings.data_dir / "files" / "images"
    assert len(list(stored.iterdir())) == 4
    ids = [item["image"] for item in client.get(f"{URL}/a/members").json()["items"]]
    job = client.post("/v1/deep-dream", json={"image": ids[0]}).json()
    assert client.delete(f"{URL}/a").status_code == 204
    assert len(list(stored.iterdir())) == 4
    # A relabelled set shares them.
    client.post(URL, json={"name": "c"})
    client.post(f"{URL}/c/members", json={"members": [{"image": ids[1], "label": "tiger"}]})
    assert client.delete(f"{URL}/b").status_code == 204
    assert {path.name for path in stored.iterdir()} == {ids[0], ids[1]}
    assert client.delete(f"{URL}/c").status_code == 204
    assert {path.name for path in stored.iterdir()} == {ids[0]}
    # What a job still needed is a picture like any other now.
    client.post(f"/v1/jobs/{job['id']}/cancel")
    assert client.delete(f"/v1/images/{ids[0]}").status_code == 204
    assert client.get(f"{URL}/a").json()["type"] == "unknown_dataset"


def test_damaged_files_are_listed_and_left_out(client: TestClient, work: Any) -> None:
    whole = picture(1)
    files = {
        "cat/good.png": whole,
        "cat/cut.png": whole[:40],
        "cat/text.png": b"no picture",
        "dog/pixels.jpg": plain("JPEG", size=(64, 64))[:-300] + b"\xff\xd9",
        "dog/drawing.jp2": plain("JPEG2000"),
        "__MACOSX/cat/._good.png": b"x",
        "notes.md": b"x",
    }
    table = b"file,label\ngood.png,lion\nabsent.png,lion\n"
    answer = send(client, zipped(files), labels=table, name="pets")
    work()
    job = client.get(f"/v1/jobs/{answer.json()['jobs'][0]}").json()
    assert job["state"] == "succeeded", job["error"]
    result = job["result"]
    reasons = {item["name"]: item["reason"] for item in result["skipped"]}
    assert set(reasons) == {"cat/cut.png", "cat/text.png", "dog/pixels.jpg", "dog/drawing.jp2"}
    assert "cut off" in reasons["cat/cut.png"] and "JPEG 2000" in reasons["dog/drawing.jp2"]
    assert (result["added"], result["skipped_count"], result["ignored"]) == (1, 4, 1)
    assert result["rows_without_picture"] == ["absent.png"]
    assert members(client, "pets") == [("cat/good.png", "lion")]
    (report,) = [artifact for artifact in job["artifacts"] if artifact["name"] == "report"]
    lines = client.get(report["url"]).text.splitlines()
    assert len(lines) == 7 and "cat/good.png,lion," in lines
    # The ZIP itself went with the job.
    assert "members.zip" not in {path.name for path in stored_files(client)}


@pytest.mark.medium
def test_two_pictures_in_all_make_a_set(client: TestClient, work: Any) -> None:
    send(client, zipped(class_folders(cat=1, dog=1)), name="two")
    work()
    shown = client.get(f"{URL}/two").json()
    assert (shown["state"], shown["parts"]) == ("closed", {"train": 2, "validation": 0, "test": 0})
    assert [item["part"] for item in client.get(f"{URL}/two/members").json()["items"]] == ["train", "train"]


@pytest.mark.medium
def test_a_thousand_classes_of_a_table(client: TestClient, work: Any) -> None:
    names = [f"{number}.png" for number in range(1100)]
    rows = "".join(f"{name},class {number % 1000}\n" for number, name in enumerate(names))
    files = {name: picture(number) for number, name in enumerate(names)}
    send(client, zipped(files), labels=f"file,label\n{rows}".encode(), name="many")
    work()
    shown = client.get(f"{URL}/many").json()
    assert (shown["state"], shown["members"], len(shown["labels"])) == ("closed", 1100, 1000)
    # A hundred classes have two pictures: half of them are validated with, half are tested.
    assert shown["parts"] == {"train": 1000, "validation": 50, "test": 50}
    found = client.get(f"{URL}/many/statistics").json()
    assert (found["classes"], found["imbalance"], found["duplicate_pictures"]) == (1000, 2.0, 0)
    rows_of_sheet = client.get(f"{URL}/many/contact-sheet", params={"side": 32, "columns": 1})
    assert Image.open(io.BytesIO(rows_of_sheet.content)).size == (196, 50 * 36)


def test_a_sheet_without_a_file_is_not_kept(client: TestClient, work: Any, services: Services) -> None:
    send(client, zipped(class_folders(a=2, b=2)), name="x")
    work()
    url = f"{URL}/x/contact-sheet"
    assert "max-age" in client.get(url).headers["Cache-Control"]
    member = client.get(f"{URL}/x/members").json()["items"][0]
    services.storage.delete(image_key(member["image"]))
    gap = client.get(url)
    assert gap.status_code == 200 and gap.headers["Cache-Control"] == "no-store" and "ETag" not in gap.headers


@pytest.mark.medium
def test_names_pages_and_keys(client: TestClient, work: Any) -> None:
    data = zipped(class_folders(a=3, b=2))
    key = {"Idempotency-Key": "once"}
    form: Json = {"files": {"file": data}, "data": {"params": '{"name": "x"}'}, "headers": key}
    first, second = client.post(URL, **form).json(), client.post(URL, **form).json()
    assert first == second and len(first["jobs"]) == 1
    assert client.post(URL, **{**form, "files": {"file": zipped({"b.png": b""})}}).status_code == 422
    assert send(client, data, name="x").json()["type"] == "dataset_name_taken"
    work()
    pages = []
    cursor: int | None = -1
    while cursor is not None:
        page = client.get(f"{URL}/x/members", params={"limit": 2, "cursor": cursor}).json()
        pages.append([item["position"] for item in page["items"]])
        cursor = page["next_cursor"]
    assert pages == [[0, 1], [2, 3], [4]]
    client.post(URL, json={"name": "y"})
    newest = client.get(URL, params={"limit": 1}).json()
    assert [item["name"] for item in newest["items"]] == ["y"]
    older = client.get(URL, params={"limit": 1, "cursor": newest["next_cursor"]}).json()
    assert [item["name"] for item in older["items"]] == ["x"] and older["next_cursor"] is None


@pytest.mark.medium
def test_a_request_may_wait_for_its_job(client: TestClient, settings: Settings) -> None:
    context, answered = make_context(settings, "w1", "cpu"), threading.Event()

    def run() -> None:
        while not answered.wait(0.05):
            run_next(context, ["long"], threading.Event())

    worker = threading.Thread(target=run)
    worker.start()
    wait = {"Prefer": "wait=60"}
    params = {"params": '{"name": "x", "close": false}'}
    made = client.post(URL, files={"file": zipped({"a.png": picture(1)})}, data=params, headers=wait)
    more = client.post(f"{URL}/x/members", files={"file": zipped({"b.png": picture(2)})}, headers=wait)
    answered.set()
    worker.join()
    context.engine.dispose()
    assert (made.status_code, made.json()["members"], made.json()["jobs"]) == (202, 1, []), made.text
    assert (more.status_code, more.json()["result"]["added"]) == (200, 1), more.text


@pytest.mark.medium
def test_built_in_sets_are_made_by_a_job(client: TestClient, work: Any) -> None:
    options = {"classes": ["spiral", "gear"], "count": 2, "seed": 5, "size": 16}
    answer = client.post(URL, json={"source": "palette", "name": "small", **options})
    assert answer.status_code == 202, answer.text
    assert client.post(f"{URL}/small/close").json()["type"] == "invalid_dataset"
    assert client.post(f"{URL}/small/members", json={"members": []}).json()["type"] == "invalid_dataset"
    work()
    assert members(client, "small") == [
        ("spiral/000005.png", "spiral"),
        ("spiral/000006.png", "spiral"),
        ("gear/000005.png", "gear"),
        ("gear/000006.png", "gear"),
    ]
    shown = client.get(f"{URL}/small").json()
    assert (shown["source"], shown["options"], shown["state"]) == ("palette", options, "closed")
    again = client.post(URL, json={"source": "palette", "name": "small", **options})
    assert (again.status_code, again.json()["id"]) == (200, shown["id"])
    other = client.post(URL, json={"source": "palette", "name": "small", **options, "seed": 6})
    assert other.json()["type"] == "dataset_name_taken"
    item = client.get(f"{URL}/small/members").json()["items"][0]
    (width, height) = Image.open(io.BytesIO(client.get(item["url"]).content)).size
    assert (width, height) == (16, 16)


def test_forms_offer_the_built_in_sets(client: TestClient) -> None:
    kinds = client.get("/v1/kinds").json()["items"]
    (evaluate,) = [kind for kind in kinds if kind["kind"] == "evaluate"]
    assert evaluate["schema"]["properties"]["dataset"]["built_in"] == list(BUILT_IN)
