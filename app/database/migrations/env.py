"""Runs the migrations. Alembic executes this file; nothing imports it."""

import logging

from alembic import context
from sqlalchemy import Connection, text

from app.database.engine import make_engine
from app.database.metadata import metadata
from app.database.schema import refuse_newer

log = logging.getLogger("app.database.migrations")

# Key of an advisory lock, any number: two machines that start at once must not both migrate.
LOCK = 4_602_681


def run() -> None:
    engine = make_engine(context.config.attributes["url"], statement_seconds=0)
    try:
        with engine.execution_options(impasto_write=True).connect() as connection, connection.begin():
            _migrate(connection)
    finally:
        engine.dispose()


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        free = text("SELECT pg_try_advisory_xact_lock(:lock)")
        if not connection.execute(free, {"lock": LOCK}).scalar_one():
            log.warning("waiting for another process, which migrates the database")
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    refuse_newer(connection)
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    context.run_migrations()


run()
