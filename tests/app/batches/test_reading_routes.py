"""Entries, results, errors and archives of batches over HTTP."""

import errno
import io
import json
import os
import shutil
import subprocess
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter
from sqlalchemy import Engine

from app.batches import entries
from app.batches.archive import archive_of
from app.batches.batch import Batch
from app.batches.errors import UnknownBatch
from app.batches.repository import get_batch
from app.batches.schemas import ErrorLine, ResultLine
from app.http.services import Services
from app.jobs.states import State
from app.jobs.storage_keys import job_folder
from app.settings import Settings
from app.storage import FolderStorage, make_storage
from tests.support.batches import ERROR, add_batch, add_jobs, give, refuse, set_batch, set_jobs

JOB = "0198c0de-0000-7000-8000-000000000000"


@pytest.fixture
def batch(services: Services) -> Batch:
    """Six lines: two pictures, a failed one, a wrong one, a cancelled one, one that waits."""
    batch = add_batch(services.engine, 6, name="Größe/2")
    ids = add_jobs(services.engine, batch, [1, 2, 3, 5])
    set_jobs(services.engine, ids[:2], State.SUCCEEDED, result={"loss": 0.5})
    set_jobs(services.engine, ids[2:3], State.FAILED)
    set_jobs(services.engine, ids[3:], State.CANCELLED)
    refuse(services.engine, batch, [4])
    for job_id in ids[:2]:
        give(services.engine, services.storage, job_id, "image", job_id.encode())
        give(services.engine, services.storage, job_id, "table", b"{}", ".json")
    return get_batch(services.engine, batch.id)


def lines_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.content.splitlines()]


def unzip(*arguments: str | Path) -> None:
    if shutil.which("unzip") is None:
        pytest.skip("unzip is not installed: apt-get install unzip")
    done = subprocess.run(["unzip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_entries_come_in_pages(client: TestClient, batch: Batch) -> None:
    url = f"/v1/batches/{batch.id}/entries"
    first = client.get(url, params={"limit": 4}).json()
    assert [(entry["line"], entry["custom_id"], entry["state"]) for entry in first["items"]] == [
        (1, "c1", "succeeded"),
        (2, "c2", "succeeded"),
        (3, "c3", "failed"),
        (4, "c4", "failed"),
    ]
    assert [artifact["name"] for artifact in first["items"][0]["artifacts"]] == ["image", "table"]
    assert (
        client.get(first["items"][0]["artifacts"][0]["url"]).content == first["items"][0]["job_id"].encode()
    )
    assert first["items"][2]["error"] == ERROR and first["items"][3]["job_id"] is None
    rest = client.get(url, params={"limit": 4, "from": first["next_line"]}).json()
    assert [(entry["line"], entry["state"]) for entry in rest["items"]] == [(5, "cancelled"), (6, "waiting")]
    assert rest["next_line"] is None
    some = client.get(url, params={"state": ["failed", "waiting"], "limit": 2}).json()
    assert [entry["line"] for entry in some["items"]] == [3, 4] and some["next_line"] == 6


def test_requests_that_cannot_be_meant(client: TestClient, services: Services, batch: Batch) -> None:
    for path in ("entries", "results", "errors", "archive"):
        assert client.get(f"/v1/batches/{JOB}/{path}").json()["type"] == "unknown_batch"
    for wrong, field in (("from=0", "from"), ("limit=1001", "limit"), ("state=lost", "state.0")):
        answer = client.get(f"/v1/batches/{batch.id}/entries?{wrong}")
        assert answer.status_code == 422 and answer.json()["field"] == field
    with pytest.raises(UnknownBatch):
        set_batch(services.engine, batch.id, delete_requested_at=1.0)
    assert client.get(f"/v1/batches/{batch.id}/archive").status_code == 404


def test_results_and_errors_are_lines_in_order(client: TestClient, batch: Batch) -> None:
    results = lines_of(client.get(f"/v1/batches/{batch.id}/results"))
    parsed = TypeAdapter(list[ResultLine]).validate_python(results, strict=True)
    assert [(line.line, line.custom_id, line.result) for line in parsed] == [
        (1, "c1", {"loss": 0.5}),
        (2, "c2", {"loss": 0.5}),
    ]
    assert results[0].keys() == ResultLine.model_fields.keys()
    assert [artifact.name for artifact in parsed[1].artifacts] == ["image", "table"]
    errors = lines_of(client.get(f"/v1/batches/{batch.id}/errors"))
    failed = TypeAdapter(list[ErrorLine]).validate_python(errors, strict=True)
    assert errors[0].keys() == ErrorLine.model_fields.keys()
    assert [(line.line, line.state, line.error is None) for line in failed] == [
        (3, "failed", False),
        (4, "failed", False),
        (5, "cancelled", True),
    ]
    head = client.head(f"/v1/batches/{batch.id}/results")
    assert head.status_code == 200 and head.content == b""


def test_lines_come_page_by_page(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "PAGE", 7)
    batch = add_batch(services.engine, 40)
    set_jobs(services.engine, add_jobs(services.engine, batch, range(1, 36)), State.SUCCEEDED)
    set_batch(services.engine, batch.id, cancel_requested_at=1.0)
    results = lines_of(client.get(f"/v1/batches/{batch.id}/results"))
    assert [line["line"] for line in results] == [*range(1, 36)]
    errors = lines_of(client.get(f"/v1/batches/{batch.id}/errors"))
    assert [(line["line"], line["state"]) for line in errors] == [(n, "cancelled") for n in range(36, 41)]


def test_an_archive_holds_the_pictures_by_custom_id(client: TestClient, batch: Batch, tmp_path: Path) -> None:
    answer = client.get(f"/v1/batches/{batch.id}/archive")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Gr__e_2.zip\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe_2.zip"
    )
    path = tmp_path / "a.zip"
    path.write_bytes(answer.content)
    unzip("-tq", path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "c1.png",
            "c1/table.json",
            "c2.png",
            "c2/table.json",
            "results.jsonl",
            "errors.jsonl",
        ]
        assert archive.getinfo("c1.png").compress_type == zipfile.ZIP_STORED
        results = [json.loads(line) for line in archive.read("results.jsonl").splitlines()]
        errors = [json.loads(line) for line in archive.read("errors.jsonl").splitlines()]
        assert archive.read("c2.png").decode() == results[1]["job_id"]
    assert results[1]["files"] == {"image": "c2.png", "table": "c2/table.json"}
    assert errors == lines_of(client.get(f"/v1/batches/{batch.id}/errors"))
    head = client.head(f"/v1/batches/{batch.id}/archive")
    assert head.headers["content-disposition"] == answer.headers["content-disposition"]


def test_a_file_that_is_gone_is_named(client: TestClient, services: Services, batch: Batch) -> None:
    job_id = client.get(f"/v1/batches/{batch.id}/entries").json()["items"][0]["job_id"]
    services.storage.delete(f"{job_folder(job_id)}/1/image.png")
    answer = client.get(f"/v1/batches/{batch.id}/archive")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist()[:2] == ["c1/table.json", "c2.png"]
        errors = [json.loads(line) for line in archive.read("errors.jsonl").splitlines()]
        results = [json.loads(line) for line in archive.read("results.jsonl").splitlines()]
    assert results[0]["files"] == {"table": "c1/table.json"}
    assert (errors[-1]["line"], errors[-1]["artifact"], errors[-1]["error"]["type"]) == (
        1,
        "image",
        "file_gone",
    )


def test_a_file_that_cannot_be_read_is_named(client: TestClient, services: Services, batch: Batch) -> None:
    job_ids = [each["job_id"] for each in client.get(f"/v1/batches/{batch.id}/entries").json()["items"][:2]]
    folders = [services.settings.data_dir / "files" / job_folder(each) / "1" for each in job_ids]
    (folders[0] / "image.png").unlink()
    (folders[0] / "image.png").mkdir()
    # It opens, and nothing can be read from its beginning.
    (folders[1] / "table.json").unlink()
    (folders[1] / "table.json").symlink_to("/proc/self/mem")
    answer = client.get(f"/v1/batches/{batch.id}/archive")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["c1/table.json", "c2.png", "results.jsonl", "errors.jsonl"]
        errors = [json.loads(line) for line in archive.read("errors.jsonl").splitlines()]
        results = [json.loads(line) for line in archive.read("results.jsonl").splitlines()]
    assert [each["files"] for each in results] == [{"table": "c1/table.json"}, {"image": "c2.png"}]
    found = [(each["line"], each["artifact"], each["error"]["type"]) for each in errors[-2:]]
    assert found == [(1, "image", "storage_unavailable"), (2, "table", "storage_unavailable")]
    assert "Is a directory" in errors[-2]["error"]["detail"]


class Breaking(io.BytesIO):
    """A file whose disk fails behind its first chunk."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(size)


@pytest.mark.medium
def test_results_may_be_larger_than_a_zip_of_32_bits_takes(
    services: Services, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Instead of 2 GiB, which a file may have whose size is said to be less.
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    pieces = archive_of(services.engine, services.storage, batch.id)
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert archive.getinfo("results.jsonl").file_size > zipfile.ZIP64_LIMIT
        assert len(archive.read("results.jsonl").splitlines()) == 2


def test_a_file_that_breaks_off_breaks_the_archive_off(
    address: str, database: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = add_batch(database, 1)
    (job_id,) = add_jobs(database, batch, [1])
    set_jobs(database, [job_id], State.SUCCEEDED)
    data = os.urandom(1_000_000)
    give(database, make_storage(settings), job_id, "image", data)
    monkeypatch.setattr(FolderStorage, "open", lambda storage, key: Breaking(data))
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        httpx.get(f"{address}/v1/batches/{batch.id}/archive")


def test_hostile_names_unpack_below_the_folder(services: Services, tmp_path: Path) -> None:
    hostile = ["../../x", "/etc/passwd", "a\nb", "CON", "Con ", "a", "A", "results.jsonl", "x" * 200, "🌊/.."]
    batch = add_batch(services.engine, len(hostile))
    ids = add_jobs(services.engine, batch, range(1, len(hostile) + 1))
    for job_id, name in zip(ids, hostile, strict=True):
        set_jobs(services.engine, [job_id], State.SUCCEEDED, custom_id=name)
        give(services.engine, services.storage, job_id, "image", name.encode())
        give(services.engine, services.storage, job_id, "table", b"{}", ".json")
    path = tmp_path / "a.zip"
    path.write_bytes(b"".join(archive_of(services.engine, services.storage, batch.id)))
    target = tmp_path / "deep" / "er"
    target.mkdir(parents=True)
    unzip("-o", path, "-d", target)
    outside = [each for each in tmp_path.rglob("*") if target not in each.parents and each.is_file()]
    assert [each.name for each in outside if tmp_path / "data" not in each.parents] == ["a.zip"]
    found = {each.read_bytes() for each in target.glob("*.png")}
    assert found == {name.encode() for name in hostile}
    with zipfile.ZipFile(path) as archive:
        assert all(info.flag_bits & 0x800 for info in archive.infolist() if not info.filename.isascii())


@pytest.mark.medium
def test_an_archive_takes_no_more_memory_for_more_pictures(services: Services) -> None:
    batch = add_batch(services.engine, 100)
    ids = add_jobs(services.engine, batch, range(1, 101))
    set_jobs(services.engine, ids, State.SUCCEEDED)
    data = os.urandom(1_000_000)
    picture = give(services.engine, services.storage, ids[0], "image", data)
    for job_id in ids[1:]:
        give(services.engine, None, job_id, "image", data)
        target = services.storage.path(f"{job_folder(job_id)}/1/image.png")  # type: ignore[attr-defined]
        target.parent.mkdir(parents=True)
        os.link(services.storage.path(picture.key), target)  # type: ignore[attr-defined]
    length = 0
    tracemalloc.start()
    try:
        for piece in archive_of(services.engine, services.storage, batch.id):
            length += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length > 100_000_000
    assert peak < 10_000_000


@pytest.mark.medium
def test_a_client_that_goes_away_ends_the_archive(address: str, database: Engine, settings: Settings) -> None:
    storage = make_storage(settings)
    batch = add_batch(database, 1)
    (job_id,) = add_jobs(database, batch, [1])
    set_jobs(database, [job_id], State.SUCCEEDED)
    give(database, storage, job_id, "image", os.urandom(30_000_000))
    with httpx.stream("GET", f"{address}/v1/batches/{batch.id}/archive") as response:
        pieces = response.iter_raw()
        # So much is of the picture, of which most does not fit into what lies on the way.
        length = 0
        while length < 1_000_000:
            length += len(next(pieces))
        assert _open_files(job_id)
    deadline = time.monotonic() + 20
    while _open_files(job_id) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _open_files(job_id)


def _open_files(part: str) -> list[str]:
    """Files that this process, in which the service runs, has open."""
    links = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(each))
        except FileNotFoundError:
            continue
    return [link for link in links if part in link]
