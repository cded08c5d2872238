"""Batches over HTTP, from their lines to their ends, without workers."""

import json
from typing import Any

from fastapi.testclient import TestClient

from tests.support.service import wait_for

NDJSON = {"Content-Type": "application/x-ndjson"}


def lines_of(count: int, **params: Any) -> bytes:
    made = ({"custom_id": f"e{n}", "kind": "architecture", "params": params} for n in range(1, count + 1))
    return "".join(json.dumps(line) + "\n" for line in made).encode()


def send(client: TestClient, body: bytes, **options: Any) -> Any:
    return client.post("/v1/batches", content=body, headers=NDJSON, params=options)


def wait_for_batch(client: TestClient, batch_id: str, probe: Any) -> Any:
    def look() -> Any:
        view = client.get(f"/v1/batches/{batch_id}").json()
        return view if probe(view) else None

    return wait_for(look)


def test_lines_become_jobs_in_order(client: TestClient) -> None:
    answer = send(client, lines_of(30, network="palette"), name="tables")
    assert answer.status_code == 202, answer.text
    view = answer.json()
    assert answer.headers["location"] == f"/v1/batches/{view['id']}"
    assert (view["name"], view["lines"], view["state"]) == ("tables", 30, "running")
    made = wait_for_batch(client, view["id"], lambda view: view["counts"]["queued"] == 30)
    assert made["counts"]["waiting"] == 0
    jobs = client.get("/v1/jobs", params={"batch": view["id"], "limit": 100}).json()["items"]
    assert [job["batch_line"] for job in reversed(jobs)] == list(range(1, 31))
