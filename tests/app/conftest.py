"""Fixtures that tests of the HTTP service and of its clients share."""

import threading
from collections.abc import Iterator

import pytest
import uvicorn
from sqlalchemy import Engine

from app.jobs.database import make_engine
from app.main import create_app
from app.settings import Settings


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    """The URL of a service on a real socket: the test client cannot read what never ends."""
    config = uvicorn.Config(create_app(settings), port=0, log_level="warning")
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
