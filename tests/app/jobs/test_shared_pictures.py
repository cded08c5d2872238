"""Files that come with a job for the second time become the pictures that are stored."""

import hashlib
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.database.engine import write
from app.http.services import Services
from app.images.repository import image_key
from app.images.service import ImageService
from app.images.tables import images
from app.settings import Settings
from tests.app.conftest import upload
from tests.support.strange_pictures import noise

URL = "/v1/style-transfer"
PHOTO, PAINTING = noise(seed=1), noise(seed=2)


def post(client: TestClient, content: bytes = PHOTO, name: str = "photo.png") -> list[str]:
    """Ask for a painting; the ids of its pictures."""
    files = {"content": (name, content), "style": ("painting.png", PAINTING)}
    answer = client.post(URL, files=files, data={"params": json.dumps({"size": 32})})
    assert answer.status_code == 202, answer.text
    params = answer.json()["params"]
    return [params["content"], *params["style"]]


def uploads(client: TestClient) -> int:
    return len(client.get("/v1/images").json()["items"])


def test_the_same_files_are_stored_once(client: TestClient) -> None:
    first = post(client)
    assert post(client) == first and uploads(client) == 2
    # What it is called is shown, and so another name is another picture.
    other = post(client, name="lake.png")
    assert other[0] != first[0] and other[1] == first[1]
    assert client.get(f"/v1/images/{other[0]}").json()["name"] == "lake.png"
    assert post(client, content=noise(seed=3))[0] not in (first[0], other[0])
    assert uploads(client) == 4


def test_what_is_uploaded_apart_is_its_sender_s_to_delete(client: TestClient) -> None:
    first, second = (upload(client, PHOTO, "photo.png").json()["id"] for _ in range(2))
    assert first != second
    assert client.delete(f"/v1/images/{second}").status_code == 204
    assert client.get(f"/v1/images/{first}/content").content == PHOTO
    assert post(client)[0] == first


def test_one_whose_file_is_lost_is_stored_again(client: TestClient, settings: Settings) -> None:
    first = post(client)
    (settings.data_dir / "files" / image_key(first[0])).unlink()
    again = post(client)
    assert again[0] != first[0] and again[1] == first[1]
    assert client.get(f"/v1/images/{again[0]}/content").content == PHOTO


def test_pictures_of_sets_are_not_lent(client: TestClient, services: Services) -> None:
    first = post(client)
    with write(services.engine) as connection:
        connection.execute(update(images).values(imported=True))
    assert set(post(client)).isdisjoint(first)


def test_one_that_is_deleted_meanwhile_is_stored_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = post(client)
    find_alike = ImageService.find_alike

    def find_and_delete(service: ImageService, *asked: Any) -> list[str | None]:
        found = find_alike(service, *asked)
        for job in client.get("/v1/jobs").json()["items"]:
            client.post(f"/v1/jobs/{job['id']}/cancel")
        assert client.delete(f"/v1/images/{found[0]}").status_code == 204
        return found

    monkeypatch.setattr(ImageService, "find_alike", find_and_delete)
    again = post(client)
    assert again[0] != first[0]
    assert client.get(f"/v1/images/{again[0]}/content").content == PHOTO


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "mine"}], ids=["without a key", "with a key"])
def test_a_file_is_hashed_once_to_be_compared(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    digest, hashed = hashlib.file_digest, list[Any]()

    def counted(file: Any, name: str) -> Any:
        hashed.append(file)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    files = {"content": ("a.png", PHOTO), "style": ("b.png", PHOTO)}
    assert client.post("/v1/style-transfer", files=files, headers=headers).status_code == 202
    assert len(hashed) == 2
