"""How the processes of the service log."""

import logging

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logging(level: str) -> None:
    """Log to stderr from a level on, without what libraries say of their everyday work."""
    logging.basicConfig(level=level.upper(), format=_FORMAT)
    for library in ("httpx", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)
