"""A database of an earlier version, migrated with the jobs in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, text

from app.database.engine import make_engine, read, write
from app.database.migrations import configuration, upgrade
from app.jobs import claims, reaper, repository
from app.jobs.needs import users_of
from app.jobs.states import State
from app.kinds import KINDS
from app.networks.catalogue import SHIPPED, Catalogue
from app.workers import repository as workers
from tests.support.postgres import PostgresServer

PARAMS = (
    KINDS["style_transfer"]
    .params.model_validate({"content": "a", "style": "b"})
    .resolve(SHIPPED)
    .model_dump(mode="json")
)
CHECKPOINT = {"key": "jobs/running/work/2-7.safetensors", "done": 7}
JOBS: list[dict[str, Any]] = [
    {"id": "queued", "state": "queued"},
    {
        "id": "running",
        "state": "running",
        "attempt": 2,
        "strikes": 1,
        "owner": "host:w1",
        "checkpoint": CHECKPOINT,
    },
    {"id": "ended", "state": "succeeded", "attempt": 1, "result": {"recipe": {"params": PARAMS}}},
]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def url_of_0003(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database at revision 0003."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
        command.upgrade(configuration(url), "0003")
        yield url
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        command.upgrade(configuration(url), "0003")
        yield url


def fill(engine: Engine) -> None:
    """Jobs of each state with what belongs to them, and a worker, in the columns of revision 0003."""
    blank = {"attempt": 0, "strikes": 0, "owner": None, "checkpoint": None, "result": None}
    with write(engine) as connection:
        for job in JOBS:
            values = {**blank, **job, "params": PARAMS}
            connection.execute(
                text(
                    "INSERT INTO jobs (id, kind, lane, state, seq, params, paused, attempt, strikes, owner,"
                    " lease_until, created_at, hinted_at, checkpoint, result)"
                    " VALUES (:id, 'style_transfer', 'long', :state, 1, :params, false, :attempt, :strikes,"
                    " :owner, 1.0, 1.0, 1.0, :checkpoint, :result)"
                ),
                {
                    name: json.dumps(value) if isinstance(value, dict) else value
                    for name, value in values.items()
                },
            )
            for statement in (
                "INSERT INTO artifacts VALUES (:id, 'image', 'key', 'image/png', 3, '00')",
                "INSERT INTO job_events VALUES (:id, 1, 'state', '{}', 1.0)",
                "INSERT INTO job_pictures VALUES (:id, 'a')",
            ):
                connection.execute(text(statement), {"id": job["id"]})
        connection.execute(
            text("INSERT INTO workers VALUES ('host:w1', '[\"long\"]', 'cpu', 'host', 1, 1.0, 1.0)")
        )


def test_a_database_of_0003_keeps_its_jobs_and_their_rows(url_of_0003: str) -> None:
    engine = make_engine(url_of_0003)
    fill(engine)
    upgrade(url_of_0003)
    found = {job.id: job for job in repository.list_jobs(engine, limit=9)}
    assert {job.id: str(job.state) for job in found.values()} == {job["id"]: job["state"] for job in JOBS}
    running = found["running"]
    assert (running.worker_id, running.lost_attempts, running.attempt) == ("host:w1", 1, 2)
    assert running.checkpoint == CHECKPOINT
    for job in found.values():
        assert job.params == PARAMS
        assert (job.network, job.network_sha256) == (None, None)
        assert repository.get_artifact(engine, job.id, "image") is not None
        assert [event.seq for event in repository.list_events(engine, job.id)] == [1]
    with read(engine) as connection:
        assert users_of(connection, ["a"]) == ["queued", "running"]
    ended = found["ended"].result
    assert ended is not None
    recipe = KINDS["style_transfer"].params.model_validate(ended["recipe"]["params"])
    assert Catalogue(engine).names() == SHIPPED.names()
    assert recipe.resolve(SHIPPED).model_dump(mode="json") == PARAMS
    engine.dispose()


def test_jobs_of_a_database_of_0003_go_on(url_of_0003: str) -> None:
    engine = make_engine(url_of_0003)
    fill(engine)
    upgrade(url_of_0003)
    assert [worker.worker_id for worker in workers.children_of(engine, "host:w1")] == ["host:w1"]
    (lost,) = reaper.expire_worker(engine, "host:w1", max_attempts=3)
    assert (lost.id, lost.state, lost.lost_attempts) == ("running", State.QUEUED, 2)
    claimed = [claims.claim_next(engine, "w2", ["long"], 30) for _ in range(3)]
    assert [claim.job.id for claim in claimed if claim] == ["queued", "running"]
    engine.dispose()


def test_the_renames_can_be_undone(url_of_0003: str) -> None:
    engine = make_engine(url_of_0003)
    fill(engine)
    upgrade(url_of_0003)
    command.downgrade(configuration(url_of_0003), "0003")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, owner, strikes FROM jobs ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [
        ("ended", None, 0),
        ("queued", None, 0),
        ("running", "host:w1", 1),
    ]
    engine.dispose()
