"""Fixtures of the tests of the Python client."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from impasto_client import AsyncClient, Client
from tests.support.client import QUICK, Ask
from tests.support.flaky_server import FlakyServer
from tests.support.service import Service, running


@pytest.fixture
def server() -> Iterator[FlakyServer]:
    """A server that answers as it is told."""
    with FlakyServer().running() as running:
        yield running


@pytest.fixture(params=["blocking", "asynchronous"])
def ask(request: pytest.FixtureRequest, server: FlakyServer) -> Iterator[Ask]:
    """Either client of that server, both used alike."""
    if request.param == "blocking":
        with Client(server.url, retries=QUICK) as client:
            yield lambda use: use(client)
        return
    with asyncio.Runner() as runner:
        waiting = AsyncClient(server.url, retries=QUICK)

        async def settle(use: Callable[[Any], Any]) -> Any:
            value = use(waiting)
            if inspect.isawaitable(value):
                return await value
            return value

        yield lambda use: runner.run(settle(use))
        runner.run(waiting.close())


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A real service, for all tests of the client."""
    with running(tmp_path_factory.mktemp("service") / "data") as service:
        yield service
