"""The health checks of the containers, run as Docker does: of a service in real processes, of PostgreSQL."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.deployment import Deployment, deployed, shown_logs
from tests.support.postgres import PostgresServer, find_program, postgres
from tests.support.redis import free_port
from tests.support.service import wait_for

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform != "linux", reason="the check reads /proc, as in a container"),
]

NO_WORKER = "No worker process runs: it waits for the database, or is being started."
ROOT = Path(__file__).parents[2]


@pytest.fixture
def service(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Deployment]:
    settings = {"IMPASTO_LANES": "long", "IMPASTO_LEASE_SECONDS": "120"}
    try:
        with shown_logs(deployed("celery", tmp_path, postgres_server, **settings)) as service:
            yield service
    except FileNotFoundError as error:
        pytest.skip(str(error))


def health(**settings: str) -> tuple[bool, str]:
    """Whether the container with these settings is healthy, and what the check says if not."""
    # Debian's proxies must not be asked for addresses of this machine.
    environment = {
        **os.environ,
        **settings,
        "http_proxy": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }
    command = [sys.executable, ROOT / "docker/health.py"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode == 0, result.stderr.strip()


def settings_of(service: Deployment, part: str) -> dict[str, str]:
    """The settings of a part, as its container has them."""
    pid = service.parts[part].process.pid
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(each.split("=", 1) for each in variables if each.startswith("IMPASTO_"))


@pytest.mark.slow
def test_each_container_is_as_well_as_what_it_runs(service: Deployment) -> None:
    # One variable of the tests differs, and tells apart two containers whose processes see each other.
    api, worker = settings_of(service, "api"), settings_of(service, "worker")
    assert health(**api) == (True, "")
    assert health(**worker) == (True, "")
    other = {**api, "IMPASTO_DATA_DIR": "/elsewhere"}
    assert health(**other) == (False, "No command of impasto runs here: api, worker or serve.")

    # The API's container says nothing of the worker, nor the worker's of the API.
    api_pid = service.front.process.pid
    os.kill(api_pid, signal.SIGSTOP)
    healthy, told = health(**api)
    assert not healthy and "API does not answer" in told
    assert health(**worker) == (True, "")
    os.kill(api_pid, signal.SIGCONT)
    assert health(**api) == (True, "")

    # A frozen worker misses its heartbeats, whatever others send.
    for pid in service.parts["worker"].pids():
        os.kill(pid, signal.SIGSTOP)
    healthy, told = wait_for(
        lambda: (False, said) if not (now := health(**worker))[0] and (said := now[1]) else None
    )
    assert "No heartbeat of" in told and ":worker-cpu-long:" in told
    assert health(**api) == (True, "")
    for pid in service.parts["worker"].pids():
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: health(**worker)[0])


@pytest.mark.slow
def test_the_whole_service_in_one_container(tmp_path: Path) -> None:
    with shown_logs(deployed("embedded", tmp_path, None, IMPASTO_LANES="long")) as service:
        own = settings_of(service, "serve")
        assert health(**own) == (True, "")
        # A second command whose workers are not there yet is no reason to be well.
        init = [sys.executable, "-c", "import time; time.sleep(600)", "impasto", "serve"]
        with subprocess.Popen(init, env={**os.environ, **own}) as process:
            assert health(**own) == (False, NO_WORKER)
            process.kill()
        assert health(**own) == (True, "")


def compose_check(service: str) -> list[str]:
    """The command of a service's health check in the compose file."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    kind, *command = services[service]["healthcheck"]["test"]
    assert kind == "CMD"
    return command


def test_postgresql_is_unhealthy_while_it_is_being_made() -> None:
    """Its image runs a server on the socket alone for that time, which answers like any other."""
    program = find_program("pg_isready")
    assert program is not None
    command = [program, *compose_check("postgres")[1:]]

    def is_healthy(port: int, *more: str) -> bool:
        return subprocess.run([*command, f"--port={port}", *more], capture_output=True).returncode == 0

    with postgres() as server:
        folder = server.url.partition("host=")[2].partition("&")[0]
        # By its socket it can be reached, as a check without --host would.
        assert is_healthy(5432, f"--host={folder}")
        assert not is_healthy(free_port())
    with postgres(port := free_port()):
        assert is_healthy(port)
