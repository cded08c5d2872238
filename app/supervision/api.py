"""The API process: ``python -m app.supervision.api FD``, with a listening socket inherited as FD."""

import asyncio
import gc
import logging
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from app.settings import Settings, get_settings
from app.supervision.logs import configure_logging
from app.supervision.parent_watch import exit_with_parent

if TYPE_CHECKING:
    from fastapi import FastAPI

# Requests still open then are event streams, whose readers reconnect.
_GRACEFUL_SECONDS = 2


def only_problems(record: logging.LogRecord) -> bool:
    """Whether a record of uvicorn is of something else than event streams that ended with the service."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and not str(record.msg).startswith(
        "Cancel %s running"
    )


def configuration(settings: Settings) -> uvicorn.Config:
    """The configuration of uvicorn for these settings."""
    return uvicorn.Config(
        partial(application, settings),
        factory=True,
        log_level="debug" if settings.log_level.upper() == "DEBUG" else "warning",
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        server_header=False,
    )


def application(settings: Settings) -> "FastAPI":
    """The application, in a process that does nothing else."""
    # The command line imports this module for other commands too; they need not wait for this import.
    from app.main import create_app

    app = create_app(settings)
    # None of this becomes garbage, and each full collection would block all requests for 60 ms.
    gc.collect()
    gc.freeze()
    return app


def main() -> None:
    """Serve until SIGTERM, or until the supervisor is gone."""
    exit_with_parent()
    settings = get_settings()
    configure_logging(settings.log_level)
    listener = socket.socket(fileno=int(sys.argv[1]))
    server = uvicorn.Server(configuration(settings))
    logging.getLogger("uvicorn.error").addFilter(only_problems)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
