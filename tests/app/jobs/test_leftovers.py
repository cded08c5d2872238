"""Files that killed processes left behind."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.database.engine import make_engine
from app.database.ids import new_id
from app.datasets.uploads import zip_key
from app.images.repository import image_key
from app.jobs.leftovers import delete_leftovers
from app.jobs.storage_keys import job_folder, work_folder
from app.networks.repository import network_folder, network_of_job
from app.settings import Settings
from app.storage import FolderStorage
from app.storage.folder import make_storage
from tests.app.conftest import upload
from tests.support.network_files import network_file, small_network


@pytest.fixture
def engine(settings: Settings, client: TestClient) -> Iterator[Engine]:
    engine = make_engine(settings.resolved_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def storage(settings: Settings) -> FolderStorage:
    storage = make_storage(settings)
    assert isinstance(storage, FolderStorage)
    return storage


def keys(storage: FolderStorage) -> set[str]:
    files = (path.relative_to(storage.root) for path in storage.root.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if path.parts[0] != ".tmp"}


def submit(client: TestClient, storage: FolderStorage) -> tuple[str, str]:
    image = str(upload(client).json()["id"])
    answer = client.post(
        "/v1/classify", json={"image": image, "network": "palette"}, headers={"Prefer": "respond-async"}
    )
    job_id = answer.json()["id"]
    storage.put(f"{work_folder(job_id)}/checkpoint", b"1")
    return image, job_id


@pytest.mark.medium
def test_weights_without_a_row_are_deleted(
    client: TestClient, engine: Engine, storage: FolderStorage
) -> None:
    data = network_file(small_network())
    for name in ("one", "two"):
        assert client.post("/v1/networks", files={"file": data}, data={"name": name}).status_code == 201
    storage.put("networks/shipped/palette/0.safetensors", b"of a shipped one")
    kept = keys(storage)
    storage.put(f"{network_folder(network_of_job(new_id()))}/1.safetensors", b"weights")
    assert delete_leftovers(engine, storage) == 0
    assert delete_leftovers(engine, storage, older_than=0) == 1
    assert keys(storage) == kept


def test_an_upload_whose_job_was_never_queued_and_pictures_without_rows_are_deleted(
    client: TestClient, engine: Engine, storage: FolderStorage
) -> None:
    submit(client, storage)
    kept = keys(storage)
    storage.put(zip_key(work_folder(new_id())), b"a ZIP")
    storage.put(image_key(new_id()), b"a picture")
    assert delete_leftovers(engine, storage) == 0
    assert len(keys(storage)) == len(kept) + 2
    assert delete_leftovers(engine, storage, older_than=0) == 2
    assert keys(storage) == kept
    assert [path.name for path in storage.path("jobs").iterdir()] == [
        key.split("/")[1] for key in kept if key.startswith("jobs")
    ]


def test_nothing_is_deleted_with_the_database_of_another_service(
    engine: Engine, storage: FolderStorage
) -> None:
    for _ in range(3):
        storage.put(image_key(new_id()), b"a picture")
        storage.put(f"{job_folder(new_id())}/1/image.png", b"a result")
    assert delete_leftovers(engine, storage, older_than=0) == 0
    assert len(keys(storage)) == 6
