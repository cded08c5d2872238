"""The API process: ``python -m app.supervision.api FD``, with a listening socket inherited as FD."""

import socket
import sys

import uvicorn

from app.parent_watch import exit_with_parent
from app.settings import Settings, get_settings
from app.supervision.logs import configure_logging

# Requests still open at the end are event streams, whose readers come back by themselves.
_GOODBYE_SECONDS = 2


def configuration(settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the service of the environment's settings."""
    return uvicorn.Config(
        "app.main:create_app",
        factory=True,
        log_level="debug" if settings.log_level.upper() == "DEBUG" else "warning",
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
        server_header=False,
    )


def main() -> None:
    """Serve until SIGTERM, or until the supervisor is gone."""
    exit_with_parent()
    settings = get_settings()
    configure_logging(settings.log_level)
    listener = socket.socket(fileno=int(sys.argv[1]))
    uvicorn.Server(configuration(settings)).run(sockets=[listener])


if __name__ == "__main__":
    main()
