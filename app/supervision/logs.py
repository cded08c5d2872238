"""The log format of all processes."""

import json
import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from app.log_context import FIELDS, log_fields

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

# A loop that waits for a database, say, warns of it once in this time.
_REPEAT_SECONDS = 30.0

Format = Literal["text", "json"]


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


class TextFormatter(logging.Formatter):
    """A line of text, which ends with the ids of what it is about where its message does not name them."""

    def __init__(self) -> None:
        super().__init__(_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without a traceback."""
        line = super().formatMessage(record)
        words = set(re.split(r"[\s,:]+", record.getMessage()))
        return line + "".join(
            f" {name}={value}"
            for name, value in _fields_of(record).items()
            if name.endswith("_id") and value not in words
        )


class JsonFormatter(logging.Formatter):
    """An object on a line: time, level, logger, message, the fields of the record, and its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        made = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, object] = {
            "time": made.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields_of(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    own: Mapping[str, object] = getattr(record, FIELDS, {})
    return {**log_fields(), **own}


def configure_logging(level: str, form: Format = "text") -> None:
    """Log to stderr from this level on; chatty libraries only from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for each in logging.getLogger().handlers:
        each.addFilter(RepeatFilter())
    # Those of Python would be several lines otherwise.
    logging.captureWarnings(form == "json")
    for library in ("httpx", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)
