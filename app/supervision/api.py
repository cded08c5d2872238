"""The API process: ``python -m app.supervision.api FD``, with a listening socket inherited as FD."""

import socket
import sys

import uvicorn

from app.parent_watch import exit_with_parent
from app.settings import get_settings

# Requests still open at the end are event streams, whose readers come back by themselves.
_GOODBYE_SECONDS = 2


def main() -> None:
    """Serve until SIGTERM, or until the supervisor is gone."""
    exit_with_parent()
    settings = get_settings()
    listener = socket.socket(fileno=int(sys.argv[1]))
    config = uvicorn.Config(
        "app.main:create_app",
        factory=True,
        log_level="debug" if settings.log_level.upper() == "DEBUG" else "warning",
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
