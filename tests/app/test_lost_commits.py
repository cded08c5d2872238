"""A commit whose answer is lost: what was made is there, whole, and the same request again gets it."""

from http import HTTPStatus
from typing import Any

import pytest

from app.batches.scrub import missing_files
from app.http.services import Services
from app.settings import Settings
from tests.app.conftest import serving
from tests.app.http.test_idempotency import KEY, LINES, SETS, archive, network, picture
from tests.support.lost_commits import losing_commits
from tests.support.postgres import PostgresServer


@pytest.mark.server
@pytest.mark.parametrize(
    ("path", "options", "table", "folder"),
    [
        ("/v1/deep-dream", picture("a.png", 1), "jobs", "images"),
        ("/v1/images", picture("a.png", 1), "images", "images"),
        ("/v1/networks", network("small"), "networks", "networks"),
        (SETS, archive(1, params='{"name": "birds"}'), "jobs", "jobs"),
        ("/v1/batches", {"content": LINES}, "batches", "batches"),
    ],
)
def test_what_was_made_keeps_its_files(
    postgres_server: PostgresServer,
    settings: Settings,
    path: str,
    options: dict[str, Any],
    table: str,
    folder: str,
) -> None:
    headers = {**KEY, **({"Content-Type": "application/x-ndjson"} if "content" in options else {})}
    with (
        postgres_server.database(migrated=True) as url,
        losing_commits(url) as thief,
        serving(settings.model_copy(update={"database_url": thief.url})) as client,
    ):
        services: Services = client.app.state.services  # type: ignore[attr-defined]
        thief.arm(table)
        lost = client.post(path, headers=headers, **options)
        assert lost.status_code == HTTPStatus.SERVICE_UNAVAILABLE, lost.text
        assert thief.taken.is_set()
        again = client.post(path, headers=headers, **options)
        assert again.is_success, again.text
        assert [each for page in missing_files(services.engine, services.storage) for each in page] == []
        # Those of the request whose answer was lost, and no more.
        assert len([key for key in services.storage.list_keys(folder) if "/thumbnails/" not in key]) == 1
