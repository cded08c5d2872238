"""The API process: ``python -m app.supervision.api FD``, with a listening socket inherited as FD."""

import gc
import socket
import sys

import uvicorn
from fastapi import FastAPI

from app.settings import Settings, get_settings
from app.supervision.logs import configure_logging
from app.supervision.parent_watch import exit_with_parent

# Requests still open at the end are event streams, whose readers come back by themselves.
_GOODBYE_SECONDS = 2


def configuration(settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the service of the environment's settings."""
    return uvicorn.Config(
        application,
        factory=True,
        log_level="debug" if settings.log_level.upper() == "DEBUG" else "warning",
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
        server_header=False,
    )


def application() -> FastAPI:
    """The service of the environment's settings, in a process that does nothing else."""
    # The command line imports this module for other commands too, which need not wait for it.
    from app.main import create_app

    app = create_app()
    # None of this is ever garbage. Looking through it would hold up every request for 60 ms now and then.
    gc.collect()
    gc.freeze()
    return app


def main() -> None:
    """Serve until SIGTERM, or until the supervisor is gone."""
    exit_with_parent()
    settings = get_settings()
    configure_logging(settings.log_level)
    listener = socket.socket(fileno=int(sys.argv[1]))
    uvicorn.Server(configuration(settings)).run(sockets=[listener])


if __name__ == "__main__":
    main()
