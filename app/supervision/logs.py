"""The log format of all processes."""

import logging
import time

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


# A loop that waits for a database, say, warns of it once in this time.
_REPEAT_SECONDS = 30.0


class RepeatFilter(logging.Filter):
    """Drops a warning whose text was logged a short time before, by the same logger."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        if record.levelno != logging.WARNING:
            return True
        now, key = time.monotonic(), (record.name, record.getMessage())
        self._logged = {k: t for k, t in self._logged.items() if now - t < _REPEAT_SECONDS}
        if key in self._logged:
            return False
        self._logged[key] = now
        return True


def configure_logging(level: str) -> None:
    """Log to stderr from this level on; chatty libraries only from WARNING on."""
    logging.basicConfig(level=level.upper(), format=_FORMAT)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatFilter())
    for library in ("httpx", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)
