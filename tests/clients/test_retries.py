"""The client against a server that refuses and breaks off."""

import email.utils
import hashlib
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from impasto_client import (
    Client,
    Conflict,
    InvalidRequest,
    NoAnswer,
    NotFound,
    Retries,
    ServiceError,
    TooManyRequests,
    UnexpectedAnswer,
)
from impasto_client._core.transport import BlockingTransport, WaitingTransport
from tests.support.client import ACCEPTED, AWAY, BAD_GATEWAY, BUSY, GONE, JOB, JOB_ID, QUICK, Ask, image, job
from tests.support.flaky_server import DROPPED, FlakyServer, Reply


@pytest.mark.medium
def test_all_attempts_of_a_call_have_one_idempotency_key(ask: Ask, server: FlakyServer) -> None:
    broken_answer = Reply.of(job(), 202, breaks_after=10)
    server.answer("POST /v1/style-transfer", BUSY, AWAY, DROPPED, broken_answer, BAD_GATEWAY, ACCEPTED)
    made = ask(lambda client: client.style_transfer(b"content", b"style", size=64, priority="urgent"))
    assert (made.id, made.state) == (JOB_ID, "queued")
    sent = server.sent("POST /v1/style-transfer")
    assert len(sent) == 6
    assert len({each.headers["idempotency-key"] for each in sent}) == 1
    assert {each.headers["impasto-priority"] for each in sent} == {"6"}
    for each in sent:
        assert b"\r\n\r\ncontent\r\n" in each.body and b"\r\n\r\nstyle\r\n" in each.body
        assert b'{"size": 64}' in each.body


def test_all_attempts_to_make_or_change_something_have_one_key(ask: Ask, server: FlakyServer) -> None:
    server.answer(f"GET {JOB}", Reply.of(job(state="failed")))
    made = ask(lambda client: client.jobs.get(JOB_ID))
    for path, answer, use in (
        ("/v1/images", image(1), lambda client: client.images.upload(b"picture")),
        (f"{JOB}/retry", ACCEPTED, lambda _: made.retry()),
        (f"{JOB}/cancel", ACCEPTED, lambda _: made.cancel()),
    ):
        server.answer(f"POST {path}", DROPPED, AWAY, answer)
        ask(use)
        ask(use)
        first, *again, other = [each.headers["idempotency-key"] for each in server.sent(f"POST {path}")]
        assert again == [first, first] and other != first


def test_each_call_has_its_own_key_unless_it_is_given(ask: Ask, server: FlakyServer) -> None:
    server.answer("POST /v1/classify", ACCEPTED)
    ask(lambda client: client.classify(JOB_ID))
    ask(lambda client: client.classify(JOB_ID))
    ask(lambda client: client.classify(JOB_ID, idempotency_key="mine"))
    first, second, third = (each.headers["idempotency-key"] for each in server.sent("POST /v1/classify"))
    assert first != second and third == "mine"
    assert json.loads(server.requests[0].body) == {"image": JOB_ID}


def test_files_are_sent_again_from_their_start(ask: Ask, server: FlakyServer, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"of the file")
    server.answer("POST /v1/deep-dream", DROPPED, ACCEPTED)
    with path.open("rb") as file:
        ask(lambda client: client.deep_dream(file, path))
    for each in server.sent("POST /v1/deep-dream"):
        assert each.body.count(b"of the file") == 2


@pytest.mark.medium
def test_what_might_be_done_twice_is_not_sent_again(ask: Ask, server: FlakyServer) -> None:
    route = "PATCH /v1/networks/mine"
    for reply, error in ((DROPPED, NoAnswer), (AWAY, ServiceError), (BAD_GATEWAY, ServiceError)):
        server.answer(route, reply, GONE)
        before = len(server.sent(route))
        with pytest.raises(error):
            ask(lambda client: client.networks.rename("mine", "other"))
        assert len(server.sent(route)) == before + 1
    # It was refused before anything was done; the last answer is no network.
    server.answer(route, BUSY, BUSY, GONE)
    with pytest.raises(UnexpectedAnswer):
        ask(lambda client: client.networks.rename("mine", "other"))
    assert len(server.sent(route)) == before + 4


@pytest.mark.medium
def test_a_request_that_never_left_is_sent_again() -> None:
    with FlakyServer().running() as first:
        first.answer(f"GET {JOB}", Reply.of(job(state="failed"), headers={"Connection": "close"}))
        client = Client(first.url, retries=Retries(attempts=50, first_delay=0.05, max_delay=0.05))
        made = client.jobs.get(JOB_ID)
    # Nothing listens there until another server does.
    stop, later = threading.Event(), list[FlakyServer]()

    def start_later() -> None:
        time.sleep(0.3)
        second = FlakyServer(int(first.url.rpartition(":")[2]))
        second.answer(f"POST {JOB}/retry", ACCEPTED)
        later.append(second)
        with second.running():
            stop.wait()

    with ThreadPoolExecutor() as pool, client:
        pool.submit(start_later)
        try:
            assert made.retry().id == JOB_ID
        finally:
            stop.set()
    assert len(later[0].sent(f"POST {JOB}/retry")) == 1


def test_where_nothing_listens_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with Client(url, retries=QUICK) as client, pytest.raises(NoAnswer) as raised:
        client.kinds()
    assert url in str(raised.value) and "IMPASTO_URL" in str(raised.value)


@pytest.mark.medium
def test_refusals_are_errors_by_their_kind(ask: Ask, server: FlakyServer) -> None:
    errors = [{"field": "size", "detail": "At least 16."}]
    problem = {"type": "invalid_params", "title": "T", "detail": "size: At least 16.", "errors": errors}
    for status, error in ((400, InvalidRequest), (404, NotFound), (409, Conflict), (422, InvalidRequest)):
        server.answer("POST /v1/classify", Reply.of(problem, status))
        with pytest.raises(error) as raised:
            ask(lambda client: client.classify(JOB_ID))
        assert (raised.value.status, raised.value.type) == (status, "invalid_params")
        assert [(each.field, each.detail) for each in raised.value.errors] == [("size", "At least 16.")]
    for status in (500, 507):
        server.answer("POST /v1/classify", Reply(status, b"oops"))
        with pytest.raises(ServiceError, match="oops"):
            ask(lambda client: client.classify(JOB_ID))
    assert len(server.requests) == 6


@pytest.mark.medium
def test_it_gives_up_in_the_end(ask: Ask, server: FlakyServer) -> None:
    server.answer("GET /v1/kinds", AWAY)
    with pytest.raises(ServiceError, match="503 database_unavailable"):
        ask(lambda client: client.kinds())
    assert len(server.requests) == QUICK.attempts
    server.answer("GET /v1/kinds", DROPPED)
    with pytest.raises(NoAnswer):
        ask(lambda client: client.kinds())
    assert len(server.requests) == 2 * QUICK.attempts


@pytest.mark.medium
def test_retry_after_is_honored(ask: Ask, server: FlakyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def note(_: Any, seconds: float) -> None:
        slept.append(seconds)

    for transport in (BlockingTransport, WaitingTransport):
        monkeypatch.setattr(transport, "sleep", note)
    kinds = Reply.of({"items": []})
    date = email.utils.formatdate(time.time() + 90, usegmt=True)
    for after in ("30", date):
        server.answer("GET /v1/kinds", Reply.of({}, 503, headers={"Retry-After": after}), kinds)
        ask(lambda client: client.kinds())
    assert 30 <= slept[0] <= 31 and 31 < slept[1] <= 91
    server.answer("GET /v1/kinds", Reply.of({}, 429, headers={"Retry-After": "4000"}), kinds)
    with pytest.raises(TooManyRequests) as raised:
        ask(lambda client: client.kinds())
    assert raised.value.retry_after == 4000


def test_deleting_again_what_is_gone_is_no_error(ask: Ask, server: FlakyServer) -> None:
    gone = Reply.of({"type": "unknown_job"}, 404)
    server.answer(f"GET {JOB}", Reply.of(job(state="failed")))
    made = ask(lambda client: client.jobs.get(JOB_ID))
    server.answer(f"DELETE {JOB}", DROPPED, gone)
    ask(lambda _: made.delete())
    server.answer(f"DELETE {JOB}", BUSY, gone)
    with pytest.raises(NotFound):
        ask(lambda _: made.delete())


def test_finishing_again_what_has_ended_of_it_is_no_error(ask: Ask, server: FlakyServer) -> None:
    server.answer(f"GET {JOB}", Reply.of(job()))
    made = ask(lambda client: client.jobs.get(JOB_ID))
    refused = Reply.of({"type": "cannot_finish"}, 409)
    server.answer(f"POST {JOB}/finish", DROPPED, refused)
    server.answer(f"GET {JOB}", Reply.of(job(state="succeeded", seq=7, finish_requested=True)))
    assert ask(lambda _: made.finish()).state == "succeeded"
    server.answer(f"POST {JOB}/finish", refused)
    server.answer(f"GET {JOB}", Reply.of(job(state="succeeded", seq=7)))
    with pytest.raises(Conflict):
        ask(lambda _: made.finish())


@pytest.mark.medium
def test_a_broken_download_begins_again(ask: Ask, server: FlakyServer, tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    url = f"{JOB}/artifacts/image"
    sha256 = hashlib.sha256(data).hexdigest()
    artifact = {"name": "image", "url": url, "media_type": "image/png", "bytes": len(data), "sha256": sha256}
    server.answer(f"GET {JOB}", Reply.of(job(state="succeeded", artifacts=[artifact])))
    # As a proxy may end an answer whose length it does not send.
    cut = Reply(200, data[:-1])
    server.answer(f"GET {url}", DROPPED, Reply(200, data, breaks_after=1 << 20), AWAY, cut, Reply(200, data))
    made = ask(lambda client: client.jobs.get(JOB_ID))
    assert ask(lambda _: made.save(tmp_path / "out")) == tmp_path / "out.png"
    assert (tmp_path / "out.png").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    for reply in (Reply(200, data, breaks_after=1 << 20), cut):
        server.answer(f"GET {url}", reply)
        with pytest.raises(NoAnswer):
            ask(lambda _: made.save(tmp_path / "never.png"))
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def test_an_answer_of_something_else_is_said(ask: Ask, server: FlakyServer) -> None:
    server.answer(f"GET {JOB}", Reply(200, b"<html>"))
    with pytest.raises(UnexpectedAnswer):
        ask(lambda client: client.jobs.get(JOB_ID))


def test_pauses_grow_and_scatter() -> None:
    retries = Retries(attempts=4, first_delay=1, max_delay=3)
    for failures, most in ((1, 1), (2, 2), (3, 3)):
        found = [retries.delay(failures) for _ in range(50)]
        assert all(each is not None and most / 2 <= each <= most for each in found)
        assert len(set(found)) > 1
    assert retries.delay(4) is None
    later = retries.delay(1, retry_after=10)
    assert later is not None and 10 <= later <= 11


@pytest.mark.parametrize("status", [301, 302, 303])
def test_what_is_sent_on_as_a_get_was_not_done(ask: Ask, server: FlakyServer, status: int) -> None:
    # As from http to https: the method and the body do not come with it.
    moved = Reply(status, headers={"Location": "/moved"})
    server.answer("GET /moved", Reply.of(job()))
    server.answer(f"POST {JOB}/cancel", moved)
    server.answer(f"GET {JOB}", Reply.of(job()))
    with pytest.raises(UnexpectedAnswer, match=r"sends on to http://.*/moved, where the POST is lost"):
        made = ask(lambda client: client.jobs.get(JOB_ID))
        ask(lambda _: made.cancel())


def test_a_delete_that_is_sent_on_as_a_get_is_no_success(ask: Ask, server: FlakyServer) -> None:
    server.answer("GET /moved", Reply.of({}))
    server.answer("DELETE /v1/networks/mine", Reply(302, headers={"Location": "/moved"}))
    with pytest.raises(UnexpectedAnswer, match="where the DELETE is lost"):
        ask(lambda client: client.networks.delete("mine"))


def test_what_is_sent_on_as_it_is_is_done(ask: Ask, server: FlakyServer) -> None:
    server.answer("DELETE /v1/networks/mine", Reply(308, headers={"Location": "/moved"}))
    server.answer("DELETE /moved", Reply(204))
    ask(lambda client: client.networks.delete("mine"))
    assert len(server.sent("DELETE /moved")) == 1


def test_pictures_of_before_1980_are_packed(ask: Ask, server: FlakyServer, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    os.utime(tmp_path / "a.png", (0, 0))
    server.answer("POST /v1/datasets", Reply.of({"type": "name_taken", "detail": "Another one."}, 409))
    with pytest.raises(Conflict):
        ask(lambda client: client.datasets.create("birds", tmp_path))
    assert b"picture" in server.sent("POST /v1/datasets")[0].body
