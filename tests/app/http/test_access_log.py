"""The log of requests, and the ids by which they are found in it."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.database.ids import is_id
from app.http.services import Services
from app.jobs.repository import get_job, list_jobs
from app.log_context import FIELDS, current_request_id
from app.settings import Settings
from tests.app.conftest import serving, upload
from tests.support.service import wait_for

MINE = "Root=1-5e1b4151/abc:7"


@dataclass(frozen=True)
class Line:
    """A line of the log of requests."""

    level: int
    text: str
    request_id: str | None
    fields: dict[str, Any]


class Collector(logging.Handler):
    """Keeps the lines of the log of requests."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, FIELDS)
        self.lines.append(Line(record.levelno, record.getMessage(), current_request_id(), fields))


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with serving(settings.model_copy(update={"access_log": True})) as client:
        yield client


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    log, collector = logging.getLogger("app.http.access"), Collector()
    log.addHandler(collector)
    log.setLevel(logging.DEBUG)
    yield collector.lines
    log.removeHandler(collector)
    log.setLevel(logging.NOTSET)


@pytest.mark.medium
def test_each_request_is_a_line_with_what_was_answered(client: TestClient, lines: list[Line]) -> None:
    answer = client.get("/v1/networks?token=secret", headers={"X-Request-ID": MINE})
    assert answer.headers["X-Request-ID"] == MINE
    (line,) = lines
    assert line.level == logging.INFO and line.request_id == MINE
    duration = line.fields.pop("duration_ms")
    assert line.fields == {
        "method": "GET",
        "path": "/v1/networks",
        "status": 200,
        "bytes": len(answer.content),
    }
    assert line.text == f"GET /v1/networks 200 {duration:.1f} ms {len(answer.content)} B"


@pytest.mark.medium
@pytest.mark.parametrize("given", [None, "", "two words", "a\tb", "x" * 129, 'quo"te', "comma,"])
def test_an_id_is_made_where_none_comes_that_is_sane(
    client: TestClient, lines: list[Line], given: str | None
) -> None:
    answer = client.get("/v1/kinds", headers={} if given is None else {"X-Request-ID": given})
    assert is_id(answer.headers["X-Request-ID"])
    assert [line.request_id for line in lines] == [answer.headers["X-Request-ID"]]


@pytest.mark.medium
def test_problems_name_the_request_whoever_answers_them(
    client: TestClient, lines: list[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("app.workers.repository.list_alive", fail)
    monkeypatch.setattr(client._transport, "raise_server_exceptions", False)
    refused = [
        client.get("/v1/jobs/nothing"),
        client.get("/v1/nowhere"),
        client.get("/v1/jobs?limit=-1"),
        client.get("/v1/kinds", headers={"host": "elsewhere.example"}),
        client.post("/v1/jobs", content=b"{", headers={"content-type": "application/json"}),
        client.get("/readyz"),
    ]
    assert [answer.status_code for answer in refused] == [404, 404, 422, 421, 400, 500]
    for answer, line in zip(refused, lines, strict=True):
        problem = answer.json()
        assert problem["request_id"] == answer.headers["X-Request-ID"] == line.request_id
        assert problem["status"] == line.fields["status"] == answer.status_code


@pytest.mark.medium
def test_a_job_is_named_by_the_request_that_makes_it_and_by_those_about_it(
    client: TestClient, services: Services, lines: list[Line]
) -> None:
    image_id = upload(client).json()["id"]
    asked = {"kind": "style_transfer", "params": {"content": image_id, "style": image_id}}
    job_id = client.post("/v1/jobs", json=asked, headers={"X-Request-ID": MINE}).json()["id"]
    client.get(f"/v1/jobs/{job_id}")
    client.get("/v1/jobs/no-job")
    assert [line.fields.get("job_id") for line in lines] == [None, job_id, job_id, None]
    assert get_job(services.engine, job_id).request_id == MINE
    client.post(f"/v1/jobs/{job_id}/cancel")
    again = client.post(f"/v1/jobs/{job_id}/retry", headers={"X-Request-ID": "again"}).json()["id"]
    assert lines[-1].fields["job_id"] == again
    assert get_job(services.engine, again).request_id == "again"


@pytest.mark.medium
def test_a_batch_gives_its_jobs_the_request_that_it_came_with(
    client: TestClient, services: Services, lines: list[Line]
) -> None:
    image_id = upload(client).json()["id"]
    params = {"content": image_id, "style": image_id}
    entry = json.dumps({"custom_id": "a", "kind": "style_transfer", "params": params})
    headers = {"content-type": "application/jsonl", "X-Request-ID": MINE}
    batch = client.post("/v1/batches", content=entry, headers=headers).json()
    assert lines[-1].fields["batch_id"] == batch["id"]
    (job,) = wait_for(lambda: list_jobs(services.engine, limit=9))
    assert job.log_fields == {"job_id": job.id, "batch_id": batch["id"], "request_id": MINE}


@pytest.mark.medium
def test_a_path_stays_on_its_line_and_probes_that_succeed_are_no_news(
    client: TestClient, lines: list[Line]
) -> None:
    client.get("/a%0A2026-01-01 ERROR b%1b[31m")
    client.get("/" + "x" * 1000)
    client.get("/healthz")
    client.get("/readyz")  # 503: there is no worker
    assert [line.fields["path"][:12] for line in lines] == [
        "/a%0A2026-01",
        "/xxxxxxxxxxx",
        "/healthz",
        "/readyz",
    ]
    assert all(line.text.isprintable() and len(line.text) < 600 for line in lines)
    assert [line.level for line in lines] == [logging.INFO, logging.INFO, logging.DEBUG, logging.INFO]


@pytest.mark.medium
@pytest.mark.parametrize("prefix", ["/art/impasto", ""], ids=["kept", "stripped"])
def test_below_a_path_probes_and_subjects_are_known_as_well(
    settings: Settings, lines: list[Line], prefix: str
) -> None:
    below = settings.model_copy(update={"access_log": True, "root_path": "/art/impasto"})
    with serving(below) as client:
        client.get(f"{prefix}/healthz")
        asked = {"kind": "architecture", "params": {"network": "palette"}}
        job_id = client.post(f"{prefix}/v1/jobs", json=asked).json()["id"]
        entry = json.dumps({"custom_id": "a", **asked})
        headers = {"content-type": "application/jsonl"}
        batch_id = client.post(f"{prefix}/v1/batches", content=entry, headers=headers).json()["id"]
    assert [line.level for line in lines] == [logging.DEBUG, logging.INFO, logging.INFO]
    assert [line.fields.get("job_id") for line in lines] == [None, job_id, None]
    assert lines[-1].fields["batch_id"] == batch_id


@pytest.mark.parametrize(
    ("settings", "logged"),
    [
        (Settings(), False),
        (Settings(access_log=True), True),
        (Settings(redis_url="redis://a"), True),
        (Settings(redis_url="redis://a", access_log=False), False),
    ],
)
def test_requests_are_logged_if_told_to_or_over_redis(settings: Settings, logged: bool) -> None:
    assert settings.logs_requests is logged


@pytest.mark.medium
def test_without_the_log_requests_have_ids_all_the_same(settings: Settings, lines: list[Line]) -> None:
    with serving(settings) as client:
        assert client.get("/v1/kinds", headers={"X-Request-ID": MINE}).headers["X-Request-ID"] == MINE
    assert lines == []
