"""``impasto serve`` as an operator runs it: real processes, real signals."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.kinds import all_lanes
from tests.support.service import IMPASTO, Service, processes_of, running, wait_for

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see which processes are left"),
]

API, WORKER = "app.supervision.api", "worker.runtime.local --lane long"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data_dir = tmp_path_factory.mktemp("serve") / "data"
    settings = {"IMPASTO_CANCEL_GRACE_SECONDS": "1", "IMPASTO_LEASE_SECONDS": "12", "IMPASTO_LANES": "long"}
    with running(data_dir, **settings) as service:
        yield service


def impasto(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [IMPASTO, *arguments], env={**os.environ, **settings}, capture_output=True, text=True, timeout=120
    )


def state_of(data_dir: Path, job_id: str) -> tuple[str, str | None, int]:
    """State, worker_id and lost_attempts of a job, past the service."""
    connection = sqlite3.connect(data_dir / "impasto.db")
    try:
        row = connection.execute(
            "SELECT state, worker_id, lost_attempts FROM jobs WHERE id = ?", [job_id]
        ).fetchone()
    finally:
        connection.close()
    return (row[0], row[1], row[2])


def child(service: Service, part: str) -> int:
    """Process id of the one child with ``part`` in its command line."""

    def look() -> int | None:
        pids = [pid for pid, line in processes_of(service.data_dir).items() if part in line]
        return pids[0] if len(pids) == 1 else None

    pid = wait_for(look)
    assert pid is not None
    return pid


def restarted(service: Service, part: str, old: int) -> int:
    """Process id of the child that replaced ``old``."""

    def look() -> int | None:
        pid = child(service, part)
        return pid if pid != old else None

    pid = wait_for(look)
    assert pid is not None
    return pid


def test_it_says_where_it_is_and_runs_a_worker_below_the_api(service: Service) -> None:
    assert str(service.data_dir) in service.log
    assert service.request("GET", "/readyz")["status"] == "ready"
    niceness = {part: os.getpriority(os.PRIO_PROCESS, child(service, part)) for part in (API, WORKER)}
    assert niceness[WORKER] - niceness[API] == 10


def test_a_taken_port_is_said_in_one_line(service: Service, data_dir: Path) -> None:
    port = service.url.rpartition(":")[2]
    result = impasto("serve", "--port", port, "--data-dir", str(data_dir))
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert port in result.stderr and "IMPASTO_PORT" in result.stderr
    assert not (data_dir / "impasto.db").exists()


def test_a_data_folder_has_one_service(service: Service) -> None:
    result = impasto("serve", "--port", "0", "--data-dir", str(service.data_dir))
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert str(service.data_dir) in result.stderr and "IMPASTO_DATA_DIR" in result.stderr


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"IMPASTO_PORT": "x"}, "IMPASTO_PORT"),
        ({"IMPASTO_ALLOWED_HOSTS": "http://a:80"}, "IMPASTO_ALLOWED_HOSTS"),
        ({"IMPASTO_DATABASE_URL": "nonsense"}, "IMPASTO_DATABASE_URL"),
        ({"IMPASTO_LANES": "long,express"}, "IMPASTO_LANES"),
    ],
)
def test_a_wrong_setting_is_said_in_one_line(settings: dict[str, str], named: str, data_dir: Path) -> None:
    result = impasto("serve", "--data-dir", str(data_dir), **{"IMPASTO_PORT": "0", **settings})
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert named in result.stderr


@pytest.mark.slow
def test_a_killed_worker_is_started_again_and_its_job_goes_on(service: Service) -> None:
    job_id = service.paint(size=48, steps=100)
    service.wait_for_job(job_id, "running")
    worker = child(service, WORKER)
    os.kill(worker, signal.SIGKILL)
    # Long before the lease would have run out (30 s), or the reaper looked.
    wait_for(lambda: state_of(service.data_dir, job_id) == ("queued", None, 1), seconds=10)
    restarted(service, WORKER, worker)
    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"


def test_a_killed_api_is_started_again_on_the_same_port(service: Service) -> None:
    api = child(service, API)
    os.kill(api, signal.SIGKILL)
    restarted(service, API, api)
    assert service.request("GET", "/healthz")["status"] == "ok"


@pytest.mark.slow
def test_a_frozen_worker_without_a_cancel_is_killed_too(service: Service) -> None:
    """It may hold the write lock of SQLite, which no other process then gets."""
    worker = child(service, WORKER)
    os.kill(worker, signal.SIGSTOP)
    restarted(service, WORKER, worker)


@pytest.mark.slow
def test_a_frozen_worker_that_ignores_a_cancel_is_killed(service: Service) -> None:
    job_id = service.paint(size=48, steps=20_000)
    service.wait_for_job(job_id, "running")
    worker = child(service, WORKER)
    os.kill(worker, signal.SIGSTOP)
    service.request("POST", f"/v1/jobs/{job_id}/cancel")
    job = service.wait_for_job(job_id, "cancelled", "failed", "succeeded")
    assert job["state"] == "cancelled"
    restarted(service, WORKER, worker)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_everything_and_the_job_waits_for_the_next_start(
    data_dir: Path, number: signal.Signals
) -> None:
    with running(data_dir) as service:
        job_id = service.paint(size=48, steps=20_000)
        service.wait_for_job(job_id, "running")
        # The supervisor, the API, and a worker for each lane.
        assert len(processes_of(data_dir)) == 2 + len(all_lanes())
        service.process.send_signal(number)
        assert service.wait_for_end() == 0, service.log
        assert processes_of(data_dir) == {}
        assert state_of(data_dir, job_id) == ("queued", None, 0)
        assert "Traceback" not in service.log


@pytest.mark.slow
def test_a_second_interrupt_does_not_wait(data_dir: Path) -> None:
    # An hour to save a checkpoint in, and a worker that will not.
    with running(data_dir, IMPASTO_SHUTDOWN_SECONDS="3600", IMPASTO_LANES="long") as service:
        os.kill(child(service, WORKER), signal.SIGSTOP)
        api = child(service, API)
        service.process.send_signal(signal.SIGINT)
        wait_for(lambda: api not in processes_of(data_dir))
        assert service.process.poll() is None
        service.process.send_signal(signal.SIGINT)
        assert service.wait_for_end() == 130
        assert processes_of(data_dir) == {}


@pytest.mark.slow
def test_nothing_is_left_when_the_supervisor_is_killed(data_dir: Path) -> None:
    with running(data_dir, IMPASTO_LANES="long") as service:
        service.process.kill()
        service.process.wait()
        wait_for(lambda: processes_of(data_dir) == {})


@pytest.mark.slow
def test_what_a_worker_started_ends_with_it(data_dir: Path) -> None:
    with running(data_dir, IMPASTO_LANES="long") as service:
        worker = child(service, WORKER)
        # A child of the worker, as far as the supervisor can tell: in its group, with its environment.
        grandchild = subprocess.Popen(
            ["sleep", "3600"],
            process_group=os.getpgid(worker),
            env={**os.environ, "IMPASTO_DATA_DIR": str(data_dir)},
        )
        service.process.send_signal(signal.SIGINT)
        assert service.wait_for_end() == 0
        assert grandchild.wait(10) == -signal.SIGKILL


def test_a_worker_that_finds_the_settings_wrong_ends_the_service(data_dir: Path) -> None:
    result = impasto("serve", "--port", "0", "--data-dir", str(data_dir), IMPASTO_DEVICE="abacus")
    assert result.returncode == 2
    assert "IMPASTO_DEVICE" in result.stderr and "abacus" in result.stderr
    assert "Traceback" not in result.stderr


def test_port_zero_is_a_free_port(service: Service) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))):
        assert int(port) > 0
