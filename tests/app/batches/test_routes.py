"""Batches over HTTP, from their lines to their rows, without workers."""

import json
import socket
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from app.batches.keeper import Keeper
from app.batches.routes import OPTIONS
from app.batches.tables import batches
from app.database.engine import read
from app.http import uploads
from app.http.services import Services
from app.jobs.tables import jobs
from app.settings import Settings
from tests.app.conftest import serving, upload
from tests.support.service import wait_for

NDJSON = {"Content-Type": "application/x-ndjson"}


def line(custom_id: Any, kind: str = "architecture", **params: Any) -> str:
    return json.dumps({"custom_id": custom_id, "kind": kind, "params": params or {"network": "palette"}})


def lines_of(count: int) -> list[str]:
    return [line(f"e{n}") for n in range(1, count + 1)]


def send(client: TestClient, lines: list[str] | bytes, key: str | None = None, **options: Any) -> Any:
    body = lines if isinstance(lines, bytes) else "".join(f"{each}\n" for each in lines).encode()
    headers = NDJSON if key is None else {**NDJSON, "Idempotency-Key": key}
    return client.post("/v1/batches", content=body, headers=headers, params=options)


def send_matrix(client: TestClient, matrix: dict[str, Any], **options: Any) -> Any:
    return client.post("/v1/batches", json=matrix, params=options)


def view_once(client: TestClient, batch_id: str, probe: Callable[[Any], Any]) -> Any:
    """The view of a batch once it is as the probe wants it."""

    def look() -> Any:
        view = client.get(f"/v1/batches/{batch_id}").json()
        return view if probe(view) else None

    return wait_for(look)


def expanded(client: TestClient, batch_id: str) -> Any:
    return view_once(client, batch_id, lambda view: not view["counts"]["waiting"])


def jobs_of(client: TestClient, batch_id: str) -> list[Any]:
    found = client.get("/v1/jobs", params={"batch": batch_id, "limit": 100}).json()["items"]
    return sorted(found, key=lambda job: job["batch_line"] or 0)


def check_nothing_is_stored(services: Services) -> None:
    with read(services.engine) as connection:
        for table in (batches, jobs):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0
    files = services.settings.data_dir / "files"
    assert [each for each in files.rglob("*") if each.is_file() and "images" not in each.parts] == []


def test_lines_become_jobs_in_order(client: TestClient) -> None:
    answer = send(client, lines_of(30), name="tables", priority="background")
    assert answer.status_code == 202, answer.text
    view = answer.json()
    assert answer.headers["location"] == f"/v1/batches/{view['id']}"
    assert (view["name"], view["lines"], view["state"]) == ("tables", 30, "running")
    assert (view["source"], view["priority"]) == ("jsonl", "background")
    assert expanded(client, view["id"])["counts"]["queued"] == 30
    made = jobs_of(client, view["id"])
    assert [(job["batch_line"], job["custom_id"]) for job in made] == [(n, f"e{n}") for n in range(1, 31)]
    assert {job["priority"] for job in made} == {2}
    listed = client.get("/v1/batches").json()
    assert [each["id"] for each in listed["items"]] == [view["id"]] and listed["next_cursor"] is None


def test_lines_come_as_a_file_too_with_crlf_and_a_mark(client: TestClient) -> None:
    body = b"\xef\xbb\xbf" + "\r\n".join(lines_of(3)).encode()
    answer = client.post("/v1/batches", files={"file": ("jobs.jsonl", body)})
    assert answer.status_code == 202, answer.text
    assert answer.json()["lines"] == 3
    assert answer.json()["name"] == "architecture"


@pytest.mark.parametrize(
    ("files", "detail"),
    [
        ({"lines": ("a", b"")}, "one part, `file`"),
        ([("file", ("a", line("a").encode())), ("file", ("b", b""))], "second part"),
    ],
)
def test_a_form_has_one_file(client: TestClient, services: Services, files: Any, detail: str) -> None:
    answer = client.post("/v1/batches", files=files)
    assert answer.status_code == 400
    assert detail in answer.json()["detail"]
    check_nothing_is_stored(services)


def test_other_bodies_are_refused(client: TestClient) -> None:
    answer = client.post("/v1/batches", content=b"a,b", headers={"Content-Type": "text/csv"})
    assert answer.status_code == 415
    for accepted in ("application/x-ndjson", "`file`", "application/json", "text/csv"):
        assert accepted in answer.json()["detail"]


def test_options_that_there_are_not_are_refused(client: TestClient, services: Services) -> None:
    answer = send(client, [line("a")], dryrun=True)
    assert (answer.status_code, answer.json()["field"]) == (422, "dryrun")
    assert "dry_run" in answer.json()["detail"]
    check_nothing_is_stored(services)
    described = client.get("/v1/openapi.json").json()["paths"]["/v1/batches"]["post"]["parameters"]
    assert sorted(each["name"] for each in described if each["in"] == "query") == sorted(OPTIONS)


def test_wrong_lines_are_named_and_nothing_is_stored(client: TestClient, services: Services) -> None:
    lines = [
        line("a"),
        line("b", kind="sculpture"),
        line("c", size=7),
        "{",
        line("a"),
        line("f", kind="deep_dream", image="0198c0de-0000-7000-8000-000000000000"),
        line("g", kind="evaluate", dataset="nowhere", network="palette"),
    ]
    answer = send(client, lines)
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["type"], problem["wrong"]) == ("batch_invalid", 6)
    found = [(each["line"], each["custom_id"], each["field"]) for each in problem["errors"]]
    assert found == [
        (2, "b", "kind"),
        (3, "c", "size"),
        (4, None, "line"),
        (5, "a", "custom_id"),
        (6, "f", "image"),
        (7, "g", "dataset"),
    ]
    assert "There is no image" in problem["errors"][4]["detail"]
    assert "errors=skip" in problem["detail"] and problem["detail"].startswith("Line 2: kind:")
    check_nothing_is_stored(services)


@pytest.mark.medium
def test_one_bad_line_among_ten_thousand_is_named(client: TestClient, services: Services) -> None:
    lines = lines_of(10_000)
    lines[6789] = line("e6790", network="pallete")
    answer = send(client, lines)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["wrong"] == 1
    assert [(e["line"], e["custom_id"], e["field"]) for e in problem["errors"]] == [
        (6790, "e6790", "network")
    ]
    check_nothing_is_stored(services)


def test_a_hundred_wrong_lines_are_named(client: TestClient, services: Services) -> None:
    problem = send(client, [line(f"e{n}", kind="sculpture") for n in range(250)]).json()
    assert problem["wrong"] == 250
    assert [each["line"] for each in problem["errors"]] == list(range(1, 101))
    check_nothing_is_stored(services)


def test_wrong_lines_are_entries_that_failed_if_they_are_skipped(client: TestClient) -> None:
    lines = [line("a"), line("b", size=7), "{", "", line("e")]
    view = send(client, lines, errors="skip").json()
    assert view["lines"] == 5
    counts = expanded(client, view["id"])["counts"]
    assert (counts["queued"], counts["failed"]) == (2, 3)
    entries = client.get(f"/v1/batches/{view['id']}/entries").json()["items"]
    assert [(e["line"], e["custom_id"], e["state"]) for e in entries] == [
        (1, "a", "queued"),
        (2, "b", "failed"),
        (3, None, "failed"),
        (4, None, "failed"),
        (5, "e", "queued"),
    ]
    assert entries[1]["error"]["type"] == "invalid_line" and entries[1]["error"]["field"] == "size"


@pytest.mark.parametrize("body", [b"", b"\n"])
def test_a_batch_has_a_line_at_least(client: TestClient, services: Services, body: bytes) -> None:
    assert send(client, body).status_code == 422
    check_nothing_is_stored(services)


@pytest.mark.medium
def test_limits_name_their_settings(settings: Settings) -> None:
    few = settings.model_copy(update={"max_batch_lines": 3, "max_batch_bytes": 500})
    with serving(few) as client:
        services: Services = client.app.state.services  # type: ignore[attr-defined]
        assert send(client, lines_of(3)).status_code == 202
        for answer in (
            send(client, lines_of(4)),
            send_matrix(client, {"kind": "deep_dream", "over": {"size": [32, 64], "steps": [1, 2]}}),
        ):
            assert answer.status_code == 413
            assert answer.json()["type"] == "batch_too_large"
            assert "3 lines (IMPASTO_MAX_BATCH_LINES)" in answer.json()["detail"]
        long = [line("a", network="x" * 600)]
        for answer in (
            send(client, long),
            # Without a stated length.
            client.post("/v1/batches", content=iter([long[0].encode()]), headers=NDJSON),
            client.post("/v1/batches", files={"file": ("a", long[0].encode())}),
        ):
            assert answer.status_code == 413
            assert "500 bytes (IMPASTO_MAX_BATCH_BYTES)" in answer.json()["detail"]
        with read(services.engine) as connection:
            assert connection.execute(select(func.count()).select_from(batches)).scalar_one() == 1
        over = client.post(
            "/v1/batches", content=b" " * 4_000_001, headers={"Content-Type": "application/json"}
        )
        assert over.status_code == 413


@pytest.mark.medium
def test_a_matrix_that_becomes_too_many_bytes_is_refused(settings: Settings) -> None:
    with serving(settings.model_copy(update={"max_batch_bytes": 10_000})) as client:
        layers = [{"type": "relu"}] * 200
        matrix = {
            "kind": "architecture",
            "params": {"layers": layers},
            "over": {"input": [f"3x{side}x{side}" for side in range(8, 40)]},
        }
        answer = send_matrix(client, matrix)
        assert answer.status_code == 413, answer.text
        assert "IMPASTO_MAX_BATCH_BYTES" in answer.json()["detail"]
        check_nothing_is_stored(client.app.state.services)  # type: ignore[attr-defined]


def test_a_dry_run_counts_and_stores_nothing(client: TestClient, services: Services) -> None:
    lines = [*lines_of(4), line("x", kind="sculpture"), line("y", kind="filters", network="palette")]
    assert send(client, lines, dry_run=True).status_code == 422
    answer = send(client, lines, dry_run=True, errors="skip")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["lines"], found["wrong"]) == (6, 1)
    assert [each["line"] for each in found["problems"]] == [5]
    assert found["by_kind"] == {"architecture": 4, "filters": 1}
    matrix = {"kind": "architecture", "over": {"network": ["palette", "vgg19-random"]}}
    assert send_matrix(client, matrix, dry_run=True).json()["lines"] == 2
    check_nothing_is_stored(services)


def test_a_repeated_key_gives_the_same_batch(client: TestClient) -> None:
    first = send(client, lines_of(3), key="k")
    again = send(client, lines_of(3), key="k")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["location"] == first.headers["location"]
    for other in (send(client, lines_of(4), key="k"), send(client, lines_of(3), key="k", paused=True)):
        assert other.status_code == 422
        assert other.json()["type"] == "idempotency_key_reused"
    assert len(client.get("/v1/batches").json()["items"]) == 1
    files = client.app.state.services.settings.data_dir / "files" / "batches"  # type: ignore[attr-defined]
    assert len(list(files.iterdir())) == 1


@pytest.mark.medium
def test_a_paused_batch_makes_paused_jobs(client: TestClient) -> None:
    view = send(client, lines_of(3), paused=True).json()
    assert view["paused"] is True
    expanded(client, view["id"])
    assert {job["paused"] for job in jobs_of(client, view["id"])} == {True}
    assert client.post(f"/v1/batches/{view['id']}/resume").json()["paused"] is False
    wait_for(lambda: {job["paused"] for job in jobs_of(client, view["id"])} == {False})
    client.post(f"/v1/batches/{view['id']}/pause")
    wait_for(lambda: {job["paused"] for job in jobs_of(client, view["id"])} == {True})


def test_a_matrix_of_pictures_is_named_after_their_files(client: TestClient) -> None:
    ids = [upload(client, name=name).json()["id"] for name in ("Bridge at noon.png", "cat.png", "cat.png")]
    over = {"content": ids[:2], "style": [ids[2], ids[:2]]}
    answer = send_matrix(client, {"kind": "style_transfer", "params": {"size": 32}, "over": over})
    assert answer.status_code == 202, answer.text
    view = answer.json()
    assert view["matrix"] == {
        "kind": "style_transfer",
        "combine": "cross",
        "axes": [
            {"param": "content", "labels": ["Bridge at noon", "cat"], "images": ids[:2]},
            {"param": "style", "labels": ["cat", "Bridge at noon+cat"], "images": None},
        ],
    }
    expanded(client, view["id"])
    made = jobs_of(client, view["id"])
    assert [job["custom_id"] for job in made] == [
        "bridge-at-noon--cat",
        "bridge-at-noon--bridge-at-noon-cat",
        "cat--cat",
        "cat--bridge-at-noon-cat",
    ]
    assert made[1]["params"]["style"] == ids[:2]


def test_a_wrong_matrix_is_refused(client: TestClient, services: Services) -> None:
    answer = send_matrix(client, {"kind": "architecture", "over": {"network": ["palette", "palete"]}})
    assert answer.status_code == 422
    assert [(e["line"], e["custom_id"], e["field"]) for e in answer.json()["errors"]] == [
        (2, "palete", "network")
    ]
    answer = send_matrix(client, {"kind": "architecture", "over": {"sise": [1]}})
    assert (answer.status_code, answer.json()["type"]) == (422, "invalid_matrix")
    answer = send_matrix(client, {"kind": "architecture", "combine": "outer", "over": {}})
    assert (answer.status_code, answer.json()["field"]) == (422, "combine")
    answer = send_matrix(client, {"kind": "architecture", "over": {"network": 5}})
    assert (answer.status_code, answer.json()["field"]) == (422, "over.network")
    assert "list of values" in answer.json()["detail"]
    check_nothing_is_stored(services)


def test_a_set_is_as_many_values_as_it_has_pictures(client: TestClient) -> None:
    client.post("/v1/datasets", json={"name": "birds"})
    matrix = {"kind": "deep_dream", "params": {"size": 32, "steps": 1}, "over": {"image": "birds"}}
    answer = send_matrix(client, matrix)
    assert "is open: close it first" in answer.json()["detail"]
    ids = [upload(client, name=f"bird {n}.png").json()["id"] for n in range(3)]
    client.post("/v1/datasets/birds/members", json={"members": [{"image": each} for each in ids]})
    client.post("/v1/datasets/birds/close")
    view = send_matrix(client, matrix).json()
    assert view["lines"] == 3
    assert view["matrix"]["axes"][0]["images"] == ids
    expanded(client, view["id"])
    assert [job["params"]["image"] for job in jobs_of(client, view["id"])] == ids


def test_a_line_whose_picture_is_gone_by_its_turn_is_refused(client: TestClient, services: Services) -> None:
    services.keeper.stop()
    image_id = upload(client).json()["id"]
    lines = [line("a"), line("b", kind="deep_dream", image=image_id, size=32), line("c")]
    view = send(client, lines).json()
    assert client.delete(f"/v1/images/{image_id}").status_code == 204
    Keeper(services.settings, services.engine, services.storage, services.dispatcher).work_off()
    entries = client.get(f"/v1/batches/{view['id']}/entries").json()["items"]
    assert [each["state"] for each in entries] == ["queued", "failed", "queued"]
    assert entries[1]["error"]["field"] == "image"


@pytest.mark.medium
def test_a_connection_that_breaks_off_leaves_nothing(address: str, settings: Settings) -> None:
    url = urlsplit(address)
    body = "".join(f"{each}\n" for each in lines_of(3000)).encode()
    head = (
        f"POST /v1/batches HTTP/1.1\r\nHost: testserver\r\nContent-Length: {len(body) + 1}\r\n"
        "Content-Type: application/x-ndjson\r\n\r\n"
    )
    files = settings.data_dir / "files"

    def stored() -> list[Path]:
        return [path for path in files.rglob("*") if path.is_file()]

    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(head.encode() + body)
        wait_for(lambda: any(path.stat().st_size for path in stored()))
    wait_for(lambda: not stored())
    listed = httpx.get(f"{address}/v1/batches", headers={"Host": "testserver"})
    assert listed.json()["items"] == []


@pytest.mark.medium
def test_clients_that_send_nothing_keep_no_other_from_sending(
    address: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "IDLE_SECONDS", 3)
    url = urlsplit(address)
    head = (
        "POST /v1/batches HTTP/1.1\r\nHost: testserver\r\nContent-Length: 1000\r\n"
        "Content-Type: application/x-ndjson\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(uploads.MAX_UPLOADS):
            idle = stack.enter_context(socket.create_connection((url.hostname, url.port)))
            idle.sendall(head.encode() + line("e1").encode())
        wait_for(lambda: uploads._uploads.borrowed_tokens == uploads.MAX_UPLOADS)
        answer = httpx.post(
            f"{address}/v1/batches", content=line("e1"), headers={**NDJSON, "Host": "testserver"}, timeout=60
        )
        assert answer.status_code == 202, answer.text
        refusal = HTTPResponse(idle)
        refusal.begin()
        assert b"broke off" in refusal.read()
    stored = [path for path in (settings.data_dir / "files").rglob("*") if path.is_file()]
    assert [path.name for path in stored] == [answer.json()["id"]]


def test_a_page_of_batches_has_the_first_labels_of_each(client: TestClient) -> None:
    sizes = list(range(32, 62))
    matrix = {"kind": "architecture", "params": {"network": "palette"}, "over": {"input": sizes}}
    made = send_matrix(client, matrix, errors="skip").json()
    (axis,) = made["matrix"]["axes"]
    assert axis["labels"] == [str(size) for size in sizes]
    (listed,) = client.get("/v1/batches").json()["items"]
    assert listed["matrix"]["axes"] == [{**axis, "labels": axis["labels"][:20]}]
