"""What is logged, and what is not logged twice."""

import json
import logging
import sys

import pytest

from app.log_context import FIELDS, logged_with
from app.supervision.logs import JsonFormatter, RepeatFilter, TextFormatter


def record(level: int, text: str, name: str = "app") -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, "%s", (text,), None)


def test_a_warning_is_repeated_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    repeats = RepeatFilter()
    away = record(logging.WARNING, "the database is away")
    assert [repeats.filter(away) for _ in range(3)] == [True, False, False]
    assert repeats.filter(record(logging.WARNING, "the disk is full"))
    assert repeats.filter(record(logging.WARNING, "the database is away", "worker"))
    now = 31.0
    assert repeats.filter(away) and not repeats.filter(away)


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_only_warnings_are_held_back(level: int) -> None:
    repeats = RepeatFilter()
    assert repeats.filter(record(level, "again")) and repeats.filter(record(level, "again"))


def about(**fields: object) -> logging.LogRecord:
    made = record(logging.INFO, "job 7 has ended")
    made.created = 0.25
    setattr(made, FIELDS, fields)
    return made


def test_a_line_of_text_ends_with_ids_that_it_does_not_name() -> None:
    with logged_with(request_id="r", batch_id=None):
        line = TextFormatter().format(about(job_id="7", batch_id="b", bytes=3))
    assert line.endswith("INFO app: job 7 has ended request_id=r batch_id=b")


def test_a_line_of_json_has_everything_and_stays_one_line() -> None:
    with logged_with(request_id="r"):
        line = JsonFormatter().format(about(bytes=3))
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "INFO",
        "logger": "app",
        "message": "job 7 has ended",
        "request_id": "r",
        "bytes": 3,
    }
    try:
        raise ValueError("two\nlines")
    except ValueError:
        failed = logging.LogRecord("app", logging.ERROR, __file__, 1, "a\nb", (), sys.exc_info())
    line = JsonFormatter().format(failed)
    assert "\n" not in line
    assert "ValueError: two\nlines" in json.loads(line)["traceback"]
