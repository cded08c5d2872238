"""``impasto serve``: the service on this machine; ``impasto api``, ``impasto worker``: its parts on many."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError, DatabaseError

from app.cli.messages import USAGE, fail, fail_on, say, settings_problems
from app.database.engine import UNAVAILABLE, make_engine, reason_of
from app.database.migrations import upgrade
from app.database.schema import SchemaMismatch
from app.jobs.stored_files import WrongDataFolder, require_files
from app.settings import Settings
from app.supervision.api import command
from app.supervision.logs import configure_logging
from app.supervision.startup import StartError, claim_data_dir, listen
from app.supervision.supervisor import Supervisor

Host = Annotated[
    str | None, typer.Option(help="Address to listen on; IMPASTO_HOST, or 127.0.0.1.", show_default=False)
]
Port = Annotated[
    int | None, typer.Option(help="Port; IMPASTO_PORT, or 8000. 0 picks one.", show_default=False)
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="The service's data folder; IMPASTO_DATA_DIR, or ./data.", show_default=False),
]


def serve(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Start the service: the page, the REST interface and a worker. Ctrl-C stops it."""
    settings = read_settings(host=host, port=port, data_dir=data_dir)
    configure_logging(settings.log_level, settings.log_format)
    try:
        with claim_data_dir(settings.data_dir), listen(settings.host, settings.port) as listener:
            supervisor = Supervisor(
                settings,
                listener,
                on_ready=lambda url: say(f"Ready: open {url} in a browser. Ctrl-C stops everything."),
            )
            say(f"Impasto starts at {supervisor.url}")
            say(f"The data is in {settings.data_dir}")
            code = supervise(supervisor)
    except StartError as error:
        fail(str(error), USAGE)
    say("Stopped.")
    raise typer.Exit(code)


def api(host: Host = None, port: Port = None) -> None:
    """Start only the page and the REST interface; workers run elsewhere, over Redis."""
    settings = _settings_of_a_cluster(host=host, port=port)
    configure_logging(settings.log_level, settings.log_format)
    try:
        listener = listen(settings.host, settings.port)
    except StartError as error:
        fail(str(error), USAGE)
    with failing_on_unusable_data():
        upgrade(settings.resolved_database_url)
        _require_files(settings)
    listener.set_inheritable(True)
    # Another program in this process: what the command line and migrations load would stay, 27 MB.
    os.execv(sys.executable, command(listener, settings))  # noqa: S606


def worker(
    device: Annotated[
        str | None,
        typer.Option(
            help="auto (all GPUs), cpu, mps, cuda:0, or several with commas; IMPASTO_DEVICE.",
            show_default=False,
        ),
    ] = None,
    lanes: Annotated[
        str | None,
        typer.Option(help="Lanes to serve, with commas; IMPASTO_LANES, or all.", show_default=False),
    ] = None,
) -> None:
    """Run jobs from Redis: one process for each device and lane. Ctrl-C stops it with checkpoints."""
    settings = _settings_of_a_cluster(device=device, lanes=lanes)
    configure_logging(settings.log_level, settings.log_format)
    try:
        supervisor = Supervisor(settings, None)
    except StartError as error:
        fail(str(error), USAGE)
    raise typer.Exit(supervise(supervisor))


def _settings_of_a_cluster(**flags: object) -> Settings:
    settings = read_settings(**flags)
    if settings.redis_url is None:
        fail(
            "IMPASTO_REDIS_URL is not set: this command is for a service on many machines, over Redis. "
            "On one machine use: impasto serve",
            USAGE,
        )
    if not settings.shares_database:
        # SQLite's write-ahead log is memory that processes share, and no network folder has that.
        fail(
            "IMPASTO_REDIS_URL is set, and IMPASTO_DATABASE_URL names no PostgreSQL: API and workers on many "
            "machines need one that they share. Set it to postgresql://..., or use on one machine, without "
            "Redis: impasto serve",
            USAGE,
        )
    return settings


def _require_files(settings: Settings) -> None:
    engine = make_engine(settings.resolved_database_url)
    try:
        require_files(settings, engine)
    finally:
        engine.dispose()


def supervise(supervisor: Supervisor) -> int:
    """Run a supervisor to its end; its exit code. One line if its data cannot be used."""
    with failing_on_unusable_data():
        return supervisor.run()


@contextmanager
def failing_on_unusable_data() -> Iterator[None]:
    """Exit with one line if the database cannot be used, is of another release, or its files are away."""
    try:
        yield
    except (SchemaMismatch, WrongDataFolder) as error:
        fail(str(error), USAGE)
    except UNAVAILABLE as error:
        reason = " ".join(reason_of(error).split())
        fail(f"The database cannot be used now (IMPASTO_DATABASE_URL): {reason}", USAGE)
    except DatabaseError as error:
        # As of a damaged file.
        reason = " ".join(reason_of(error).split())
        fail(f"The database cannot be used (IMPASTO_DATABASE_URL): {reason}", USAGE)
    except ArgumentError as error:
        fail(f"The database cannot be used (IMPASTO_DATABASE_URL): {' '.join(str(error).split())}", USAGE)


def read_settings(**flags: Any) -> Settings:
    """The settings of the environment, overridden by the flags that were given."""
    try:
        settings = Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        fail_on(settings_problems(error))
    return settings.model_copy(update={"data_dir": settings.data_dir.resolve()})
