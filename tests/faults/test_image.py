"""The container image and the compose file: built, checked and run as they are in production."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from PIL import Image

from app.settings import Settings
from tests.support.postgres import PostgresServer
from tests.support.redis import free_port, redis_server
from tests.support.service import PATIENCE, Client, processes_with, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

ROOT = Path(__file__).parents[2]
USER = 10001
PASSWORDS = {"POSTGRES_PASSWORD": "0123456789abcdef", "REDIS_PASSWORD": "fedcba9876543210"}
# The variable that tells the processes of a run from all others.
MARK = "IMPASTO_TEST_RUN"
# The check sees what its own container runs, so here it is in one with both.
HEALTH = """
import subprocess, sys, time

def is_well():
    return subprocess.run([sys.executable, "/opt/impasto/health.py"]).returncode == 0

def start(*command):
    started = subprocess.Popen(["impasto", *command])
    while not is_well():
        assert started.poll() is None
        time.sleep(1)
    return started

assert not is_well()
api = start("api")
worker = start("worker", "--device", "cpu")
worker.terminate()
assert worker.wait() == 0
api.terminate()
api.wait()
assert not is_well()
"""


def install(program: str) -> None:
    """Install a program by Debian's package of the same name if it is missing; skip where that cannot be."""
    command = ["bash", "-euc", '. scripts/buildah.sh; need "$1"', "need", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip(result.stderr.strip())


# The compose file.


def compose_config(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """`docker-compose config` on a copy of the file, with the example for .env and these lines filled in."""
    install("docker-compose")
    shutil.copy(ROOT / "docker-compose.yml", folder)
    lines = (ROOT / "docker/env.example").read_text()
    for name, value in settings.items():
        lines, filled = re.subn(f"^#?{name}=.*$", f"{name}={value}", lines, flags=re.MULTILINE)
        assert filled == 1, name
    (folder / ".env").write_text(lines)
    return subprocess.run(["docker-compose", "config"], cwd=folder, capture_output=True, text=True)


def compose_services(folder: Path, **settings: str) -> dict[str, Any]:
    """The services as docker-compose reads them."""
    result = compose_config(folder, **PASSWORDS, **settings)
    assert result.returncode == 0, result.stderr
    return dict(yaml.safe_load(result.stdout)["services"])


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    """The services of all profiles."""
    return compose_services(tmp_path)


@pytest.mark.parametrize("missing", PASSWORDS)
def test_compose_names_the_password_that_is_missing(tmp_path: Path, missing: str) -> None:
    result = compose_config(tmp_path, **{name: value for name, value in PASSWORDS.items() if name != missing})
    assert result.returncode != 0
    assert f"set {missing} in .env" in result.stderr


def test_a_gpu_is_asked_for_by_profile_only(services: dict[str, Any]) -> None:
    assert set(services) == {"api", "worker", "worker-gpu", "redis", "postgres"}
    assert [name for name, service in services.items() if "profiles" in service] == ["worker-gpu"]
    assert [name for name, service in services.items() if "deploy" in service] == ["worker-gpu"]


def test_workers_are_as_many_as_asked_for(tmp_path: Path, services: dict[str, Any]) -> None:
    assert services["worker"]["scale"] == 1
    assert services["worker-gpu"]["command"] == ["worker", "--device", "auto"]

    services = compose_services(tmp_path, CPU_WORKERS="0", GPU_DEVICES="cuda:0,cuda:1")
    assert services["worker"]["scale"] == 0
    assert "cuda:0,cuda:1" in services["worker-gpu"]["command"]


def test_every_container_is_locked_in(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["init"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        # The image of the others has a user of its own, which test_image_is_what_it_should_be checks.
        assert "build" in service or service["user"] in {"redis", "postgres"}, name


def test_only_the_api_can_be_reached_and_only_from_this_machine(services: dict[str, Any]) -> None:
    assert services["api"]["ports"] == ["127.0.0.1:8000:8000/tcp"]
    assert [name for name, service in services.items() if "ports" in service] == ["api"]
    for name in ("redis", "postgres"):
        assert set(services[name]["networks"]) == {"inner"}


def test_the_api_answers_to_names_of_this_machine_unless_others_are_given(
    tmp_path: Path, services: dict[str, Any]
) -> None:
    assert services["api"]["environment"]["IMPASTO_ALLOWED_HOSTS"] == "localhost,api"
    named = compose_services(tmp_path, IMPASTO_ALLOWED_HOSTS="studio.example")
    assert named["api"]["environment"]["IMPASTO_ALLOWED_HOSTS"] == "studio.example"


def test_health_is_what_the_image_says_and_postgresql_is_asked_over_tcp(services: dict[str, Any]) -> None:
    for name in ("api", "worker", "worker-gpu"):
        assert "healthcheck" not in services[name], name
    # tests/e2e/test_health.py asks a server that is just being made.
    assert "--host=127.0.0.1" in services["postgres"]["healthcheck"]["test"]


def test_workers_have_time_to_save_their_checkpoints(services: dict[str, Any]) -> None:
    for name in ("worker", "worker-gpu"):
        seconds = float(services[name]["stop_grace_period"].removesuffix("s"))
        assert seconds >= 2 * Settings.model_fields["shutdown_seconds"].default


# The image.


def buildah_command(*arguments: str) -> list[str]:
    """A command that runs buildah with the settings of the scripts."""
    return ["bash", "-euc", f'. {ROOT}/scripts/buildah.sh; exec buildah "$@"', "buildah", *arguments]


def buildah(*arguments: str) -> str:
    """Run buildah and return what it prints."""
    result = subprocess.run(buildah_command(*arguments), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The image, freshly built."""
    if os.geteuid() != 0:
        pytest.skip("building an image without a Docker engine needs root")
    name = f"localhost/impasto-test:{uuid.uuid4().hex}"
    result = subprocess.run(
        ["nice", "scripts/build_image.sh", name],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-10_000:]
    yield name
    buildah("rmi", name)


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[str]:
    """A container made from the image, in which commands can be run."""
    name = buildah("from", "--pull-never", image)
    yield name
    buildah("rm", name)


def source_files(folder: Path) -> set[str]:
    """Paths of the files of the three packages below a folder."""
    return {
        str(path.relative_to(folder))
        for package in ("app", "models", "worker")
        for path in (folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_image_is_what_it_should_be(image: str) -> None:
    config = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]
    assert config["User"] == f"{USER}:{USER}"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == ["impasto"]
    assert config["Volumes"] == {"/data": {}}
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "/opt/impasto/health.py"]


def test_image_holds_the_whole_package_and_no_tools(container: str) -> None:
    root = Path(buildah("mount", container))
    try:
        (packages,) = root.glob("opt/impasto/lib/python3*/site-packages")
        assert source_files(packages) == source_files(ROOT)
        assert os.listdir(root / "opt") == ["impasto"]
        found = [
            tool
            for tool in ("pip", "pip3", "gcc", "make", "git", "curl", "wget")
            for folder in ("opt/impasto/bin", "usr/bin", "usr/local/bin")
            if (root / folder / tool).exists()
        ]
        assert found == []
    finally:
        buildah("umount", container)


def parent_of(pid: int) -> int:
    """Process id of the parent of a running process."""
    # After the command's name, which is in parentheses: state, parent, ...
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Run:
    """A command running in a container, as the image's user."""

    def __init__(self, container: str, log: Path, command: Sequence[str], options: Sequence[str]) -> None:
        self._log = log
        self._mark = uuid.uuid4().hex
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                buildah_command("run", f"--env={MARK}={self._mark}", *options, container, "--", *command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    def pids(self) -> set[int]:
        """Its running processes."""
        return set(processes_with(MARK, self._mark))

    def users(self) -> set[int]:
        """Ids of the users that its processes run as."""
        return {Path(f"/proc/{pid}").stat().st_uid for pid in self.pids()}

    def stop(self) -> int:
        """Send what `docker stop` sends to the first of its processes; the exit code."""
        pids = self.pids()
        (first,) = [pid for pid in pids if parent_of(pid) not in pids]
        os.kill(first, signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End whatever is left."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)


class Api(Client):
    """The API on a port of this machine, which the container's network is that of."""

    def __init__(self, port: int) -> None:
        self.port = port

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self, path: str) -> bool:
        """Does it answer with success?"""
        try:
            return httpx.get(self.url + path, timeout=60, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def picture(self, job: Any) -> Image.Image:
        """The picture that a job made."""
        (artifact,) = [artifact for artifact in job["artifacts"] if artifact["name"] == "image"]
        return Image.open(io.BytesIO(httpx.get(self.url + artifact["url"], trust_env=False).content))


@contextmanager
def environment(folder: Path, postgres: PostgresServer, port: int) -> Iterator[list[str]]:
    """Options of `buildah run`: a volume for the data, and where PostgreSQL, Redis and the API are."""
    data = folder / "data"
    data.mkdir()
    os.chown(data, USER, USER)
    (folder / "redis").mkdir()
    install("redis-server")
    with postgres.database() as database_url, redis_server(folder / "redis") as redis:
        postgres.folder.chmod(0o755)
        yield [
            f"--volume={data}:/data",
            f"--volume={postgres.folder}:{postgres.folder}",
            f"--env=IMPASTO_DATABASE_URL={database_url}",
            f"--env=IMPASTO_REDIS_URL={redis.url}",
            f"--env=IMPASTO_PORT={port}",
        ]


def files_outside_the_volumes(container: str) -> list[Path]:
    """Files that the image's user made where a container of the compose file is read-only."""
    root = Path(buildah("mount", container))
    try:
        return [
            path
            for folder in root.iterdir()
            if folder.name not in {"data", "tmp"}
            for path in folder.rglob("*")
            if path.lstat().st_uid == USER
        ]
    finally:
        buildah("umount", container)


def test_the_health_check_of_the_image_finds_what_runs(
    container: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with environment(tmp_path, postgres_server, free_port()) as options:
        run = Run(container, tmp_path / "health.log", ["python", "-c", HEALTH], options)
        try:
            assert run.process.wait(PATIENCE) == 0, run.log
        finally:
            run.kill()


def test_a_job_goes_through_api_and_worker_of_the_image(
    container: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    api = Api(free_port())
    with environment(tmp_path, postgres_server, api.port) as options, ExitStack() as runs:

        def start(*command: str) -> Run:
            run = Run(container, tmp_path / f"{command[1]}.log", command, options)
            runs.callback(run.kill)
            return run

        def wait_until(path: str) -> None:
            def answers() -> bool:
                assert api_run.process.poll() is None, api_run.log
                return api.answers(path)

            wait_for(answers)

        api_run = start("impasto", "api")
        wait_until("/healthz")
        worker_run = start("impasto", "worker", "--device", "cpu")
        wait_until("/readyz")
        assert api_run.users() == worker_run.users() == {USER}

        job = api.wait_for_job(api.paint(size=64, steps=3), "succeeded", "failed")
        assert job["state"] == "succeeded", job
        assert max(api.picture(job).size) == 64

        # As compose does, workers first. The API ends by the signal that it was sent, once it has finished.
        assert worker_run.stop() == 0, worker_run.log
        api_run.stop()
        for run in (worker_run, api_run):
            assert run.pids() == set()
            assert "Traceback" not in run.log
    assert files_outside_the_volumes(container) == []
