"""What is logged, and what is not logged twice."""

import json
import logging
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError

from app.database.engine import make_engine, read
from app.database.ids import new_id
from app.log_context import FIELDS, logged_with
from app.storage import FolderStorage, StorageFull
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


@pytest.mark.parametrize(
    "amounts", [("176,160,768", "4,096"), ("176160768", "4096"), ("1764426500.25", "1764426502.5")]
)
def test_a_warning_whose_amounts_alone_are_others_is_a_repeat(amounts: tuple[str, str]) -> None:
    repeats = RepeatFilter()
    full = [
        record(logging.WARNING, f"no job: the disk is full ({each} of 9,000,000 bytes)") for each in amounts
    ]
    assert [repeats.filter(each) for each in full] == [True, False]


def test_a_disk_that_stays_full_is_a_repeat(tmp_path: Path) -> None:
    repeats, storage = RepeatFilter(), FolderStorage(tmp_path / "files", 1 << 60)
    for size in (0, 5000, 70_000):
        with pytest.raises(StorageFull) as full:
            storage.require_space(size)
        assert repeats.filter(record(logging.WARNING, f"no job is begun: {full.value}")) is (size == 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("attempt 1 lost its claim", "attempt 2 lost its claim"),
        ("no workers on cuda:0", "no workers on cuda:1"),
        ("127.0.0.1:65001 is away", "127.0.0.1:65002 is away"),
        ("worker host-40001 did not stop", "worker host-40002 did not stop"),
        ("40001.example.org is away", "40002.example.org is away"),
        ("4,096 bytes are missing", "4,096 files are missing"),
    ],
)
def test_other_ids_names_and_small_numbers_are_no_repeat(one: str, other: str) -> None:
    repeats = RepeatFilter()
    assert all(repeats.filter(record(logging.WARNING, each)) for each in (one, other))


def test_jobs_are_told_apart_whatever_their_ids() -> None:
    repeats = RepeatFilter()
    for text in ("job {}: its worker was lost", "jobs/{}/1/a.png cannot be read", "files of {}"):
        # Some groups of digits in ids are decimal by chance.
        assert all(repeats.filter(record(logging.WARNING, text.format(new_id()))) for _ in range(300))


def failure(
    error: Exception, text: str = "the reaper failed", level: int = logging.ERROR
) -> logging.LogRecord:
    try:
        raise error
    except Exception:
        return logging.LogRecord("app", level, __file__, 1, text, (), sys.exc_info())


def test_a_traceback_is_repeated_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    repeats = RepeatFilter()
    malformed = [
        failure(ValueError(f"the database is malformed at {now}")) for now in (1764426500.0, 1764426502.0)
    ]
    assert [repeats.filter(each) for each in malformed] == [True, False]
    others = [
        failure(TypeError("the database is malformed at 1764426500.0")),
        failure(ValueError("no such table")),
        failure(ValueError("no such table"), "the keeper failed"),
        failure(ValueError("no such table"), level=logging.CRITICAL),
        failure(ValueError("no such table"), level=logging.CRITICAL),
    ]
    assert all(repeats.filter(each) for each in others)
    now = 31.0
    assert [repeats.filter(each) for each in malformed] == [True, False]


def test_the_same_failure_of_another_request_is_told() -> None:
    repeats, failed = RepeatFilter(), failure(ValueError("no such table"))
    for request_id in ("r", "s"):
        with logged_with(request_id=request_id):
            assert [repeats.filter(failed) for _ in range(2)] == [True, False]


def test_a_damaged_sqlite_file_is_told_once(tmp_path: Path) -> None:
    repeats, engine = RepeatFilter(), make_engine(f"sqlite:///{tmp_path / 'db'}")
    (tmp_path / "db").write_bytes(b"no database" * 1000)
    for is_first in (True, False, False):
        with pytest.raises(DatabaseError) as damaged, read(engine):
            pass
        assert repeats.filter(failure(damaged.value)) is is_first


def test_the_same_words_from_another_place_are_another_problem() -> None:
    repeats = RepeatFilter()
    for raises in ("{}['job']", "dict()['job']"):
        for is_first in (True, False):
            try:
                exec(compile(raises, raises, "exec"))
            except KeyError:
                failed = logging.LogRecord("app", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
            assert repeats.filter(failed) is is_first


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_what_is_no_warning_and_has_no_exception_is_never_held_back(level: int) -> None:
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
