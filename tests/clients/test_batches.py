"""Batches by the client, against a server that refuses and breaks off."""

import json
from pathlib import Path
from typing import Any

import pytest

from impasto_client import InvalidBatch, ServiceError
from tests.support.client import (
    AWAY,
    BATCH,
    BATCH_ID,
    BUSY,
    CREATE,
    GONE,
    JOB_ID,
    QUICK,
    Ask,
    batch,
    gather,
    image,
    job,
)
from tests.support.flaky_server import DROPPED, FlakyServer, Reply


def result(line: int) -> str:
    """A line of the results."""
    entry = {"line": line, "custom_id": str(line), "job_id": JOB_ID, "kind": "of_tomorrow"}
    return json.dumps({**entry, "state": "succeeded", "result": {"n": line}, "artifacts": []}) + "\n"


@pytest.mark.medium
def test_a_matrix_uploads_each_picture_once(ask: Ask, server: FlakyServer, tmp_path: Path) -> None:
    for name, data in (
        ("a.png", b"first"),
        ("b.jpg", b"second"),
        ("copy.png", b"first"),
        ("notes.txt", b"x"),
    ):
        (tmp_path / name).write_bytes(data)
    server.answer("POST /v1/images", DROPPED, image(1), AWAY, image(2), image(3))
    server.answer(CREATE, BUSY, DROPPED, Reply.of(batch(), 202))
    made = ask(
        lambda client: client.batches.matrix(
            "style_transfer",
            {"size": 64, "init_image": b"second", "init": "image"},
            over={"content": tmp_path, "style": [b"third", [JOB_ID, tmp_path / "a.png"]], "seed": (1, 2)},
            name="mine",
            paused=True,
        )
    )
    assert (made.id, made.ended, len(made)) == (BATCH_ID, False, 3)
    # Two attempts failed.
    assert len(server.sent("POST /v1/images")) == 5
    sent = server.sent(CREATE)
    assert len({each.headers["idempotency-key"] for each in sent}) == 1 and len(sent) == 3
    assert all(each.path == "/v1/batches?name=mine&errors=fail&paused=true&priority=normal" for each in sent)
    first, second, third = (f"0198c0de-0000-7000-8000-{number:012}" for number in (1, 2, 3))
    assert json.loads(sent[-1].body) == {
        "kind": "style_transfer",
        "params": {"size": 64, "init_image": second, "init": "image"},
        "over": {"content": [first, second, first], "style": [[third], [JOB_ID, first]], "seed": [1, 2]},
        "combine": "cross",
    }


@pytest.mark.medium
def test_what_is_refused_leaves_no_pictures(ask: Ask, server: FlakyServer) -> None:
    wrong = {"line": 2, "custom_id": "b", "field": "size", "detail": "At least 16."}
    refused = Reply.of({"type": "batch_invalid", "errors": [wrong], "wrong": 7}, 422)
    server.answer("POST /v1/images", image(1))
    server.answer(CREATE, refused)
    delete = "DELETE /v1/images/0198c0de-0000-7000-8000-000000000001"
    server.answer(delete, GONE)
    lines = [{"kind": "classify", "params": {"image": b"x"}}] * 2
    with pytest.raises(InvalidBatch) as raised:
        ask(lambda client: client.batches.create(lines))
    assert raised.value.wrong == 7
    assert [(each.line, each.custom_id, each.field) for each in raised.value.errors] == [(2, "b", "size")]
    assert len(server.sent(delete)) == 1
    # Here the batch may be there.
    server.answer(CREATE, AWAY)
    with pytest.raises(ServiceError):
        ask(lambda client: client.batches.create(lines))
    assert len(server.sent(CREATE)) == 1 + QUICK.attempts and len(server.sent(delete)) == 1
    # A dry run needs them for a moment.
    estimate = {"seconds": 1, "memory_bytes": 1, "basis": "here"}
    tried = {"lines": 2, "wrong": 0, "problems": [], "by_kind": {}, "estimate": estimate, "workers": 1}
    server.answer(CREATE, Reply.of(tried))
    assert ask(lambda client: client.batches.estimate(lines)).lines == 2
    assert server.sent(CREATE)[-1].path == "/v1/batches?errors=fail&dry_run=true"
    assert len(server.sent(delete)) == 2


def test_lines_are_sent_as_they_are_or_numbered(ask: Ask, server: FlakyServer, tmp_path: Path) -> None:
    server.answer(CREATE, Reply.of(batch(), 202))
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"custom_id": "ä"}\nnot JSON\n')
    ask(lambda client: client.batches.create(path, errors="skip"))
    assert path.read_bytes() in server.sent(CREATE)[0].body
    lines = ({"kind": "train", "params": {"dataset": name}} for name in ("a", "ä"))
    ask(lambda client: client.batches.create(lines))
    assert (
        b'\r\n\r\n{"custom_id": "1", "kind": "train", "params": {"dataset": "a"}}\n'
        b'{"custom_id": "2", "kind": "train", "params": {"dataset": "\\u00e4"}}\n\r\n'
    ) in server.sent(CREATE)[1].body


@pytest.mark.medium
def test_results_that_break_off_go_on(ask: Ask, server: FlakyServer) -> None:
    server.answer(f"GET {BATCH}", Reply.of(batch(state="succeeded")))
    lines = "".join(result(line) for line in (1, 2, 5)).encode()
    for broken in (1, len(lines) // 2, len(lines) - 1):
        server.answer(f"GET {BATCH}/results", Reply(200, lines, breaks_after=broken), AWAY, Reply(200, lines))
        made = ask(lambda client: client.batches.get(BATCH_ID))
        found = ask(lambda _, made=made: gather(made.results()))
        assert [(each.line, each.result) for each in found] == [(1, {"n": 1}), (2, {"n": 2}), (5, {"n": 5})]


def test_a_batch_is_followed_to_its_end(ask: Ask, server: FlakyServer) -> None:
    counts = batch()["counts"] | {"waiting": 0, "succeeded": 2, "failed": 1}
    running = batch()["counts"] | {"waiting": 1, "running": 1, "succeeded": 1}
    end = Reply.of(batch(state="failed", counts=counts))
    server.answer(f"GET {BATCH}", *[Reply.of(batch())] * 2, end)
    state = {"state": "running", "paused": True, "cancel_requested": False, "counts": running}
    event = f"id: 1.1\nevent: state\ndata: {json.dumps({**state, 'eta_seconds': 3})}\n\n"
    done = f"id: 2.3.done\nevent: done\ndata: {json.dumps({**state, 'state': 'failed'})}\n\n"
    server.answer(f"GET {BATCH}/events", Reply(200, (event + done).encode(), silent_for=0.01))
    made = ask(lambda client: client.batches.get(BATCH_ID))
    seen = ask(lambda _: gather(made.progress()))
    assert [(each.done, each.total, each.eta_seconds) for each in seen] == [
        (0, 3, None),
        (1, 3, 3),
        (3, 3, None),
    ]
    # A failed entry is no exception: it is among the errors.
    assert ask(lambda _: made.wait()).state == "failed"


def test_lists_are_asked_for_as_they_are_needed(ask: Ask, server: FlakyServer) -> None:
    first = {"items": [job(id="a"), job(id="b")], "next_cursor": "b"}
    last = {"items": [job(id="c")], "next_cursor": None}
    server.answer("GET /v1/jobs", Reply.of(first), Reply.of(last))

    def two(client: Any) -> Any:
        found = client.jobs.list(kind="classify", state=["failed", "cancelled"])
        if hasattr(found, "__aiter__"):

            async def take() -> list[str]:
                return [(await anext(found)).id, (await anext(found)).id]

            return take()
        return [next(found).id, next(found).id]

    assert ask(two) == ["a", "b"]
    (sent,) = server.requests
    assert sent.path == "/v1/jobs?kind=classify&state=failed&state=cancelled&limit=100"
    server.answer("GET /v1/jobs", Reply.of(first), Reply.of(last))
    assert [each.id for each in ask(lambda client: gather(client.jobs.list()))] == ["a", "b", "c"]
    assert server.requests[-1].path == "/v1/jobs?limit=100&cursor=b"
