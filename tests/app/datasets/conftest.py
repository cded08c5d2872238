"""What tests of sets over HTTP share."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.http.services import Services
from app.settings import Settings
from worker.runtime.context import make_context
from worker.runtime.run_job import run_next

URL = "/v1/datasets"


@pytest.fixture
def work(settings: Settings, client: TestClient) -> Iterator[Callable[[], None]]:
    """Runs the jobs that wait, to their ends."""
    context = make_context(settings, "w1", "cpu")

    def run() -> None:
        while run_next(context, ["short", "long"], threading.Event()):
            pass

    yield run
    context.engine.dispose()


def send(client: TestClient, data: bytes, url: str = URL, labels: bytes | None = None, **params: Any) -> Any:
    files = {"file": ("a.zip", data)}
    if labels is not None:
        files["labels"] = ("labels.csv", labels)
    return client.post(url, files=files, data={"params": json.dumps(params)})


def members(client: TestClient, name: str, **query: Any) -> list[tuple[str, str | None]]:
    items = client.get(f"{URL}/{name}/members", params=query).json()["items"]
    return [(item["name"], item["label"]) for item in items]


def stored_files(client: TestClient) -> list[Path]:
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    return [path for path in (services.settings.data_dir / "files").rglob("*") if path.is_file()]
