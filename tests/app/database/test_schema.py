"""Databases of other releases: empty, older and newer ones."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.database.engine import UNAVAILABLE, make_engine, read, write
from app.database.migrations import configuration, upgrade
from app.database.schema import SchemaMismatch, require_current, revisions, schema_of
from tests.support.databases import leave_to_a_newer_release
from tests.support.postgres import PostgresServer

FUTURE = "9999"


def test_a_migrated_database_is_current(engine: Engine) -> None:
    schema = schema_of(engine)
    assert schema.state == "current" and schema.revision == schema.newest
    require_current(engine)


def test_the_revisions_are_those_that_alembic_runs() -> None:
    scripts = ScriptDirectory.from_config(configuration(""))
    assert revisions() == [each.revision for each in scripts.walk_revisions()][::-1]
    assert revisions()[-1] == scripts.get_current_head()


def test_an_empty_database_is_told_from_an_older_one_and_left_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    engine = make_engine(url)
    assert schema_of(engine).state == "empty"
    with pytest.raises(SchemaMismatch, match=r"no tables yet.*impasto api"):
        require_current(engine)
    command.upgrade(configuration(url), "0003")
    schema = schema_of(engine)
    assert (schema.state, schema.revision) == ("older", "0003")
    with pytest.raises(SchemaMismatch, match=rf"revision 0003.*those of {schema.newest}.*impasto api"):
        require_current(engine)
    assert schema_of(engine).revision == "0003"
    upgrade(url)
    require_current(engine)
    engine.dispose()


def test_a_newer_database_is_refused_and_no_migration_touches_it(engine: Engine, database_url: str) -> None:
    leave_to_a_newer_release(engine)
    told = rf"revision {FUTURE}.*knows none after \d+.*newer release"
    with pytest.raises(SchemaMismatch, match=told):
        require_current(engine)
    with pytest.raises(SchemaMismatch, match=told):
        upgrade(database_url)
    assert schema_of(engine).revision == FUTURE


def test_a_statement_that_cannot_run_is_no_database_that_is_away(engine: Engine) -> None:
    for wrong in ("SELECT * FROM nowhere", "SELECT nothing FROM jobs", "SELECT FROM WHERE"):
        with pytest.raises(ProgrammingError), read(engine) as connection:
            connection.execute(text(wrong))


def test_a_locked_file_is_one_that_is_away(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    upgrade(url)
    engine, other = make_engine(url), make_engine(url)
    with write(engine), other.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=0")
        with pytest.raises(OperationalError, match="locked") as raised:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    assert isinstance(raised.value, UNAVAILABLE)
    engine.dispose()
    other.dispose()


@pytest.mark.server
def test_processes_that_start_together_migrate_once(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url:
        with ThreadPoolExecutor(1) as pool:
            engine = make_engine(url)
            # The lock that a process holds while it migrates.
            with write(engine) as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(4602681)"))
                waiting = pool.submit(upgrade, url)
                with pytest.raises(TimeoutError):
                    waiting.result(1)
                assert inspect(connection).get_table_names() == []
            waiting.result(60)
        require_current(engine)
        upgrade(url)
        require_current(engine)
        engine.dispose()
