"""Idempotency keys: whatever a request makes or changes, the same one again does nothing more."""

import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pkgutil import resolve_name
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.batches.batch import BatchState
from app.http.services import Services
from app.settings import Settings
from app.storage import FolderStorage
from tests.app.conftest import serving, upload
from tests.support.batches import add_batch, set_batch
from tests.support.network_files import network_file, small_network
from tests.support.strange_pictures import plain
from tests.support.zips import class_folders, zipped

JOB = {"kind": "architecture", "params": {"network": "palette"}}
MATRIX = {"kind": "architecture", "over": {"network": ["palette", "vgg19-random"]}}
LINES = b'{"custom_id": "a", "kind": "architecture", "params": {"network": "palette"}}\n'
KEY = {"Idempotency-Key": "mine"}
Ids = dict[str, str]


@dataclass(frozen=True)
class Case:
    """A request of a route, another one with the same key, and what has to be there first, by name."""

    path: str
    request: Callable[[Ids], dict[str, Any]]
    other_path: str
    other: Callable[[Ids], dict[str, Any]]
    needs: tuple[str, ...] = ()


def picture(name: str, color: int) -> dict[str, Any]:
    return {"files": {"image": (name, plain(color=(color, 2, 3)))}}


@cache
def birds(count: int) -> bytes:
    # A ZIP holds the time at which it was made.
    return zipped(class_folders(robin=count))


def archive(count: int, **form: str) -> dict[str, Any]:
    return {"files": {"file": ("a.zip", birds(count))}, "data": form}


def network(name: str) -> dict[str, Any]:
    return {"files": {"file": ("a", network_file(small_network(name)))}}


def one_of(path: str, request: Callable[[], Any], other: Callable[[], Any], *needs: str) -> Case:
    """Two requests of the same route."""
    return Case(path, lambda _: request(), path, lambda _: other(), needs)


def change(path: str, other_path: str, *needs: str) -> Case:
    """Two requests without a body."""
    return Case(path, lambda _: {}, other_path, lambda _: {}, needs)


SETS, BIRDS = "/v1/datasets", "/v1/datasets/birds"
MEMBER = Case(
    f"{BIRDS}/members",
    lambda ids: {"json": {"members": [{"image": ids["image"]}]}},
    f"{BIRDS}/members",
    lambda _: archive(1),
    ("open set",),
)
CASES = [
    one_of("/v1/jobs", lambda: {"json": JOB}, lambda: {"json": {**JOB, "reproducible": True}}),
    one_of("/v1/deep-dream", lambda: picture("a.png", 1), lambda: picture("a.png", 9)),
    one_of("/v1/images", lambda: picture("a.png", 1), lambda: picture("b.png", 1)),
    one_of("/v1/networks", lambda: network("small"), lambda: network("other")),
    one_of(SETS, lambda: {"json": {"name": "cats"}}, lambda: {"json": {"name": "dogs"}}),
    one_of(SETS, lambda: {"json": {"source": "digits"}}, lambda: {"json": {"name": "dogs"}}),
    one_of(SETS, lambda: archive(1, params='{"name": "cats"}'), lambda: {"json": {"name": "dogs"}}),
    MEMBER,
    Case(MEMBER.path, MEMBER.other, MEMBER.path, MEMBER.request, MEMBER.needs),
    Case(
        f"{BIRDS}/close", lambda _: {}, f"{BIRDS}/relabel", lambda _: {"json": {"name": "x"}}, ("full set",)
    ),
    one_of(
        f"{BIRDS}/relabel",
        lambda: {"json": {"name": "b2", "rename": {"robin": "wren"}}},
        lambda: {"json": {"name": "b3", "rename": {"robin": "wren"}}},
        "closed set",
    ),
    one_of("/v1/batches", lambda: {"json": MATRIX}, lambda: {"content": LINES}),
    change("/v1/jobs/{job}/cancel", "/v1/jobs/{other job}/cancel", "job"),
    change("/v1/jobs/{job}/pause", "/v1/jobs/{job}/resume", "job"),
    change("/v1/jobs/{job}/retry", "/v1/jobs/{other job}/retry", "ended job"),
    change("/v1/batches/{batch}/pause", "/v1/batches/{batch}/resume", "batch"),
    change("/v1/batches/{batch}/cancel", "/v1/batches/{batch}/retry", "batch"),
    change("/v1/batches/{batch}/retry", "/v1/batches/{batch}/pause", "failed batch"),
]
IDS = [f"{number} {case.path}" for number, case in enumerate(CASES)]


def prepare(client: TestClient, needs: tuple[str, ...]) -> Ids:
    """What a case needs, by name."""
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    ids: Ids = {}
    for need in needs:
        if need.endswith("job"):
            for name in ("job", "other job"):
                ids[name] = client.post("/v1/jobs", json=JOB).json()["id"]
                if need == "ended job":
                    client.post(f"/v1/jobs/{ids[name]}/cancel")
        elif need.endswith("batch"):
            ids["batch"] = add_batch(services.engine, 1).id
            if need == "failed batch":
                set_batch(services.engine, ids["batch"], state=BatchState.FAILED, next_line=2)
        else:
            ids["image"] = upload(client).json()["id"]
            client.post(SETS, json={"name": "birds"})
            if need != "open set":
                members = {"members": [{"image": ids["image"], "label": "robin"}]}
                client.post(f"{BIRDS}/members", json=members)
            if need == "closed set":
                client.post(f"{BIRDS}/close")
    return ids


def send(client: TestClient, path: str, options: dict[str, Any], ids: Ids, **headers: str) -> Any:
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    given = {**options, "headers": {**KEY, **headers}}
    if "content" in options:
        given["headers"]["content-type"] = "application/x-ndjson"
    return client.post(path, **given)


def what_there_is(client: TestClient) -> dict[str, int]:
    """How much of everything there is; jobs of batches aside, which are made as time goes by."""
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    files = [path for path in (services.settings.data_dir / "files").rglob("*") if path.is_file()]
    lists = ("jobs?batch=none", "images", "batches", "datasets", "networks")
    counts = {name: len(client.get(f"/v1/{name}").json()["items"]) for name in lists}
    return {**counts, "files": len(files)}


def settled(answer: Any) -> dict[str, Any]:
    """An answer but for how far what was made has come by then."""
    moving = ("seq", "counts", "state", "finished_at", "eta_seconds", "priority")
    return {name: value for name, value in answer.json().items() if name not in moving}


@pytest.mark.medium
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_same_request_again_is_answered_alike_and_another_one_is_refused(
    client: TestClient, case: Case
) -> None:
    ids = prepare(client, case.needs)
    first = send(client, case.path, case.request(ids), ids)
    assert first.is_success, first.text
    there = what_there_is(client)
    again = send(client, case.path, case.request(ids), ids)
    assert again.status_code == first.status_code, again.text
    assert settled(again) == settled(first)
    assert again.headers.get("location") == first.headers.get("location")
    other = send(client, case.other_path, case.other(ids), ids)
    assert (other.status_code, other.json()["type"]) == (422, "idempotency_key_reused"), other.text
    assert other.json()["field"] == "Idempotency-Key"
    assert what_there_is(client) == there


@pytest.mark.medium
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_requests_at_the_same_moment_make_one_thing(
    database_url: str, settings: Settings, case: Case
) -> None:
    with serving(settings.model_copy(update={"database_url": database_url})) as client:
        ids = prepare(client, case.needs)
        before = what_there_is(client)
        options = [case.request(ids) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda each: send(client, case.path, each, ids), options))
        assert {answer.status_code for answer in answers} == {answers[0].status_code}, [
            a.text for a in answers
        ]
        assert all(settled(answer) == settled(answers[0]) for answer in answers)
        after = what_there_is(client)
        assert all(0 <= after[name] - before[name] <= 1 for name in before if name != "files"), (
            before,
            after,
        )


@pytest.mark.medium
@pytest.mark.parametrize(
    ("path", "options", "find"),
    [
        ("/v1/images", picture("a.png", 1), "images.repository.find_image_made"),
        ("/v1/batches", {"content": LINES}, "batches.repository.has_key"),
        (SETS, archive(1, params='{"name": "cats"}'), None),
    ],
)
def test_a_spare_copy_that_cannot_be_deleted_changes_no_answer(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str, options: dict[str, Any], find: str | None
) -> None:
    first = send(client, path, options, {})
    assert first.is_success, first.text

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for name in ("delete", "delete_prefix"):
        monkeypatch.setattr(FolderStorage, name, fail)
    if find is not None:
        # The first request is over just after the second has looked for it.
        looked: list[Any] = []
        found = resolve_name(f"app.{find}")

        def not_yet(*arguments: Any) -> Any:
            looked.append(arguments)
            return None if len(looked) == 1 else found(*arguments)

        monkeypatch.setattr(f"app.{find}", not_yet)
    there = what_there_is(client)
    again = send(client, path, options, {})
    assert (again.status_code, settled(again)) == (first.status_code, settled(first)), again.text
    # The scrubber deletes it.
    assert what_there_is(client) == {**there, "files": there["files"] + 1}


@pytest.mark.medium
def test_an_answer_is_kept_though_the_request_could_not_be_met_any_more(client: TestClient) -> None:
    image = upload(client).json()["id"]
    asked, other = {"json": {"image": image}}, {"Idempotency-Key": "another"}
    first = send(client, "/v1/deep-dream", asked, {})
    client.post(f"/v1/jobs/{first.json()['id']}/cancel")
    assert client.delete(f"/v1/images/{image}").status_code == 204
    assert send(client, "/v1/deep-dream", asked, {}).json()["id"] == first.json()["id"]
    client.post(SETS, json={"name": "cats"}, headers=other)
    client.patch(f"{SETS}/cats", json={"name": "dogs"})
    assert client.post(SETS, json={"name": "cats"}, headers=other).json()["name"] == "dogs"


def test_a_key_is_free_again_once_what_it_made_is_deleted(client: TestClient) -> None:
    first = send(client, "/v1/images", picture("a.png", 1), {}).json()["id"]
    assert client.delete(f"/v1/images/{first}").status_code == 204
    other = send(client, "/v1/images", picture("b.png", 2), {})
    assert other.status_code == 201 and other.json()["id"] != first


def test_a_change_that_was_undone_is_not_made_again_by_its_key(client: TestClient) -> None:
    job = client.post("/v1/jobs", json=JOB).json()["id"]
    assert client.post(f"/v1/jobs/{job}/pause", headers=KEY).json()["paused"] is True
    assert client.post(f"/v1/jobs/{job}/resume").json()["paused"] is False
    assert client.post(f"/v1/jobs/{job}/pause", headers=KEY).json()["paused"] is False
    assert client.post(f"/v1/jobs/{job}/pause").json()["paused"] is True


@pytest.mark.medium
@pytest.mark.parametrize(
    ("path", "shown", "need"),
    [
        ("/v1/jobs/{job}/pause", "/v1/jobs/{job}", "job"),
        ("/v1/jobs/{job}/cancel", "/v1/jobs/{job}", "job"),
        ("/v1/batches/{batch}/pause", "/v1/batches/{batch}", "batch"),
        ("/v1/batches/{batch}/cancel", "/v1/batches/{batch}", "batch"),
        ("/v1/batches/{batch}/retry", "/v1/batches/{batch}", "failed batch"),
        (f"{BIRDS}/close", BIRDS, "full set"),
    ],
)
def test_a_change_and_its_key_are_written_together(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str, shown: str, need: str
) -> None:
    ids = prepare(client, (need,))
    shown = shown.format(**ids)
    before = client.get(shown)

    def fail(*_: object) -> None:
        raise RuntimeError("the process ends here")

    with monkeypatch.context() as broken:
        broken.setattr("app.database.keys.note_change", fail)
        with pytest.raises(RuntimeError):
            send(client, path, {}, ids)
    assert settled(client.get(shown)) == settled(before)
    assert client.get(shown).json()["state"] == before.json()["state"]
    assert send(client, path, {}, ids).status_code == 200
    assert client.get(shown).json() != before.json()


def test_a_change_that_is_refused_leaves_its_key_free(client: TestClient) -> None:
    ids = prepare(client, ("job", "failed batch"))
    client.post(f"/v1/jobs/{ids['job']}/cancel")
    for path in ("/v1/jobs/{job}/pause", "/v1/jobs/{job}/resume", "/v1/jobs/{other job}/finish"):
        assert send(client, path, {}, ids).status_code == 409
    assert send(client, "/v1/batches/{batch}/pause", {}, ids).status_code == 409
    assert send(client, "/v1/jobs/{other job}/pause", {}, ids).json()["paused"] is True


def test_every_post_that_makes_or_changes_something_takes_a_key(client: TestClient) -> None:
    without = [
        path
        for path, operations in client.get("/v1/openapi.json").json()["paths"].items()
        if "post" in operations
        and "Idempotency-Key" not in [each["name"] for each in operations["post"].get("parameters", ())]
    ]
    assert without == ["/v1/estimate"]


@pytest.mark.parametrize("key", ["", " ", "a" * 256, "ключ"])
def test_a_key_is_a_short_text_of_printable_characters(client: TestClient, key: str) -> None:
    answer = client.post("/v1/jobs", json=JOB, headers={"Idempotency-Key": key.encode()})
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")
