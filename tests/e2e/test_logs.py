"""What the processes of a service log of a request and of its job."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.deployment import Deployment, Mode, Part, deployed, shown_logs
from tests.support.postgres import PostgresServer
from tests.support.service import wait_for
from tests.support.strange_pictures import noise

pytestmark = pytest.mark.server

SETTINGS = {"IMPASTO_LANES": "long", "IMPASTO_LOG_FORMAT": "json", "IMPASTO_LOG_LEVEL": "DEBUG"}


@pytest.fixture(params=["celery", pytest.param("embedded", marks=pytest.mark.slow)])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    mode: Mode = request.param
    server: PostgresServer | None = None
    if mode == "celery":
        server = request.getfixturevalue("postgres_server")
    try:
        with shown_logs(deployed(mode, tmp_path, server, **SETTINGS, IMPASTO_ACCESS_LOG="true")) as service:
            yield service
    except FileNotFoundError as error:
        pytest.skip(str(error))


def entries(part: Part) -> list[dict[str, Any]]:
    """The lines of a part's log; those that the command line itself prints are no JSON."""
    said = ("Impasto starts", "The data is", "Ready:", "Stopped.")
    return [json.loads(line) for line in part.log.splitlines() if not line.startswith(said)]


def test_a_request_is_followed_from_the_api_to_its_worker(service: Deployment) -> None:
    files = {"content": ("a.png", noise(seed=1)), "style": ("b.png", noise(seed=2))}
    params = {"params": json.dumps({"size": 48, "steps": 10})}
    url = f"{service.url}/v1/style-transfer?wait=secret"
    headers = {"X-Request-ID": "from-the-proxy"}
    answer = httpx.post(url, files=files, data=params, headers=headers, timeout=60, trust_env=False)
    job_id = answer.json()["id"]
    stream = f"/v1/jobs/{job_id}/events"
    assert "event: done" in httpx.get(service.url + stream, timeout=120, trust_env=False).text

    def requests(path: str) -> list[dict[str, Any]]:
        return [entry for entry in entries(service.front) if entry.get("path") == path]

    (made,) = requests("/v1/style-transfer")
    assert made["logger"] == "app.http.access" and made["level"] == "INFO"
    assert (made["method"], made["status"], made["job_id"]) == ("POST", 202, job_id)
    assert made["request_id"] == "from-the-proxy" and made["duration_ms"] > 0
    (followed,) = wait_for(lambda: requests(stream))
    # It is logged at its end, with all that it sent.
    assert followed["bytes"] > 500 and followed["duration_ms"] > made["duration_ms"]
    assert "secret" not in service.front.log

    worker = service.parts.get("worker", service.front)
    wait_for(lambda: f"job {job_id}: succeeded" in worker.log)
    told = [
        entry
        for entry in entries(worker)
        if job_id in entry["message"] and entry["logger"].startswith("worker.")
    ]
    assert [entry["message"] for entry in told] == [
        f"job {job_id} (style_transfer): attempt 1",
        f"job {job_id}: succeeded",
    ]
    assert {entry["request_id"] for entry in told} == {"from-the-proxy"}
    assert {entry["job_id"] for entry in told} == {job_id}
    # No other line of a server tells of a request.
    assert not [entry for entry in entries(service.front) if entry["logger"] == "uvicorn.access"]
