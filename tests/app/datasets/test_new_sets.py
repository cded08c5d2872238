"""A set that a job is to fill is written with the job, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from app.http.services import Services
from tests.app.datasets.conftest import URL, send, stored_files
from tests.support.zips import class_folders, zipped


@contextmanager
def away_from(engine: Engine, beginning: str) -> Iterator[None]:
    """The database goes away at the first statement that begins so."""
    is_away = False

    def refuse(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal is_away
        is_away = is_away or statement.startswith(beginning)
        if is_away:
            raise OperationalError(statement, {}, Exception("the database is away"))

    event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


def by_archive(client: TestClient) -> Any:
    return send(client, zipped(class_folders(robin=1)), name="birds")


def by_source(client: TestClient) -> Any:
    body = {"source": "palette", "name": "birds", "count": 1}
    return client.post(URL, json=body)


@pytest.mark.parametrize("make", [by_archive, by_source])
def test_no_empty_set_stays_of_a_database_that_went_away(
    client: TestClient, services: Services, make: Any
) -> None:
    with away_from(services.engine, "INSERT INTO jobs"):
        assert make(client).status_code == 503
    assert client.get(URL).json()["items"] == []
    made = make(client)
    assert made.status_code == 202, made.text
    (dataset,) = client.get(URL).json()["items"]
    assert (dataset["name"], dataset["created_at"]) == ("birds", made.json()["created_at"])
    assert dataset["jobs"] == made.json()["jobs"] != []
    again = make(client)
    if make is by_archive:
        assert (again.status_code, again.json()["type"]) == (409, "dataset_name_taken"), again.text
    else:
        assert again.json()["id"] == dataset["id"]
    # Those of the upload that was cut off are deleted a day later.
    assert len(stored_files(client)) <= 2
