"""The event stream of a batch, on a real socket."""

import threading
import time
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from app.batches.batch import BatchState
from app.jobs.dispatch.base import LocalDispatcher
from app.jobs.states import State
from app.settings import Settings
from tests.support.batches import add_batch, add_jobs, give, refuse, set_batch, set_jobs
from tests.support.events import Received, listen, read_events
from tests.support.service import wait_for

JOB = "0198c0de-0000-7000-8000-000000000000"


def entries_of(received: list[Received]) -> list[tuple[int, str]]:
    return [(each.data["line"], each.data["state"]) for each in received if each.type == "entry"]


@pytest.mark.medium
def test_a_stream_tells_the_whole_life_and_ends_with_it(
    address: str, database: Engine, settings: Settings
) -> None:
    batch = add_batch(database, 5, paused=True)
    ids = add_jobs(database, batch, [1, 2, 3, 4])
    refuse(database, batch, [5])
    set_batch(database, batch.id, next_line=6)
    received: list[Received] = []

    def follow() -> None:
        with httpx.stream("GET", f"{address}/v1/batches/{batch.id}/events", timeout=60) as response:
            for event in read_events(response):
                received.append(event)

    def states() -> list[dict[str, Any]]:
        return [each.data for each in list(received) if each.type == "state"]

    reader = threading.Thread(target=follow)
    reader.start()
    wake = LocalDispatcher(settings.data_dir)
    wait_for(states)
    set_batch(database, batch.id, paused=False)
    set_jobs(database, ids[:2], State.RUNNING)
    wake.changed(batch.id)
    wait_for(lambda: any(each["counts"]["running"] == 2 and not each["paused"] for each in states()))
    give(database, None, ids[0], "image", b"x")
    set_jobs(database, ids[:1], State.SUCCEEDED)
    set_jobs(database, ids[1:2], State.FAILED)
    set_jobs(database, ids[2:], State.CANCELLED)
    set_batch(database, batch.id, state=BatchState.FAILED, finished_at=time.time())
    wake.changed(batch.id)
    reader.join(timeout=60)
    assert received[0].type == "state" and received[0].data["paused"] is True
    assert received[0].data["counts"]["queued"] == 4
    entries = entries_of(received)
    assert len(set(entries)) == len(entries) and {line for line, _ in entries} == {1, 2, 3, 4, 5}
    assert [state for line, state in entries if line == 1] == ["running", "succeeded"]
    (made,) = [each.data for each in received if each.type == "entry" and each.data["state"] == "succeeded"]
    assert made["artifacts"][0]["name"] == "image" and made["custom_id"] == "c1" and made["job_id"] == ids[0]
    assert all(_without_eta(one) != _without_eta(next_one) for one, next_one in pairwise(states()))
    assert received[-1].type == "done" and received[-1].data["state"] == "failed"
    assert received[-1].data["counts"] == {
        "waiting": 0,
        "queued": 0,
        "running": 0,
        "succeeded": 1,
        "failed": 2,
        "cancelled": 2,
    }


def _without_eta(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "eta_seconds"}


@pytest.mark.medium
def test_a_reader_that_comes_back_gets_the_rest(address: str, database: Engine) -> None:
    batch = add_batch(database, 1200)
    ids = add_jobs(database, batch, range(1, 1201))
    start = time.time() - 2000
    for place in range(0, 1200, 100):
        set_jobs(database, ids[place : place + 100], State.SUCCEEDED, finished_at=start + place)
    set_batch(database, batch.id, state=BatchState.SUCCEEDED, finished_at=start + 1200)
    url = f"{address}/v1/batches/{batch.id}/events"
    whole = listen(url)
    assert [each.type for each in (whole[0], whole[-1])] == ["state", "done"]
    assert sorted(entries_of(whole)) == [(line, "succeeded") for line in range(1, 1201)]
    assert httpx.get(url, headers={"Last-Event-ID": whole[-1].id}).status_code == 204
    for place in (1, 450, 501, 1200):
        seen = entries_of(whole[: place + 1])
        rest = entries_of(listen(url, whole[place].id))
        assert {line for line, _ in seen + rest} == set(range(1, 1201))
        assert len(rest) <= 1200 - place + 100
    assert [each.type for each in listen(f"{url}?replay=false")] == ["state", "done"]
    # By a clock that was set back it has ended again at an earlier time.
    set_batch(database, batch.id, finished_at=start + 1100)
    assert [each.type for each in listen(url, whole[-1].id)][-1] == "done"
    # A retry makes it run again, and whoever had it all hears of that.
    set_jobs(database, ids[:1], State.QUEUED, finished_at=None)
    set_batch(database, batch.id, state=BatchState.RUNNING, finished_at=None)
    with httpx.stream("GET", url, headers={"Last-Event-ID": whole[-1].id}, timeout=10) as response:
        assert next(read_events(response)).data["state"] == "running"


@pytest.mark.medium
def test_streams_that_cannot_be_meant(address: str, database: Engine) -> None:
    assert httpx.get(f"{address}/v1/batches/{JOB}/events").json()["type"] == "unknown_batch"
    batch = add_batch(database, 1)
    url = f"{address}/v1/batches/{batch.id}/events"
    for wrong in ("yesterday", "1", "1.x", "9" * 16 + ".1"):
        bad = httpx.get(url, headers={"Last-Event-ID": wrong})
        assert bad.status_code == 422 and bad.json()["field"] == "Last-Event-ID"


@pytest.mark.medium
def test_a_stream_is_alive_although_nothing_happens_until_the_batch_is_deleted(
    address: str, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.batches.event_routes.HEARTBEAT_SECONDS", 0.1)
    batch = add_batch(database, 1)
    with httpx.stream("GET", f"{address}/v1/batches/{batch.id}/events", timeout=10) as response:
        lines = response.iter_lines()
        assert any(line == ": alive" for line in lines)
        with pytest.raises(Exception, match="There is no batch"):
            set_batch(database, batch.id, delete_requested_at=1.0)
        assert all(line in (": alive", "") for line in lines)
