from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.context import Context
from app.main import create_app
from app.settings import Settings
from tests.support.strange_pictures import plain


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The real service on a fresh SQLite database, without workers."""
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def here(client: TestClient) -> Context:
    context: Context = client.app.state.context  # type: ignore[attr-defined]
    return context


def upload(client: TestClient, data: bytes | None = None, name: str = "a.png") -> Any:
    """The answer to the upload of a picture."""
    return client.post("/v1/images", files={"image": (name, plain() if data is None else data)})


@pytest.fixture
def image_id(client: TestClient) -> str:
    identifier: str = upload(client).json()["id"]
    return identifier
