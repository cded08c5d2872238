"""Waiting for a job over streams that break, are silent, or are not there."""

import json
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto_client import JobCancelled, JobFailed, NoAnswer, WaitTimeout
from impasto_client._core import following
from impasto_client._core.sse import Event, EventParser
from tests.support.client import AWAY, JOB, JOB_ID, QUICK, Ask, gather, job
from tests.support.flaky_server import DROPPED, FlakyServer, Reply

QUEUED, ENDED = (
    Reply.of(job()),
    Reply.of(job(state="succeeded", seq=9, kind="of_tomorrow", result={"loss": 1.5})),
)
NEVER = Reply(200, b"retry: 10\n\n", silent_for=60)


def stream(*events: tuple[int, str, dict[str, Any]], **more: Any) -> Reply:
    """A stream of events: id, type and data of each."""
    texts = [
        f"id: {seq}\nevent: {kind}\ndata: {json.dumps({**data, 'seq': seq})}\n\n"
        for seq, kind, data in events
    ]
    return Reply(200, ("retry: 10\n\n: alive\n\n" + "".join(texts)).encode(), **more)


def progress(done: int) -> dict[str, Any]:
    """How far a job is."""
    return {"done": done, "total": 5, "losses": {}, "eta_seconds": None}


def test_a_stream_that_breaks_goes_on_after_the_last_event(ask: Ask, server: FlakyServer) -> None:
    server.answer(f"GET {JOB}", QUEUED, QUEUED, QUEUED, QUEUED, ENDED)
    events = f"GET {JOB}/events"
    server.answer(
        events,
        stream((2, "state", {"state": "running"}), (3, "progress", progress(1)), silent_for=0.01),
        DROPPED,
        stream((4, "progress", progress(2)), (9, "done", {"state": "succeeded"})),
    )
    made = ask(lambda client: client.jobs.get(JOB_ID))
    seen = ask(lambda _: gather(made.progress()))
    assert [each.done for each in seen] == [1, 2]
    assert [each.headers.get("last-event-id") for each in server.sent(events)] == ["1", "3", "3"]
    assert made.state == "succeeded" and ask(lambda _: made.result) == {"loss": 1.5}


@pytest.mark.medium
def test_without_events_it_polls(ask: Ask, server: FlakyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "SILENT_SECONDS", 0.1)
    running = Reply.of(job(state="running", seq=4, progress=progress(3)))
    server.answer(f"GET {JOB}", QUEUED, QUEUED, running, ENDED)
    # Held back by a proxy, then refused by it.
    server.answer(f"GET {JOB}/events", NEVER, AWAY)
    made = ask(lambda client: client.jobs.get(JOB_ID))
    assert [each.done for each in ask(lambda _: gather(made.progress()))] == [3]
    assert made.state == "succeeded"


@pytest.mark.medium
def test_a_wait_ends_in_time(ask: Ask, server: FlakyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer(f"GET {JOB}", QUEUED)
    server.answer(f"GET {JOB}/events", NEVER)
    made = ask(lambda client: client.jobs.get(JOB_ID))
    for seconds in (0, 0.2):
        begin = time.monotonic()
        with pytest.raises(WaitTimeout, match=JOB_ID):
            ask(lambda _, seconds=seconds: made.wait(timeout=seconds))
        assert time.monotonic() - begin >= seconds
    # A time-out is one for those who know nothing of this package, too.
    assert issubclass(WaitTimeout, TimeoutError)


def test_the_end_of_a_job_may_be_an_error(ask: Ask, server: FlakyServer) -> None:
    error = {"type": "input", "title": "T", "detail": "Too small.", "field": "size"}
    server.answer(f"GET {JOB}", QUEUED, Reply.of(job(state="failed", seq=2, error=error)))
    server.answer(f"GET {JOB}/events", Reply(204))
    made = ask(lambda client: client.jobs.get(JOB_ID))
    with pytest.raises(JobFailed, match="Too small") as raised:
        ask(lambda _: made.wait())
    assert raised.value.error is not None and raised.value.error.field == "size"
    server.answer(f"GET {JOB}", Reply.of(job(state="cancelled")))
    made = ask(lambda client: client.jobs.get(JOB_ID))
    with pytest.raises(JobCancelled):
        ask(lambda _: made.image)


@pytest.mark.medium
def test_a_service_that_stays_away_ends_the_wait(
    ask: Ask, server: FlakyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MAX_PAUSE_SECONDS", 0.01)
    server.answer(f"GET {JOB}", QUEUED, QUEUED, DROPPED)
    server.answer(f"GET {JOB}/events", DROPPED)
    made = ask(lambda client: client.jobs.get(JOB_ID))
    with pytest.raises(NoAnswer):
        ask(lambda _: made.wait())
    assert len(server.sent(f"GET {JOB}")) == 2 + following.MAX_FAILURES * QUICK.attempts


EVENTS = [Event("state", {"a": 1}, "1"), Event("done", {"text": "ä\n"}, "2")]
LINES = ["retry: 500", "", ": comment", "id: 1", "event: state", 'data: {"a":', "data: 1}", "", "id: 2"]
LINES += ["event:done", 'data: {"text": "ä\\n"}', "", "data"]


@given(st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 200), max_size=12))
def test_events_are_the_same_however_the_stream_is_cut(ending: str, cuts: Sequence[int]) -> None:
    text = (ending.join(LINES) + ending).encode()
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    parser = EventParser()
    found = [event for start, end in pairwise(places) for event in parser.feed(text[start:end])]
    assert found == EVENTS
    assert (parser.retry, parser.last_id) == (0.5, "2")
