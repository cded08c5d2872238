"""Runs the migrations. Alembic executes this file; nothing imports it."""

from alembic import context
from sqlalchemy import text

from app.database.engine import make_engine
from app.database.metadata import metadata

# Key of an advisory lock, any number: two machines that start at once must not both migrate.
LOCK = 4_602_681


def run() -> None:
    engine = make_engine(context.config.attributes["url"])
    with engine.execution_options(impasto_write=True).connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            transactional_ddl=True,
        )
        context.run_migrations()
    engine.dispose()


run()
