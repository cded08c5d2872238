"""What the API says of a data folder that it cannot read or write, and that all is well afterwards."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from app.http.services import Services
from app.settings import Settings
from tests.app.conftest import serving, upload
from tests.support.databases import put_migrated
from tests.support.disks import small_disk
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
    check_unavailable(client.get(f"/v1/images/{image_id}/content"), "Is a directory")
    path.rmdir()
    assert client.get(f"/v1/images/{image_id}/content").json()["type"] == "file_gone"
    path.write_bytes(data)
    assert client.get(f"/v1/images/{image_id}/content").content == data


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
