"""Event streams and waiting, on a real socket."""

import threading
import time

import httpx
import pytest
from sqlalchemy import Engine

from app.jobs import claims, repository
from app.jobs.claims import Claim
from app.jobs.dispatch.base import LocalDispatcher
from app.jobs.job import Artifact
from app.jobs.states import State
from app.settings import Settings
from tests.support import strange_pictures as strange
from tests.support.events import Received, listen, read_events


@pytest.fixture
def job_id(address: str) -> str:
    return submit(address)


def submit(address: str) -> str:
    files = {"content": ("a.png", strange.plain()), "style": ("b.png", strange.noise())}
    identifier: str = httpx.post(f"{address}/v1/style-transfer", files=files).json()["id"]
    return identifier


def take(engine: Engine) -> Claim:
    claim = claims.claim_next(engine, "w", ["long"], 30)
    assert claim is not None
    return claim


def progress(engine: Engine, claim: Claim, done: int) -> None:
    claims.report_progress(engine, claim, {"done": done, "total": 9, "losses": {}, "eta_seconds": None})


@pytest.mark.medium
def test_a_stream_tells_the_whole_life_and_ends_with_it(
    address: str, database: Engine, settings: Settings, job_id: str
) -> None:
    received: list[Received] = []
    url = f"{address}/v1/jobs/{job_id}/events"
    reader = threading.Thread(target=lambda: received.extend(listen(url)))
    reader.start()
    wake = LocalDispatcher(settings.data_dir)
    claim = take(database)
    progress(database, claim, 1)
    wake.changed(job_id)
    picture = Artifact(job_id, "preview", "k", "image/jpeg", 1, "ab")
    claims.save_preview(database, claim, picture)
    claims.finish(database, claim, State.SUCCEEDED)
    wake.changed(job_id)
    reader.join(timeout=20)
    assert [event.type for event in received] == ["state", "state", "progress", "preview", "done"]
    assert [int(event.id) for event in received] == [1, 2, 3, 4, 5]
    assert received[-1].data["state"] == "succeeded" and received[0].data["job_id"] == job_id
    assert received[3].data["url"].startswith(f"/v1/jobs/{job_id}/artifacts/preview?v=")


@pytest.mark.medium
def test_a_reader_that_comes_back_often_sees_every_event_once(
    address: str, database: Engine, job_id: str
) -> None:
    claim = take(database)
    url = f"{address}/v1/jobs/{job_id}/events"

    def work() -> None:
        for done in range(1, 60):
            progress(database, claim, done)
            time.sleep(0.01)
        claims.finish(database, claim, State.SUCCEEDED)

    worker = threading.Thread(target=work)
    worker.start()
    seen: list[str] = []
    reconnects = 0
    while not seen or seen[-1] != "62":
        headers = {"Last-Event-ID": seen[-1]} if seen else {}
        with httpx.stream("GET", url, headers=headers, timeout=30) as response:
            for count, event in enumerate(read_events(response), 1):
                seen.append(event.id)
                if count == 3:
                    break
        reconnects += 1
    worker.join()
    assert reconnects >= 20
    assert [int(identity) for identity in seen] == list(range(1, 63))


@pytest.mark.medium
def test_a_reader_who_has_it_all_is_told_not_to_come_back(
    address: str, database: Engine, job_id: str
) -> None:
    job = repository.request_cancel(database, job_id)
    url = f"{address}/v1/jobs/{job_id}/events"
    assert [event.id for event in listen(url)] == ["1", "2"]
    assert httpx.get(url, headers={"Last-Event-ID": str(job.seq)}, timeout=30).status_code == 204


@pytest.mark.medium
def test_one_stream_for_many_jobs_replays_each_from_its_own_place(address: str, database: Engine) -> None:
    ids = [submit(address) for _ in range(3)]
    for job_id in ids:
        repository.request_cancel(database, job_id)
    url = f"{address}/v1/events?jobs={','.join(ids)}"
    whole = listen(url)
    by_job = {job_id: [e.data["seq"] for e in whole if e.data["job_id"] == job_id] for job_id in ids}
    assert by_job == {job_id: [1, 2] for job_id in ids}
    for place, event in enumerate(whole[:-1]):
        rest = listen(url, event.id)
        assert [(e.data["job_id"], e.data["seq"]) for e in rest] == [
            (e.data["job_id"], e.data["seq"]) for e in whole[place + 1 :]
        ]
    assert httpx.get(url, headers={"Last-Event-ID": whole[-1].id}, timeout=30).status_code == 204


@pytest.mark.medium
def test_streams_that_cannot_be_meant(address: str, job_id: str) -> None:
    assert httpx.get(f"{address}/v1/jobs/nope/events").status_code == 404
    assert httpx.get(f"{address}/v1/events?jobs=nope").json()["type"] == "unknown_job"
    assert httpx.get(f"{address}/v1/events?jobs=").json()["field"] == "jobs"
    url = f"{address}/v1/jobs/{job_id}/events"
    bad = httpx.get(url, headers={"Last-Event-ID": "yesterday"})
    assert bad.status_code == 422 and bad.json()["field"] == "Last-Event-ID"


@pytest.mark.medium
def test_a_stream_is_alive_although_nothing_happens(
    address: str, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.event_routes.HEARTBEAT_SECONDS", 0.1)
    with httpx.stream("GET", f"{address}/v1/jobs/{job_id}/events", timeout=10) as response:
        lines = response.iter_lines()
        assert any(line == ": alive" for line in lines)


@pytest.mark.medium
def test_a_lost_wake_up_is_made_up_for(address: str, database: Engine, job_id: str) -> None:
    received: list[Received] = []
    url = f"{address}/v1/jobs/{job_id}/events"
    reader = threading.Thread(target=lambda: received.extend(listen(url)))
    reader.start()
    while not received and not _streams(address):
        time.sleep(0.02)
    repository.request_cancel(database, job_id)  # straight to the database: nobody is woken
    reader.join(timeout=20)
    assert received[-1].type == "done"


def _streams(address: str) -> bool:
    return "impasto_event_streams 1.0" in httpx.get(f"{address}/metrics").text


@pytest.mark.medium
def test_a_request_may_wait_for_the_end(address: str, database: Engine, settings: Settings) -> None:
    files = {"content": ("a.png", strange.plain()), "style": ("b.png", strange.noise())}

    def work() -> None:
        while (claim := claims.claim_next(database, "w", ["long"], 30)) is None:
            time.sleep(0.02)
        claims.finish(database, claim, State.SUCCEEDED, result={"loss": 1.0})
        LocalDispatcher(settings.data_dir).changed(claim.job.id)

    worker = threading.Thread(target=work)
    worker.start()
    url = f"{address}/v1/style-transfer"
    answer = httpx.post(url, files=files, headers={"Prefer": "respond-async, wait=20"}, timeout=30)
    worker.join()
    assert answer.status_code == 200 and answer.json()["state"] == "succeeded"
    assert answer.headers["preference-applied"] == "wait=20"
    late = httpx.post(url, files=files, headers={"Prefer": "wait=1"}, timeout=30)
    assert late.status_code == 202 and late.json()["state"] == "queued"


@pytest.mark.medium
def test_metrics_count_jobs_queues_and_workers(address: str, database: Engine, job_id: str) -> None:
    text = httpx.get(f"{address}/metrics").text
    assert 'impasto_jobs{kind="style_transfer",lane="long",state="queued"} 1.0' in text
    assert 'impasto_oldest_queued_seconds{lane="long"}' in text
