"""The Python client, and ``impasto jobs``, against a service that a proxy shows below a path."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import program
from impasto_client import Client
from tests.support.proxy import Proxy, proxied
from tests.support.service import running
from tests.support.strange_pictures import noise

pytestmark = pytest.mark.server

ROOT = "/art/impasto"


@pytest.fixture(
    scope="module", params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["strips", "keeps"]
)
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy before a service that knows of it."""
    data = tmp_path_factory.mktemp("service") / "data"
    with (
        running(data, IMPASTO_ROOT_PATH=ROOT, IMPASTO_LANES="short,long") as service,
        proxied(service.url, ROOT, strips=request.param) as proxy,
    ):
        yield proxy


def impasto(proxy: Proxy, *arguments: str) -> str:
    found = CliRunner().invoke(program, [*arguments, "--url", proxy.url])
    assert found.exit_code == 0, found.output
    return found.output


@pytest.mark.parametrize("direct", [False, True], ids=["proxy", "direct"])
def test_a_picture_is_painted_and_saved(proxy: Proxy, tmp_path: Path, direct: bool) -> None:
    # What is on the machine itself may go round the proxy.
    with Client(f"http://{proxy.target}" if direct else f"{proxy.url}/") as client:
        (tmp_path / "photo.png").write_bytes(noise(seed=1))
        (tmp_path / "painting.png").write_bytes(noise(seed=2))
        job = client.style_transfer(tmp_path / "photo.png", tmp_path / "painting.png", size=32, steps=1)
        saved = job.save(tmp_path / "painted.png")
        assert saved.read_bytes().startswith(b"\x89PNG")
        artifact = next(each for each in job.artifacts if each.name == "image")
        assert artifact.read() == saved.read_bytes()


def test_the_command_line_asks_through_it(proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_text(
        '{"custom_id": "one", "kind": "classify", "params": {"image": "photo.png"}}\n'
        '{"custom_id": "two", "kind": "class_visualization", "params": {"target": 1, "steps": 1}}\n'
    )
    (tmp_path / "photo.png").write_bytes(noise(seed=1))
    impasto(proxy, "batch", "run", str(tmp_path / "lines.jsonl"), "--output", str(tmp_path / "results"))
    made = [path.name for path in (tmp_path / "results").rglob("*.png")]
    assert len(made) == 1
    listed = json.loads(impasto(proxy, "jobs", "list", "--json"))
    identity = next(job["id"] for job in listed if job["kind"] == "class_visualization")
    assert f"{proxy.url}/v1/jobs/{identity}/artifacts/image" in impasto(proxy, "jobs", "show", identity)
    impasto(proxy, "jobs", "watch", identity)
