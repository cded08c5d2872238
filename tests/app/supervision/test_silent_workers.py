"""Which workers a supervisor ends that send no heartbeat."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from app.database.engine import make_engine, write
from app.settings import Settings
from app.supervision.child import Child
from app.supervision.supervisor import Supervisor
from app.workers import repository as workers
from tests.support.databases import put_migrated

LEASE_SECONDS = 1.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    put_migrated(tmp_path / "db")
    url = f"sqlite:///{tmp_path / 'db'}"
    return Settings(
        data_dir=tmp_path, database_url=url, device="cpu", lanes="long", lease_seconds=LEASE_SECONDS
    )


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    made = make_engine(settings.resolved_database_url)
    yield made
    made.dispose()


@pytest.fixture
def read_only(settings: Settings) -> Iterator[Engine]:
    """The same database as if it were a replica: it can be read, and not be written."""
    made = make_engine(settings.resolved_database_url)
    event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
    yield made
    made.dispose()


def ends(supervisor: Supervisor, child: Child, engine: Engine, seconds: float) -> bool:
    """Whether a child ends while its supervisor looks at it for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        supervisor._kill_unresponsive(engine)
        if child.died():
            return True
        time.sleep(LEASE_SECONDS / 20)
    return False


@pytest.fixture
def supervisor(settings: Settings, engine: Engine) -> Iterator[Supervisor]:
    """One whose only worker is on the register, and sends no heartbeat."""
    made = Supervisor(settings, None)
    (child,) = made._workers
    child._command = lambda _: ["sleep", "600"]
    child.start()
    pid = child.pid or 0
    workers.register(engine, worker_id=child.worker_id, lanes=["long"], device="cpu", host="here", pid=pid)
    yield made
    child.kill()


def test_a_silent_worker_is_ended_unless_none_can_send_a_heartbeat(
    supervisor: Supervisor, engine: Engine, read_only: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    (child,) = supervisor._workers
    assert not ends(supervisor, child, read_only, 3 * LEASE_SECONDS)
    assert "Cannot tell whether the workers are alive" in caplog.text
    assert ends(supervisor, child, engine, 60)
    assert [each.worker_id for each in workers.list_alive(engine, 1e9)] == [child.worker_id]


def test_a_silent_worker_that_may_hold_the_write_lock_is_ended(
    supervisor: Supervisor, settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.database.engine.BUSY_SECONDS", 0.1)
    impatient = make_engine(settings.resolved_database_url)
    (child,) = supervisor._workers
    with write(engine):
        assert ends(supervisor, child, impatient, 60)
    impatient.dispose()
