"""What the API says of a data folder that it cannot read or write, and that all is well afterwards."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from app.batches.scrub import unknown_files
from app.database.ids import is_id, new_id
from app.datasets.service import PictureFile
from app.http.services import Services
from app.images.repository import image_key
from app.jobs.leftovers import delete_leftovers
from app.media import inspect_picture
from app.settings import Settings
from tests.app.conftest import serving, upload
from tests.support.databases import put_migrated
from tests.support.disks import small_disk
from tests.support.network_files import network_file, small_network
from tests.support.strange_pictures import noise


def check_unavailable(answer: object, says: str) -> None:
    assert isinstance(answer, httpx.Response)
    assert (answer.status_code, answer.json()["type"]) == (503, "storage_unavailable"), answer.text
    assert says in answer.json()["detail"] and int(answer.headers["Retry-After"]) > 0


def test_a_file_that_was_replaced_by_a_folder(client: TestClient, services: Services, image_id: str) -> None:
    path = services.settings.data_dir / "files/images" / image_id
    data = path.read_bytes()
    path.unlink()
    path.mkdir()
    for small in ("", "?side=160"):
        check_unavailable(client.get(f"/v1/images/{image_id}/content{small}"), "Is a directory")
    path.rmdir()
    assert client.get(f"/v1/images/{image_id}/content").json()["type"] == "file_gone"
    path.write_bytes(data)
    assert client.get(f"/v1/images/{image_id}/content").content == data


def test_a_data_folder_that_is_away_has_lost_nothing(
    client: TestClient, services: Services, image_id: str
) -> None:
    """As of a disk that was unmounted: a file that cannot be found there was not deleted."""
    files = services.settings.data_dir / "files"
    moved = files.rename(files.with_name("moved"))
    files.mkdir()
    for small in ("", "?side=160"):
        check_unavailable(client.get(f"/v1/images/{image_id}/content{small}"), "is its disk mounted")
    files.rmdir()
    moved.rename(files)
    assert client.get(f"/v1/images/{image_id}/content").status_code == 200


def put_in_its_place(path: Path) -> None:
    """Have a folder in the place of a file, or a file in that of a folder that may be there."""
    if path.is_file():
        path.unlink()
        path.mkdir()
        return
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"in its place")


def paint(client: TestClient, image_id: str) -> str:
    answer = client.post("/v1/style-transfer", json={"content": image_id, "style": image_id})
    return str(answer.json()["id"])


@pytest.mark.medium
def test_what_has_something_else_in_the_place_of_its_files_is_deleted(
    client: TestClient, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    files = services.settings.data_dir / "files"
    image_id, job_id = upload(client).json()["id"], paint(client, upload(client).json()["id"])
    network = {"file": network_file(small_network())}
    assert client.post("/v1/networks", files=network, data={"name": "mine"}).status_code == 201
    (weights,) = (path for path in (files / "networks").iterdir() if is_id(path.name))
    job, image = files / "jobs" / job_id, files / "images" / image_id
    for each in (weights, job, image):
        put_in_its_place(each)
    cancelled = client.post(f"/v1/jobs/{job_id}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    for url, path in (
        ("/v1/networks/mine", weights),
        (f"/v1/jobs/{job_id}", job),
        (f"/v1/images/{image_id}", image),
    ):
        caplog.clear()
        assert client.delete(url).status_code == 204
        assert client.get(url).status_code == client.delete(url).status_code == 404
        assert path.exists() and str(path) in caplog.text

    found, unreadable = unknown_files(services.engine, services.storage, older_than=0)
    assert unreadable == []
    assert {each.key for each in found} == {str(each.relative_to(files)) for each in (weights, job, image)}
    # They keep no other from being deleted.
    other = services.storage.put(image_key(new_id()), b"without a row").key
    upload(client)
    assert delete_leftovers(services.engine, services.storage, older_than=0) == 1
    assert image.exists() and not (files / other).exists()


def test_a_set_is_deleted_whole_though_one_of_its_files_cannot_be(
    client: TestClient, services: Services
) -> None:
    dataset = services.datasets.begin("birds")
    for seed in range(3):
        data = noise(seed=seed)
        info = inspect_picture(BytesIO(data), services.settings)
        sha256 = hashlib.sha256(data).hexdigest()
        picture = PictureFile(data=data, sha256=sha256, info=info, name=f"{seed}.png", label=None)
        services.datasets.add_files(dataset.id, [picture], "an upload")
    folder = services.settings.data_dir / "files/images"
    first, *_ = members = sorted(folder.iterdir())
    put_in_its_place(first)
    assert len(members) == 3 and client.delete("/v1/datasets/birds").status_code == 204
    assert list(folder.iterdir()) == [first]
    assert all(client.get(f"/v1/images/{each.name}").status_code == 404 for each in members)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that can be mounted anew."""
    with small_disk(tmp_path / "disk", 64_000_000) as folder:
        yield folder


def test_a_data_folder_that_became_read_only(disk: Path, tmp_path: Path) -> None:
    """As a file system that its kernel does not trust any more; the database lies elsewhere."""
    put_migrated(tmp_path / "db")
    settings = Settings(
        data_dir=disk,
        min_free_bytes=0,
        database_url=f"sqlite:///{tmp_path / 'db'}",
        allowed_hosts="testserver",
    )
    with serving(settings) as client:
        image_id = upload(client).json()["id"]
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        check_unavailable(upload(client, noise()), "Read-only file system")
        assert client.get(f"/v1/images/{image_id}/content").status_code == 200
        assert client.get("/v1/images").json()["items"][0]["id"] == image_id
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert upload(client, noise()).status_code == 201
        assert len(client.get("/v1/images").json()["items"]) == 2
