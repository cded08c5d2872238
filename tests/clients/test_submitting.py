"""What the client sends for a job, by how its pictures are given."""

import json
from pathlib import Path
from typing import Any

import pytest

from impasto_client import LEFT_OUT, Client, InvalidRequest
from tests.support.client import ACCEPTED, GONE, JOB_ID, Ask, image
from tests.support.flaky_server import FlakyServer, Reply

FIRST = "0198c0de-0000-7000-8000-000000000001"


@pytest.fixture
def taking(server: FlakyServer) -> FlakyServer:
    """A server that takes jobs and pictures."""
    for route in ("POST /v1/style-transfer", "POST /v1/jobs"):
        server.answer(route, ACCEPTED)
    server.answer("POST /v1/images", image(1))
    server.answer(f"DELETE /v1/images/{FIRST}", GONE)
    return server


def test_ids_go_as_json(ask: Ask, taking: FlakyServer) -> None:
    artifact = f"{JOB_ID}/image"
    ask(lambda client: client.style_transfer(JOB_ID, artifact, size=64, style_layers=("relu1_1",)))
    (sent,) = taking.requests
    assert sent.headers["content-type"] == "application/json" and sent.headers["prefer"] == "wait=0"
    assert json.loads(sent.body) == {
        "content": JOB_ID,
        "style": [artifact],
        "size": 64,
        "style_layers": ["relu1_1"],
    }


def test_files_go_in_one_form(ask: Ask, taking: FlakyServer, tmp_path: Path) -> None:
    # A name like an id is a path if it is given as one.
    path = tmp_path / JOB_ID
    path.write_bytes(b"file")
    ask(lambda client: client.style_transfer(path, [b"one", str(path)], color="content"))
    (sent,) = taking.requests
    assert sent.path == "/v1/style-transfer"
    parts = [part.partition(b"\r\n\r\n") for part in sent.body.split(b"\r\nContent-Disposition")[1:]]
    assert [(head.split(b'name="')[1].split(b'"')[0], body.split(b"\r\n")[0]) for head, _, body in parts] == [
        (b"params", b'{"color": "content"}'),
        (b"content", b"file"),
        (b"style", b"one"),
        (b"style", b"file"),
    ]


def test_files_beside_ids_are_uploaded(ask: Ask, taking: FlakyServer) -> None:
    ask(lambda client: client.style_transfer(b"photo", [JOB_ID, b"painting"]))
    upload, sent = taking.requests
    assert upload.path == "/v1/images" and b"painting" in upload.body
    assert b"photo" in sent.body and json.dumps({"style": [JOB_ID, FIRST]}).encode() in sent.body


def test_none_takes_away_what_the_job_to_go_on_from_had(ask: Ask, taking: FlakyServer) -> None:
    ask(lambda client: client.style_transfer(None, continue_from=JOB_ID, content_mask=None, style_size=None))
    ask(lambda client: client.style_transfer(b"photo", content_mask=None, style_masks=LEFT_OUT))
    ask(lambda client: client.jobs.create("style_transfer", {"continue_from": JOB_ID, "content_mask": None}))
    went_on, with_file, by_name = taking.requests
    assert json.loads(went_on.body) == {"continue_from": JOB_ID, "content_mask": None, "style_size": None}
    assert b'{"content_mask": null}' in with_file.body and b"style_masks" not in with_file.body
    assert json.loads(by_name.body) == {"continue_from": JOB_ID, "content_mask": None}


def test_a_job_that_is_to_be_reproducible_says_so(ask: Ask, taking: FlakyServer) -> None:
    ask(lambda client: client.style_transfer(b"photo", JOB_ID, reproducible=True))
    sent = json.loads(taking.requests[-1].body)
    assert taking.requests[-1].path == "/v1/jobs"
    params = {"content": FIRST, "style": [JOB_ID]}
    assert sent == {"kind": "style_transfer", "params": params, "reproducible": True}
    taking.answer("POST /v1/jobs", Reply.of({"type": "invalid_params"}, 422))
    with pytest.raises(InvalidRequest):
        ask(lambda client: client.style_transfer(b"photo", JOB_ID, reproducible=True))
    assert taking.requests[-1].method == "DELETE"


def test_a_kind_of_a_newer_service_is_asked_for_by_name(ask: Ask, taking: FlakyServer) -> None:
    ask(lambda client: client.jobs.create("sculpt", {"size": 3}, priority=7, idempotency_key="k"))
    (sent,) = taking.requests
    assert (sent.headers["impasto-priority"], sent.headers["idempotency-key"]) == ("7", "k")
    assert json.loads(sent.body)["kind"] == "sculpt"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"priority": "soon"}, ValueError, "urgent, normal, background"),
        ({"priority": 8}, ValueError, "priority"),
        ({"init_image": [JOB_ID, JOB_ID]}, TypeError, "init_image: it takes one picture"),
        ({"init_image": b""}, ValueError, "init_image: the file is empty"),
        ({"steps": object()}, TypeError, "cannot be sent as a param"),
    ],
)
def test_what_cannot_be_sent_is_said_before(
    ask: Ask, taking: FlakyServer, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        ask(lambda client: client.style_transfer(JOB_ID, JOB_ID, **options))
    assert not taking.requests


def test_the_service_is_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMPASTO_URL", raising=False)
    urls = []
    for given, environment in (
        (None, None),
        (None, "http://there:1/"),
        ("https://here/below/", "http://there"),
    ):
        if environment is not None:
            monkeypatch.setenv("IMPASTO_URL", environment)
        with Client(given) as client:
            urls.append(client.url)
    assert urls == ["http://127.0.0.1:8000", "http://there:1", "https://here/below"]
    with pytest.raises(ValueError, match="http://"):
        Client("localhost:8000")
