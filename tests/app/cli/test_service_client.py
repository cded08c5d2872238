"""Commands that ask a service, where something else answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import program
from tests.support.flaky_server import FlakyServer, Reply


@pytest.fixture
def server() -> Iterator[FlakyServer]:
    with FlakyServer().running() as running:
        yield running


def impasto(server: FlakyServer, *arguments: str) -> Result:
    return CliRunner().invoke(program, [*arguments, "--url", server.url])


@pytest.mark.parametrize("body", [b"<html>Router</html>", b"[1]"])
def test_an_answer_of_something_else_is_said(server: FlakyServer, body: bytes) -> None:
    server.answer("GET /v1/jobs", Reply(200, body))
    refused = impasto(server, "jobs", "list")
    assert refused.exit_code == 1 and refused.output.count("\n") == 1
    assert "is not of Impasto: name its service with --url or IMPASTO_URL" in refused.output


def test_a_service_that_has_moved_is_said(server: FlakyServer, tmp_path: Path) -> None:
    moved = Reply(301, headers={"Location": "https://studio.example/"})
    server.answer("GET /v1/jobs", moved)
    server.answer("GET /v1/networks/palette/export", moved)
    server.answer("DELETE /v1/networks/mine", moved)
    output = tmp_path / "a.safetensors"
    for command in (
        ("jobs", "list"),
        ("networks", "export", "palette", "-o", str(output)),
        ("networks", "delete", "mine"),
    ):
        refused = impasto(server, *command)
        assert refused.exit_code == 1 and refused.output.count("\n") == 1
        assert "sends on to https://studio.example/: name the service there" in refused.output
    assert not output.exists()


def test_no_proxy_is_asked_for_this_machine(server: FlakyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.answer("GET /v1/jobs", Reply.of({"items": []}))
    assert json.loads(impasto(server, "jobs", "list", "--json").stdout) == []
