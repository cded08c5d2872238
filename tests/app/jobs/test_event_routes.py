"""Event streams and waiting, on a real socket."""

import asyncio
import gc
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from app.jobs import claims, event_routes, latest_events, repository
from app.jobs.claims import Claim
from app.jobs.dispatch.base import LocalDispatcher
from app.jobs.job import Artifact, Event
from app.jobs.repository import NewJob
from app.jobs.states import State
from app.settings import Settings
from tests.support import strange_pictures as strange
from tests.support.events import Received, listen, read_events
from tests.support.service import wait_for
from tests.support.statements import statements, wait_until_quiet


@pytest.fixture
def job_id(address: str) -> str:
    return submit(address)


def submit(address: str) -> str:
    files = {"content": ("a.png", strange.plain()), "style": ("b.png", strange.noise())}
    identifier: str = httpx.post(f"{address}/v1/style-transfer", files=files).json()["id"]
    return identifier


def queue(engine: Engine) -> str:
    new = NewJob(kind="architecture", lane="short", params={})
    return repository.create_job(engine, new)[0].id


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
        for done in range(1, 46):
            progress(database, claim, done)
            time.sleep(0.01)
        claims.finish(database, claim, State.SUCCEEDED)

    worker = threading.Thread(target=work)
    worker.start()
    seen: list[str] = []
    reconnects = 0
    while not seen or seen[-1] != "48":
        headers = {"Last-Event-ID": seen[-1]} if seen else {}
        with httpx.stream("GET", url, headers=headers, timeout=30) as response:
            for count, event in enumerate(read_events(response), 1):
                seen.append(event.id)
                if count == 3:
                    break
        reconnects += 1
    worker.join()
    assert reconnects >= 16
    assert [int(identity) for identity in seen] == list(range(1, 49))


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
def test_a_reader_ahead_of_the_database_gets_the_end(address: str, database: Engine, job_id: str) -> None:
    """As after a restored backup, which has forgotten some events."""
    url, ahead = f"{address}/v1/jobs/{job_id}/events", {"Last-Event-ID": "900"}
    with httpx.stream("GET", url, headers=ahead, timeout=30) as response:
        repository.request_cancel(database, job_id)
        assert [(event.id, event.type) for event in read_events(response)] == [("2", "done")]
    assert httpx.get(url, headers=ahead, timeout=30).status_code == 204


@pytest.mark.medium
def test_a_job_that_was_deleted_does_not_end_the_stream_of_others(address: str, database: Engine) -> None:
    ids = [submit(address) for _ in range(2)]
    url = f"{address}/v1/events?jobs={','.join(ids)}"
    repository.request_cancel(database, ids[0])
    assert httpx.delete(f"{address}/v1/jobs/{ids[0]}").status_code == 204
    # Nobody has seen anything of it: the id may be wrong.
    assert httpx.get(url).json()["type"] == "unknown_job"
    repository.request_cancel(database, ids[1])
    assert [event.id for event in listen(url, "2.1")] == ["2.2"]


@pytest.mark.medium
def test_many_streams_of_many_jobs_cost_one_query_a_change(
    address: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    read = latest_events.list_events_of

    def counted(engine: Engine, after: Mapping[str, int], limit: int) -> list[Event]:
        reads.append(len(after))
        return read(engine, after, limit)

    monkeypatch.setattr(latest_events, "list_events_of", counted)
    ids = [submit(address) for _ in range(12)]
    url = f"{address}/v1/events?jobs={','.join(ids)}"
    with ThreadPoolExecutor(6) as pool:
        streams = [pool.submit(listen, url) for _ in range(6)]
        # Each has read what there was.
        while sum(count == len(ids) for count in reads) < len(streams):
            time.sleep(0.05)
        time.sleep(0.5)
        reads.clear()
        for job_id in ids:
            assert httpx.post(f"{address}/v1/jobs/{job_id}/cancel").status_code == 200
        every = sorted((job_id, seq) for job_id in ids for seq in (1, 2))
        for stream in streams:
            assert sorted((e.data["job_id"], e.data["seq"]) for e in stream.result(60)) == every
    # Twelve changes, of which several may be read together, and polls: not one for each stream and job.
    assert 1 <= len(reads) <= len(ids) + 6


@pytest.mark.medium
def test_a_stream_keeps_nothing_of_a_history_that_it_has_sent(
    app: FastAPI, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of streams that begin at once wait for each other's reads."""
    job_id = queue(database)
    claim = claims.claim_next(database, "w", ["short"], 30)
    assert claim is not None
    for done in range(40):
        progress(database, claim, done)
    after = latest_events.LatestEvents.after

    async def once(latest: latest_events.LatestEvents, seen: Mapping[str, int]) -> list[Event]:
        if seen[job_id]:
            await asyncio.sleep(60)
        return await after(latest, seen)

    monkeypatch.setattr(latest_events.LatestEvents, "after", once)

    async def follow() -> tuple[int, int]:
        seq = repository.get_seqs(database, [job_id])[job_id]
        stream = event_routes._stream(app.state.services, {job_id: 0}, {job_id: seq}, single=True)
        sent = [await anext(stream) for _ in range(seq + 1)]
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.1)
        kept = sum(isinstance(each, Event) and each.job_id == job_id for each in gc.get_objects())
        waiting.cancel()
        return len(sent), kept

    sent, kept = asyncio.run(follow())
    assert sent > 40 and kept == 0


@pytest.mark.medium
def test_streams_that_cannot_be_meant(address: str, job_id: str) -> None:
    assert httpx.get(f"{address}/v1/jobs/nope/events").status_code == 404
    assert httpx.get(f"{address}/v1/events?jobs=nope").json()["type"] == "unknown_job"
    assert httpx.get(f"{address}/v1/events?jobs=").json()["field"] == "jobs"
    url = f"{address}/v1/jobs/{job_id}/events"
    bad = httpx.get(url, headers={"Last-Event-ID": "yesterday"})
    assert bad.status_code == 422 and bad.json()["field"] == "Last-Event-ID"


@pytest.mark.medium
def test_a_stream_of_a_hundred_jobs_costs_one_query_a_wake_up(
    address: str, database: Engine, settings: Settings, app: FastAPI
) -> None:
    ids = [queue(database) for _ in range(100)]
    wake = LocalDispatcher(settings.data_dir)
    url = f"{address}/v1/events?jobs={','.join(ids)}"
    with ThreadPoolExecutor(3) as pool, statements(app.state.services.engine) as sent:
        streams = [pool.submit(listen, url) for _ in range(3)]
        while f"impasto_event_streams {len(streams)}.0" not in httpx.get(f"{address}/metrics").text:
            time.sleep(0.05)
        # What they begin with.
        wait_until_quiet(sent, "job_events")
        sent.clear()
        repository.request_cancel(database, ids[0])
        wake.changed(ids[0])
        wait_for(lambda: any("job_events" in statement for statement in sent))
        wait_until_quiet(sent, "job_events")
        reads = [statement for statement in sent if "job_events" in statement]
        for job_id in ids[1:]:
            repository.request_cancel(database, job_id)
            wake.changed(job_id)
        assert [len(stream.result(60)) for stream in streams] == [200] * len(streams)
    # For all streams together; a second one is there if the wake-up meets a look for what was missed.
    assert 1 <= len(reads) < len(streams)


@pytest.mark.medium
@pytest.mark.parametrize("text", ["9" * 18, "9" * 19, "5" * 5000, "0", "1", "2", "-1", "²", "1.1", "", "x"])
def test_a_stream_ends_whatever_its_reader_says_that_it_has_seen(
    address: str, database: Engine, job_id: str, text: str
) -> None:
    repository.request_cancel(database, job_id)
    headers = {"Last-Event-ID": text.encode()}
    urls = [f"{address}/v1/jobs/{job_id}/events", f"{address}/v1/events?jobs={job_id}"]
    answers = [httpx.get(url, headers=headers, timeout=20) for url in urls]
    is_seq = text.isascii() and text.isdigit() and len(text) <= 18
    ended = 204 if is_seq and int(text) >= 2 else 200
    assert {answer.status_code for answer in answers} == {ended if is_seq or not text else 422}
    for answer in answers:
        assert answer.status_code != 200 or "event: done" in answer.text


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
