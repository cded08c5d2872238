"""The log format of all processes."""

import logging

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logging(level: str) -> None:
    """Log to stderr from this level on; chatty libraries only from WARNING on."""
    logging.basicConfig(level=level.upper(), format=_FORMAT)
    for library in ("httpx", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)
