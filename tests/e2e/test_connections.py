"""How many connections to PostgreSQL a service needs."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from app.database.engine import WATCH_CONNECTIONS, WORKER_CONNECTIONS
from app.kinds import all_lanes
from app.settings import Settings
from tests.support.deployment import deployed, shown_logs
from tests.support.postgres import PostgresServer

# What PostgreSQL has by default, less what it keeps for superusers.
AVAILABLE = 97


def needed(apis: int, workers: int, *, lanes: int, devices: int = 1) -> int:
    """Connections of so many APIs and `impasto worker`s at most: docs/deployment.md has the same."""
    a_process = WATCH_CONNECTIONS + WORKER_CONNECTIONS
    a_worker = WATCH_CONNECTIONS + devices * lanes * a_process
    return apis * Settings().database_connections + workers * a_worker


def test_two_apis_and_eight_workers_fit_into_what_postgresql_has() -> None:
    assert needed(2, 8, lanes=len(all_lanes())) <= AVAILABLE


@pytest.mark.slow
@pytest.mark.server
def test_a_service_under_load_has_no_more_connections_than_that(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    try:
        with shown_logs(deployed("celery", tmp_path, postgres_server, IMPASTO_LANES="long")) as service:
            database = str(service.engine.url.database)
            # Of this process.
            service.engine.dispose()
            most, ended = 0, threading.Event()
            count = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"

            def look() -> None:
                nonlocal most
                with psycopg.connect(postgres_server.url, autocommit=True) as connection:
                    while not ended.wait(0.01):
                        row = connection.execute(count, [database]).fetchone()
                        most = max(most, 0 if row is None else int(row[0]))

            watch = threading.Thread(target=look)
            watch.start()
            job_ids = [service.paint(size=32, steps=2) for _ in range(4)]

            def ask(number: int) -> int:
                url = f"{service.url}/v1/jobs?limit={number % 50 + 1}"
                return httpx.get(url, timeout=60, trust_env=False).status_code

            with ThreadPoolExecutor(40) as pool:
                statuses = list(pool.map(ask, range(400)))
            for job_id in job_ids:
                assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
            ended.set()
            watch.join()
            assert set(statuses) == {200}
            assert 2 < most <= needed(1, 1, lanes=1)
    except FileNotFoundError as error:
        pytest.skip(str(error))
