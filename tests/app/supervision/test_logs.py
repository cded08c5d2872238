"""What is logged, and what is not logged twice."""

import logging

import pytest

from app.supervision.logs import RepeatFilter


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
