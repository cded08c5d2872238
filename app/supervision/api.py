"""The API process: ``python -m app.supervision.api FD``, with a listening socket inherited as FD."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from app.database.engine import UNAVAILABLE, reason_of
from app.database.schema import SchemaMismatch
from app.jobs.stored_files import WrongDataFolder
from app.settings import Settings, get_settings
from app.supervision.child import python_command
from app.supervision.logs import configure_logging
from app.supervision.parent_watch import exit_with_parent
from app.supervision.readiness import say_ready

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger("app.supervision.api")

# Requests still open then are event streams, whose readers reconnect.
_GRACEFUL_SECONDS = 2


def only_problems(record: logging.LogRecord) -> bool:
    """Whether a record of uvicorn is of something else than event streams that ended with the service."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and not str(record.msg).startswith(
        "Cancel %s running"
    )


class Server(uvicorn.Server):
    """Serves an application, and tells its supervisor once it does.

    Requests that wait for a job are answered when it stops.
    """

    def __init__(self, configuration: uvicorn.Config, application: "FastAPI") -> None:
        super().__init__(configuration)
        self._application = application

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            say_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listening sockets, and wait a little for the requests that are open."""
        self._application.state.services.notifier.stop_waiting()
        await super().shutdown(sockets)


def make_server(settings: Settings, application: "FastAPI") -> Server:
    """A server of an application that was made for these settings."""
    logging.getLogger("uvicorn.error").addFilter(only_problems)
    configuration = uvicorn.Config(
        application,
        # Its loggers have no handlers of their own then, and write as all others do.
        log_config=None,
        log_level="debug" if settings.log_level == "DEBUG" else "warning",
        # The application logs requests itself.
        access_log=False,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        server_header=False,
    )
    return Server(configuration, application)


def make_application(settings: Settings) -> "FastAPI":
    """The application, in a process that does nothing else. Migrates the database.

    Raises SchemaMismatch, WrongDataFolder, one of UNAVAILABLE.
    """
    # The command line imports this module for other commands too; they need not wait for this import.
    from app.main import create_app

    app = create_app(settings)
    # None of this becomes garbage, and each full collection would block all requests for 60 ms.
    gc.collect()
    gc.freeze()
    return app


def command(listener: socket.socket, settings: Settings) -> list[str]:
    """The command that serves on a listening socket that it inherits."""
    return python_command("app.supervision.api", str(listener.fileno()), "--host", settings.host)


def main() -> None:
    """Serve until SIGTERM or SIGINT, or until the supervisor is gone."""
    exit_with_parent()
    # Uvicorn raises it again after a clean shutdown.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(os.EX_OK))
    parser = argparse.ArgumentParser()
    parser.add_argument("listener", type=int)
    parser.add_argument("--host", help="what a flag has set in the place of the environment")
    arguments = parser.parse_args()
    settings = get_settings()
    changes = {"data_dir": settings.data_dir.resolve(), "host": arguments.host or settings.host}
    settings = settings.model_copy(update=changes)
    configure_logging(settings.log_level, settings.log_format)
    listener = socket.socket(fileno=arguments.listener)
    try:
        application = make_application(settings)
    except (SchemaMismatch, WrongDataFolder) as error:
        log.error("%s", error)
        sys.exit(os.EX_CONFIG)
    except UNAVAILABLE as error:
        log.error("the database is unavailable: %s", reason_of(error))
        sys.exit(os.EX_UNAVAILABLE)
    make_server(settings, application).run(sockets=[listener])


if __name__ == "__main__":
    main()
