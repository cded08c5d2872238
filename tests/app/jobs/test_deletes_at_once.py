"""A job that is deleted by one process while another one deletes or needs it, on SQLite and PostgreSQL.

Two services of their own on one database and one folder, each answer a documented one.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.batches.scrub import missing_files, unknown_files
from app.http.services import Services
from app.jobs.claims import finish
from app.jobs.job import Artifact
from app.jobs.states import State
from app.settings import Settings
from tests.app.conftest import serving, upload
from tests.support.claiming import claim_by_id

pytestmark = pytest.mark.medium

URL = "/v1/style-transfer"
ROUNDS = 12
Request = Callable[[TestClient], Any]


@dataclass
class Pair:
    """Two services, and the id of a picture that both have."""

    clients: tuple[TestClient, TestClient]
    services: Services
    image_id: str

    def at_once(self, first: Request, second: Request) -> tuple[Any, Any]:
        """The answers of the two services to requests that come at one moment."""
        together = threading.Barrier(2)

        def send(client: TestClient, request: Request) -> Any:
            together.wait(30)
            return request(client)

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(send, self.clients, (first, second)))
        return answers[0], answers[1]

    def ended_job(self) -> str:
        """A job that has succeeded, with a picture and the state to go on from."""
        params = {"content": self.image_id, "style": self.image_id}
        job_id: str = self.clients[0].post(URL, json=params).json()["id"]
        claim = claim_by_id(self.services.engine, job_id)
        assert claim is not None
        made = []
        for name, ending, media_type in (
            ("image", "png", "image/png"),
            ("state", "safetensors", "application/octet-stream"),
        ):
            stored = self.services.storage.put(f"jobs/{job_id}/1/{name}.{ending}", name.encode())
            made.append(Artifact(job_id, name, stored.key, media_type, stored.bytes, stored.sha256))
        finish(self.services.engine, claim, State.SUCCEEDED, made=made)
        return job_id

    def check(self) -> None:
        """No row is without its file, and no file without its row."""
        engine, storage = self.services.engine, self.services.storage
        assert [damage for page in missing_files(engine, storage) for damage in page] == []
        assert unknown_files(engine, storage, older_than=-1.0) == ([], [])

    def state_of(self, job_id: str) -> int:
        """The status of a request for a job."""
        return self.clients[0].get(f"/v1/jobs/{job_id}").status_code


@pytest.fixture
def pair(database_url: str, tmp_path: Path) -> Iterator[Pair]:
    settings = Settings(
        data_dir=tmp_path / "data", database_url=database_url, port=0, allowed_hosts="testserver"
    )
    with serving(settings) as first, serving(settings) as second:
        services: Services = first.app.state.services  # type: ignore[attr-defined]
        yield Pair((first, second), services, upload(first).json()["id"])


def test_a_job_is_deleted_once(pair: Pair) -> None:
    for _ in range(ROUNDS):
        url = f"/v1/jobs/{pair.ended_job()}"
        answers = pair.at_once(lambda client: client.delete(url), lambda client: client.delete(url))  # noqa: B023
        assert sorted(answer.status_code for answer in answers) == [204, 404]
        pair.check()
        assert pair.clients[0].get(url).status_code == 404


@pytest.mark.parametrize("param", ["content", "continue_from"])
def test_a_job_is_deleted_or_needed(pair: Pair, param: str) -> None:
    for _ in range(ROUNDS):
        job_id = pair.ended_job()
        value = job_id if param == "continue_from" else f"{job_id}/image"
        params = {param: value, "style": pair.image_id}
        deleted, made = pair.at_once(
            lambda client: client.delete(f"/v1/jobs/{job_id}"),  # noqa: B023
            lambda client: client.post(URL, json=params),  # noqa: B023
        )
        pair.check()
        if made.status_code == 202:
            assert deleted.status_code == 409 and deleted.json()["type"] == "job_in_use", deleted.text
            assert pair.state_of(job_id) == 200
            needing = made.json()["id"]
            assert pair.clients[1].post(f"/v1/jobs/{needing}/cancel").status_code == 200
        else:
            assert made.status_code == 422 and made.json()["errors"][0]["field"] == param, made.text
            assert deleted.status_code == 204 and pair.state_of(job_id) == 404


def test_a_job_is_deleted_while_it_is_tried_again_and_its_picture_is_fetched(pair: Pair) -> None:
    for number in range(ROUNDS):
        job_id = pair.ended_job()
        deleted, again = pair.at_once(
            lambda client: client.delete(f"/v1/jobs/{job_id}"),  # noqa: B023
            (lambda client: client.post(f"/v1/jobs/{job_id}/retry"))  # noqa: B023
            if number % 2
            else (lambda client: client.get(f"/v1/jobs/{job_id}/artifacts/image")),  # noqa: B023
        )
        pair.check()
        assert deleted.status_code == 204 and pair.state_of(job_id) == 404
        assert again.status_code in ((202, 404) if number % 2 else (200, 404)), again.text
