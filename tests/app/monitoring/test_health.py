"""What `/readyz` says of the database."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.database.engine import write
from app.http.services import Services
from tests.support.databases import leave_to_a_newer_release


def status(client: TestClient) -> str:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    return str(answer.json()["status"])


@pytest.mark.medium
def test_tables_of_another_release_are_named_as_they_are(client: TestClient, services: Services) -> None:
    assert status(client) == "no worker"
    leave_to_a_newer_release(services.engine)
    assert status(client) == "database of a newer release"
    leave_to_a_newer_release(services.engine, "0011")
    assert status(client) == "database of an older release"
    with write(services.engine) as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    assert status(client) == "database without tables"
