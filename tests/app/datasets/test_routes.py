"""Sets over HTTP: made, filled, closed, listed and deleted."""

import json
import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings
from tests.support.zips import class_folders, zipped
from worker.runtime.context import make_context
from worker.runtime.run_job import run_next

URL = "/v1/datasets"
Json = dict[str, Any]


@pytest.fixture
def work(settings: Settings, client: TestClient) -> Any:
    """Runs the jobs that wait, to their ends."""
    context = make_context(settings, "w1", "cpu")

    def run() -> None:
        while run_next(context, ["short", "long"], threading.Event()):
            pass

    yield run
    context.engine.dispose()


def send(client: TestClient, data: bytes, url: str = URL, labels: bytes | None = None, **params: Any) -> Any:
    files = {"file": ("a.zip", data)}
    if labels is not None:
        files["labels"] = ("labels.csv", labels)
    return client.post(url, files=files, data={"params": json.dumps(params)})


def members(client: TestClient, name: str, **query: Any) -> list[tuple[str, str | None]]:
    items = client.get(f"{URL}/{name}/members", params=query).json()["items"]
    return [(item["name"], item["label"]) for item in items]


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
    assert shown["labels"] == [{"label": "cat", "members": 2}, {"label": "dog", "members": 1}]
    assert members(client, "pets") == [("cat/0.png", "cat"), ("cat/1.png", "cat"), ("dog/0.png", "dog")]
    assert members(client, made["id"], label="dog") == [("dog/0.png", "dog")]
    assert (job["result"]["added"], job["result"]["ignored"]) == (3, 1)
    (item,) = client.get(URL).json()["items"]
    assert item["id"] == made["id"]
