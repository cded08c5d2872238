"""The container image and the compose file: built, checked and run as they are in production."""

import io
import json
import os
import shutil
import signal
import socket
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
from tests.support.postgres import postgres_server
from tests.support.service import PATIENCE, wait_for
from tests.support.strange_pictures import noise

pytestmark = [pytest.mark.slow, pytest.mark.server]

ROOT = Path(__file__).parents[2]
USER = 10001
PASSWORD = "0123456789abcdef"
BUILDAH = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}


def install(program: str) -> None:
    """Install a program by Debian's package of the same name if it is missing; skip where that cannot be."""
    command = ["bash", "-euc", '. scripts/buildah.sh; need "$1"', "need", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip(result.stderr.strip())


# The compose file.


def compose(folder: Path, *arguments: str, **passwords: str) -> subprocess.CompletedProcess[str]:
    """Run docker-compose beside a copy of the file, with a .env made of the example and these passwords."""
    install("docker-compose")
    shutil.copy(ROOT / "docker-compose.yml", folder)
    settings = (ROOT / "docker/env.example").read_text()
    for name, value in passwords.items():
        assert f"\n{name}=\n" in settings
        settings = settings.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    (folder / ".env").write_text(settings)
    return subprocess.run(["docker-compose", *arguments], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    """The services as docker-compose understands them, all profiles together."""
    passwords = {"POSTGRES_PASSWORD": PASSWORD, "REDIS_PASSWORD": PASSWORD}
    result = compose(tmp_path, "--profile", "gpu", "config", **passwords)
    assert result.returncode == 0, result.stderr
    return dict(yaml.safe_load(result.stdout)["services"])


@pytest.mark.parametrize("missing", ["POSTGRES_PASSWORD", "REDIS_PASSWORD"])
def test_compose_names_the_password_that_is_missing(tmp_path: Path, missing: str) -> None:
    passwords = {"POSTGRES_PASSWORD": PASSWORD, "REDIS_PASSWORD": PASSWORD}
    del passwords[missing]
    result = compose(tmp_path, "config", **passwords)
    assert result.returncode != 0
    assert f"set {missing} in .env" in result.stderr


def test_a_gpu_is_asked_for_by_profile_only(services: dict[str, Any]) -> None:
    assert set(services) == {"api", "worker", "worker-gpu", "redis", "postgres"}
    assert [name for name, service in services.items() if "profiles" in service] == ["worker-gpu"]
    assert [name for name, service in services.items() if "deploy" in service] == ["worker-gpu"]


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


def test_workers_have_time_to_save_their_checkpoints(services: dict[str, Any]) -> None:
    for name in ("worker", "worker-gpu"):
        seconds = float(services[name]["stop_grace_period"].removesuffix("s"))
        assert seconds >= 2 * Settings.model_fields["shutdown_seconds"].default


# The image.


def buildah(*arguments: str) -> str:
    """Run buildah and return what it prints."""
    result = subprocess.run(
        ["buildah", *arguments], env={**os.environ, **BUILDAH}, capture_output=True, text=True
    )
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
    assert config["Healthcheck"]["Test"][0] == "CMD"


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
    """Process id of a living process's parent."""
    # After the command's name, which is in parentheses: state, parent, ...
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Run:
    """A command running in a container, as the image's user."""

    def __init__(self, container: str, log: Path, command: Sequence[str], options: Sequence[str]) -> None:
        self._log = log
        # What tells its processes from all others.
        self._mark = f"IMPASTO_TEST_RUN={uuid.uuid4().hex}"
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                ["buildah", "run", "--env", self._mark, *options, container, "--", *command],
                env={**os.environ, **BUILDAH},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    def pids(self) -> set[int]:
        """Its living processes."""
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.add(int(folder.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                # It has ended meanwhile, or is none of ours.
                continue
        return found

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


@contextmanager
def redis_server(folder: Path, port: int) -> Iterator[str]:
    """The URL of a Redis that runs with the settings, and gets its password the way, of the compose file."""
    install("redis-server")
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["redis-server", ROOT / "docker/redis.conf", "--port", str(port), "--bind", "127.0.0.1", "-"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
        )
    assert server.stdin is not None
    server.stdin.write(f"requirepass {PASSWORD}\n".encode())
    server.stdin.close()
    try:
        yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(PATIENCE)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def environment(tmp_path: Path, port: int) -> Iterator[list[str]]:
    """Options of `buildah run`: a volume for the data, and where PostgreSQL, Redis and the API are."""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, USER, USER)
    with ExitStack() as servers:
        try:
            database_url = servers.enter_context(postgres_server())
        except FileNotFoundError as error:
            pytest.skip(str(error))
        database_socket = Path(database_url.partition("host=")[2])
        database_socket.chmod(0o755)
        redis_url = servers.enter_context(redis_server(tmp_path / "redis", free_port()))
        yield [
            f"--volume={data}:/data",
            f"--volume={database_socket}:{database_socket}",
            f"--env=IMPASTO_DATABASE_URL={database_url}",
            f"--env=IMPASTO_REDIS_URL={redis_url}",
            f"--env=IMPASTO_PORT={port}",
        ]


def test_a_job_goes_through_api_and_worker_of_the_image(container: str, tmp_path: Path) -> None:
    port = free_port()
    with (
        environment(tmp_path, port) as options,
        ExitStack() as runs,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client,
    ):

        def start(*command: str) -> Run:
            run = Run(container, tmp_path / f"{command[1]}.log", command, options)
            runs.callback(run.kill)
            return run

        def answers(path: str) -> bool:
            assert api.process.poll() is None, api.log
            try:
                return client.get(path).is_success
            except httpx.TransportError:
                return False

        def is_well(part: str) -> bool:
            command = ["buildah", "run", *options, container, "--", "python", "/opt/impasto/health.py", part]
            return subprocess.run(command, env={**os.environ, **BUILDAH}, capture_output=True).returncode == 0

        api = start("impasto", "api")
        wait_for(lambda: answers("/healthz"))
        assert is_well("api")
        assert not is_well("worker")

        worker = start("impasto", "worker", "--device", "cpu", "--lanes", "long,short,training")
        wait_for(lambda: answers("/readyz"))
        assert is_well("worker")
        assert api.users() == worker.users() == {USER}

        files = {"content": ("content.png", noise(seed=1)), "style": ("style.png", noise(seed=2))}
        answer = client.post(
            "/v1/style-transfer", files=files, data={"params": json.dumps({"size": 64, "steps": 3})}
        )
        assert answer.status_code == 202, answer.text

        def finished() -> Any:
            job = client.get(answer.headers["location"]).json()
            return job if job["finished_at"] else None

        job = wait_for(finished)
        assert job["state"] == "succeeded", job
        (artifact,) = [artifact for artifact in job["artifacts"] if artifact["name"] == "image"]
        picture = Image.open(io.BytesIO(client.get(artifact["url"]).content))
        assert max(picture.size) == 64

        # As compose does, workers first. No process may outlive the stop.
        for run in (worker, api):
            assert run.stop() == 0, run.log
            assert run.pids() == set()
            assert "Traceback" not in run.log
