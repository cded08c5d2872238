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
# A number that says how much, such as the bytes that a disk lacks, which are others at each look. Shorter
# ones may say which: an attempt, a device; and so may those in ids, names and addresses.
_AMOUNT = re.compile(r"(?<![\w/.,:-])(?:\d{1,3}(?:,\d{3})++|\d{4,}+)(?:\.\d++)?+(?!\.?[\w/:-])")

Format = Literal["text", "json"]


class RepeatFilter(logging.Filter):
    """Drops what the same logger said a short time before: a warning, or an error with its exception.

    Texts are the same if they differ in amounts alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[tuple[object, ...], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        key = _key_of(record)
        if key is None:
            return True
        now = time.monotonic()
        self._logged = {k: t for k, t in self._logged.items() if now - t < _REPEAT_SECONDS}
        if key in self._logged:
            return False
        self._logged[key] = now
        return True


def _key_of(record: logging.LogRecord) -> tuple[object, ...] | None:
    """What a record has in common with its repeats alone; None: it is always logged."""
    said = (record.name, _without_amounts(record.getMessage()))
    if record.levelno == logging.WARNING:
        return said
    exception = record.exc_info[1] if record.exc_info else None
    if record.levelno != logging.ERROR or exception is None:
        return None
    # Few texts of exceptions say where, or of which job or request.
    about = (_place_of(exception), *_ids_of(record).items())
    return (*said, type(exception), _without_amounts(str(exception)), *about)


def _without_amounts(text: str) -> str:
    return _AMOUNT.sub("#", text)


def _place_of(exception: BaseException) -> tuple[str, int] | None:
    """The line that raised an exception."""
    trace = exception.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)


class TextFormatter(logging.Formatter):
    """A line of text, which ends with the ids of what it is about where its message does not name them."""

    def __init__(self) -> None:
        super().__init__(_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without a traceback."""
        line = super().formatMessage(record)
        words = set(re.split(r"[\s,:]+", record.getMessage()))
        return line + "".join(
            f" {name}={value}" for name, value in _ids_of(record).items() if value not in words
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


def _ids_of(record: logging.LogRecord) -> Mapping[str, object]:
    return {name: value for name, value in _fields_of(record).items() if name.endswith("_id")}


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
