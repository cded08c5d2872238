"""What a request has made is named in its answer, though the database goes away at the commit."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from app.http.services import Services
from tests.app.conftest import upload
from tests.support.service import wait_for
from tests.support.zips import picture, zipped

JOB = {"kind": "architecture", "params": {"network": "palette"}}
KEY = {"Idempotency-Key": "one"}
LINES = {
    "content": json.dumps({"custom_id": "a", **JOB}),
    "headers": {"content-type": "application/x-ndjson"},
}
Send = Callable[[], Any]


@contextmanager
def away_after(engine: Engine, table: str) -> Iterator[None]:
    """A context in which each statement fails after the commit of a row of a table, or of a change of one."""
    found = {"written": False, "away": False}

    def execute(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if found["away"]:
            raise OperationalError(statement, None, Exception("the database is away"))
        found["written"] |= statement.startswith(f"INSERT INTO {table} ")

    def commit(connection: Connection) -> None:
        found["away"] |= found["written"]

    for name, listener in (("before_cursor_execute", execute), ("commit", commit)):
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for name, listener in (("before_cursor_execute", execute), ("commit", commit)):
            event.remove(engine, name, listener)
    assert found["away"]


def of_jobs(client: TestClient) -> dict[str, Send]:
    def ended(path: str) -> str:
        wait_for(lambda: client.post(f"{path}/cancel").json()["state"] == "cancelled")
        return path

    job = ended(f"/v1/jobs/{client.post('/v1/jobs', json=JOB).json()['id']}")
    batch = client.post("/v1/batches", **LINES).headers["location"]
    entry = wait_for(lambda: client.get(f"{batch}/entries").json()["items"][0]["job_id"])
    ended(batch)
    return {
        "job": lambda: client.post("/v1/jobs", json=JOB),
        "job of a kind": lambda: client.post("/v1/architecture", json=JOB["params"], headers=KEY),
        "retry": lambda: client.post(f"{job}/retry"),
        "retry of an entry": lambda: client.post(f"/v1/jobs/{entry}/retry"),
        "retry with a key": lambda: client.post(f"/v1/jobs/{entry}/retry", headers=KEY),
        "built-in set": lambda: client.post("/v1/datasets", json={"source": "digits"}),
        "built-in set with a key": lambda: client.post(
            "/v1/datasets", json={"source": "digits"}, headers=KEY
        ),
        "set of a ZIP": lambda: client.post(
            "/v1/datasets",
            files={"file": ("a.zip", zipped({"cat/1.png": picture(1)}))},
            data={"params": json.dumps({"name": "pets"})},
        ),
    }


def of_sets(client: TestClient) -> dict[str, Send]:
    client.post("/v1/datasets", json={"name": "cats"})
    members = [{"image": upload(client, picture(n)).json()["id"], "label": "cat"} for n in range(3)]
    client.post("/v1/datasets/cats/members", json={"members": members})
    client.post("/v1/datasets/cats/close")
    renamed = {"name": "tabbies", "rename": {"cat": "tabby"}}
    return {
        "set": lambda: client.post("/v1/datasets", json={"name": "dogs"}),
        "relabeled set": lambda: client.post("/v1/datasets/cats/relabel", json=renamed),
        "relabeled set with a key": lambda: client.post(
            "/v1/datasets/cats/relabel", json=renamed, headers=KEY
        ),
    }


def of_batches(client: TestClient) -> dict[str, Send]:
    return {"batch": lambda: client.post("/v1/batches", **LINES)}


def of_images(client: TestClient) -> dict[str, Send]:
    return {"image": lambda: upload(client)}


MADE: dict[str, tuple[Callable[[TestClient], dict[str, Send]], list[str]]] = {
    "jobs": (
        of_jobs,
        [
            *("job", "job of a kind", "retry", "retry of an entry", "retry with a key"),
            *("built-in set", "built-in set with a key", "set of a ZIP"),
        ],
    ),
    "datasets": (of_sets, ["set", "relabeled set", "relabeled set with a key"]),
    "batches": (of_batches, ["batch"]),
    "images": (of_images, ["image"]),
}


@pytest.mark.parametrize(
    ("table", "request_"), [(table, each) for table, (_, names) in MADE.items() for each in names]
)
def test_a_database_that_is_away_from_the_commit_on_costs_no_location(
    client: TestClient, services: Services, table: str, request_: str
) -> None:
    send = MADE[table][0](client)[request_]
    with away_after(services.engine, table):
        answer = send()
    assert answer.status_code in (201, 202), answer.text
    made = client.get(answer.headers["location"])
    assert made.status_code == 200, made.text
    # A set of a ZIP is named, not the job that fills it.
    assert made.json()["id"] == answer.json()["id"]
