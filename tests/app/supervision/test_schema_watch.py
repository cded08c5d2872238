"""Looking, from time to time, whether a newer release has migrated the database."""

from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError

from app.database.engine import UNAVAILABLE, make_engine
from app.database.schema import schema_of
from app.supervision.schema_watch import SchemaWatch
from tests.support.databases import put_migrated


def test_a_file_that_was_damaged_ends_no_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.supervision.schema_watch.CHECK_SECONDS", 0.0)
    path = tmp_path / "db"
    put_migrated(path)
    engine = make_engine(f"sqlite:///{path}")
    watch = SchemaWatch(engine)
    assert not watch.is_outdated() and not caplog.text
    engine.dispose()
    path.write_bytes(bytes(8192))
    with pytest.raises(DatabaseError) as failed:
        schema_of(engine)
    assert not isinstance(failed.value, UNAVAILABLE)
    assert not watch.is_outdated() and "not a database" in caplog.text
    engine.dispose()
