"""Fixtures that tests of the HTTP service and of its clients share."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.database.engine import make_engine
from app.http.services import Services
from app.settings import Settings
from tests.support.apps import lent_app
from tests.support.problems import check_documented
from tests.support.strange_pictures import plain


@pytest.fixture
def app(settings: Settings) -> Iterator[FastAPI]:
    """The app behind ``address``."""
    with lent_app(settings) as app:
        yield app


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """The URL of a service on a real socket: the test client cannot read what never ends."""
    config = uvicorn.Config(app, port=0, log_level="warning")
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    # From here on whoever connects waits until the service is up.
    listener.listen(100)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    host, port = listener.getsockname()
    yield f"http://{host}:{port}"
    server.should_exit = server.force_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def database(settings: Settings, address: str) -> Iterator[Engine]:
    """The database of the service at ``address``."""
    engine = make_engine(settings.resolved_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The real service on a fresh SQLite database, without workers.

    Every problem that it answers with must be documented for its route.
    """
    with serving(settings) as client:
        yield client


@contextmanager
def serving(settings: Settings) -> Iterator[TestClient]:
    """A client of the service that checks each problem."""
    with lent_app(settings) as app, TestClient(app) as client:
        client.event_hooks["response"] = [lambda response: check_documented(app, response)]
        yield client


@pytest.fixture
def services(client: TestClient) -> Services:
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    return services


def upload(client: TestClient, data: bytes | None = None, name: str = "a.png") -> Any:
    """The answer to the upload of a picture."""
    return client.post("/v1/images", files={"image": (name, plain() if data is None else data)})


@pytest.fixture
def image_id(client: TestClient) -> str:
    identifier: str = upload(client).json()["id"]
    return identifier
