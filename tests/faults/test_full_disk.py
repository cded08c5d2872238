"""A data folder on a small disk of its own, which is filled to the last byte while the service works."""

import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from app.batches.errors import BatchNotEnded, UnknownBatch
from app.database.engine import is_disk_full, make_engine
from app.jobs.repository import NewJob, create_job, find_jobs
from app.jobs.states import State
from tests.support.batch_context import BatchContext
from tests.support.batches import give
from tests.support.databases import put_migrated
from tests.support.disks import fill, small_disk
from tests.support.service import Service, processes_of, running, wait_for
from tests.support.strange_pictures import noise

pytestmark = pytest.mark.slow

SIZE, KEPT_FREE = 96_000_000, 24_000_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    with small_disk(tmp_path / "disk", SIZE) as folder:
        yield folder


@pytest.fixture
def service(disk: Path) -> Iterator[Service]:
    settings = {
        "IMPASTO_MIN_FREE_BYTES": str(KEPT_FREE),
        "IMPASTO_CHECKPOINT_SECONDS": "1",
        "IMPASTO_LANES": "long",
    }
    with running(disk / "data", **settings) as made:
        yield made


def post(service: Service, path: str, **options: Any) -> httpx.Response:
    return httpx.post(service.url + path, timeout=60, trust_env=False, **options)


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 507, answer.text
    assert answer.json()["type"] == "storage_full"


def test_a_disk_that_is_nearly_full_takes_no_more_and_begins_nothing(service: Service, disk: Path) -> None:
    painted = service.paint(size=64, steps=2)
    service.wait_for_job(painted, "succeeded")
    params = service.request("GET", f"/v1/jobs/{painted}")["params"]
    waiting = service.paint(size=64, steps=2_000)
    service.request("POST", f"/v1/jobs/{waiting}/pause")
    service.wait_for_job(waiting, "queued")
    fill(disk, leave=KEPT_FREE // 2)

    refused(post(service, "/v1/images", files={"image": ("a.png", noise(seed=3))}))
    missing = post(service, "/v1/jobs", json={"kind": "style_transfer", "params": params})
    refused(missing)
    assert "bytes are missing" in missing.json()["detail"]
    service.request("POST", f"/v1/jobs/{waiting}/resume")
    time.sleep(4)
    assert service.request("GET", f"/v1/jobs/{waiting}")["state"] == "queued"

    (disk / "filler").unlink()
    service.wait_for_job(waiting, "running", "succeeded")
    service.request("POST", f"/v1/jobs/{waiting}/cancel")


def test_a_full_disk_ends_nothing_and_can_be_emptied_by_deleting(service: Service, disk: Path) -> None:
    painted = service.paint(size=512, steps=1)
    service.wait_for_job(painted, "succeeded")
    long = service.paint(size=64, steps=20_000)
    wait_for(lambda: service.request("GET", f"/v1/jobs/{long}")["progress"])
    before = set(processes_of(service.data_dir))
    filler = fill(disk)
    time.sleep(8)
    assert set(processes_of(service.data_dir)) == before and service.process.poll() is None

    # The only way out for who has nothing but the page.
    picture = service.data_dir / "files" / "jobs" / painted
    size = sum(path.stat().st_size for path in picture.rglob("*") if path.is_file())
    wait_for(
        lambda: (
            httpx.delete(f"{service.url}/v1/jobs/{painted}", timeout=60, trust_env=False).status_code
            in (204, 404)
        )
    )
    assert size > 100_000 and not picture.exists()

    filler.unlink()
    assert set(processes_of(service.data_dir)) == before
    service.request("POST", f"/v1/jobs/{long}/cancel")
    job = service.wait_for_job(long, "cancelled")
    assert job["attempt"] == 1
    assert service.log.count("\n") < 100, service.log


def test_a_batch_can_be_deleted_from_a_full_disk(disk: Path) -> None:
    put_migrated(disk / "impasto.db")
    engine = make_engine(f"sqlite:///{disk / 'impasto.db'}")
    context = BatchContext(engine, disk)
    batch = context.create(40)
    context.keep()
    for job in context.end(State.SUCCEEDED, 20):
        give(engine, context.storage, job.id, "image", bytes(200_000))
    context.service.cancel(batch.id)
    context.keep()
    running = context.create(1)
    # The database has no pages of its log left to write to.
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    fill(disk)

    with pytest.raises(BatchNotEnded):
        context.service.delete(running.id)
    context.service.delete(batch.id)
    context.keep()
    assert [path for path in (disk / "files/jobs").rglob("*") if path.is_file()] == []
    with pytest.raises(UnknownBatch):
        context.service.get(batch.id)
    assert context.all_jobs(batch) == []
    engine.dispose()


def test_a_row_whose_space_others_took_is_deleted_once_there_is_some(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_migrated(disk / "impasto.db")
    engine = make_engine(f"sqlite:///{disk / 'impasto.db'}")
    context = BatchContext(engine, disk)
    ids = [create_job(engine, NewJob("architecture", "short", {}))[0].id for _ in range(2)]
    for job in context.end(State.SUCCEEDED, 2):
        give(engine, context.storage, job.id, "image", bytes(200_000))
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    fill(disk)
    delete_prefix = context.storage.delete_prefix

    def delete_and_fill(prefix: str, keep: Collection[str] = ()) -> None:
        delete_prefix(prefix, keep)
        fill(disk, name="others")

    with monkeypatch.context() as patch:
        patch.setattr(context.storage, "delete_prefix", delete_and_fill)
        for job_id in ids:
            with pytest.raises(OperationalError) as caught:
                context.jobs.delete(job_id)
            assert is_disk_full(caught.value)
    # The disk is still full.
    context.keep()
    assert [path for path in (disk / "files/jobs").rglob("*") if path.is_file()] == []
    assert len(find_jobs(engine, ids)) == 2

    (disk / "others").unlink()
    context.jobs.delete(ids[0])
    context.keep()
    assert find_jobs(engine, ids) == {}
    engine.dispose()
