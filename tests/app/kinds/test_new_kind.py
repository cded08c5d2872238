"""One registered spec makes a kind: its route, its description, its command and its computation."""

import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from typer.testing import CliRunner

from app.cli import make_program
from app.kinds import KINDS, spec_of
from app.settings import Settings
from tests.support import fading
from tests.support.apps import lent_app
from tests.support.strange_pictures import noise
from worker.runtime.context import make_context
from worker.runtime.run_job import run_next


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, fading.SPEC.name, fading.SPEC)


@pytest.fixture
def client(settings: Settings, registered: None) -> Iterator[TestClient]:
    with lent_app(settings) as app, TestClient(app) as client:
        yield client


def is_gray(data: bytes) -> bool:
    red, green, blue = Image.open(BytesIO(data)).convert("RGB").split()
    return red.tobytes() == green.tobytes() == blue.tobytes()


@pytest.mark.medium
def test_it_is_listed_and_described(client: TestClient) -> None:
    items = client.get("/v1/kinds").json()["items"]
    (listed,) = [item for item in items if item["kind"] == "fading"]
    assert (listed["path"], listed["lane"]) == ("/v1/fading", "short")
    assert (listed["command"], listed["submit_label"]) == ("fading", "Fade")
    assert listed["schema"]["properties"]["image"]["widget"] == "picture"
    described = client.get("/v1/openapi.json").json()
    assert described["paths"]["/v1/fading"]["post"]["summary"] == "Fading"
    schemas = described["components"]["schemas"]
    assert "strength" in schemas["FadingParams"]["properties"]
    answers = described["paths"]["/v1/fading"]["post"]["responses"]
    for status in ("200", "202"):
        assert answers[status]["content"]["application/json"]["schema"]["$ref"].endswith("/FadingJob")
    result = schemas["FadingJob"]["allOf"][1]["properties"]["result"]["anyOf"][0]["$ref"]
    assert result.endswith("/FadingResult") and "brightness" in schemas["FadingResult"]["properties"]


def test_its_params_are_checked(client: TestClient) -> None:
    answer = client.post(
        "/v1/fading", files={"image": noise()}, data={"params": '{"strength": 2, "size": 3}'}
    )
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"strength", "size"}


def test_a_worker_computes_it_while_its_route_waits(client: TestClient, settings: Settings) -> None:
    context = make_context(settings, "w1", "cpu")
    answered = threading.Event()

    def work() -> None:
        while not answered.wait(0.05) and not run_next(context, ["short"], threading.Event()):
            pass

    worker = threading.Thread(target=work)
    worker.start()
    answer = client.post("/v1/fading", files={"image": noise()})
    answered.set()
    worker.join()
    context.engine.dispose()

    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert job["state"] == "succeeded", job["error"]
    assert job["params"]["strength"] == 1
    assert 0 < job["result"]["brightness"] < 1
    assert job["result"]["recipe"]["kind"] == "fading"
    (image,) = [artifact for artifact in job["artifacts"] if artifact["name"] == "image"]
    assert is_gray(client.get(image["url"]).content)


def test_its_route_does_not_wait_where_a_request_prefers_otherwise(client: TestClient) -> None:
    answer = client.post("/v1/fading", files={"image": noise()}, headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")


def test_it_has_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    Path("photo.png").write_bytes(noise())
    program = make_program()
    result = CliRunner().invoke(program, ["fading", "photo.png", "-o", "gray.png", "--json"])
    assert result.exit_code == 0, result.output
    assert '"brightness"' in result.stdout
    assert is_gray(Path("gray.png").read_bytes())
    wrong = CliRunner().invoke(program, ["fading", "photo.png", "-o", "gray.png", "--strength", "2"])
    assert wrong.exit_code == 2 and wrong.stderr.startswith("impasto: --strength: ")


def test_stored_params_are_read_as_resolved_ones() -> None:
    params = fading.SPEC.load({"image": "i", "strength": 0.5})
    assert isinstance(params, fading.ResolvedFading)
    assert spec_of(params) is fading.SPEC
