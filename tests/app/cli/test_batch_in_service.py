"""``impasto batch`` against a real service, which is killed and started again."""

import json
import os
import signal
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.cli import program
from tests.support.service import IMPASTO, Service, processes_of, running, wait_for
from tests.support.strange_pictures import noise

pytestmark = [pytest.mark.slow, pytest.mark.server]

NAMES = ["a--x", "a--y", "b--x", "b--y"]
SETTINGS = {"IMPASTO_LANES": "long", "IMPASTO_LEASE_SECONDS": "5"}
QUICK = ("--size", "32", "--steps", "2")


@pytest.fixture
def port() -> int:
    """One that a service can have again after it was killed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def service(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service, and a folder with two contents and two styles that is the current one."""
    folder = tmp_path / "work"
    for seed, name in enumerate(("photos/a", "photos/b", "paintings/x", "paintings/y")):
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(noise(size=(48, 36), seed=seed))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("IMPASTO_URL", f"http://127.0.0.1:{port}")
    with running(tmp_path / "data", IMPASTO_PORT=str(port), **SETTINGS) as found:
        yield found


def impasto(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["batch", *arguments])


def matrix(*arguments: str, output: str = "out") -> list[str]:
    return ["matrix", "--content", "photos/*.png", "--style", "paintings/*.png", "-o", output, *arguments]


def run(lines: list[Any], *arguments: str) -> Result:
    Path("jobs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return impasto("run", "jobs.jsonl", "-o", "lines", *arguments)


def line(custom_id: str, **params: Any) -> dict[str, Any]:
    values = {"content": "photos/a.png", "style": "paintings/x.png", "size": 32, "steps": 2, **params}
    return {"custom_id": custom_id, "kind": "style_transfer", "params": values}


def lines_of(path: str) -> list[Any]:
    return [json.loads(text) for text in Path(path).read_text().splitlines()]


def batches(*states: str) -> list[Any]:
    options = [text for state in states for text in ("--state", state)]
    found: list[Any] = json.loads(impasto("list", "--json", *options).stdout)
    return found


def test_a_service_computes_what_is_missing_and_nothing_is_lost(service: Service, port: int) -> None:
    check_runs_again_and_control()
    check_an_interrupt_a_kill_and_a_cancel(service, port)


def check_runs_again_and_control() -> None:
    first = impasto(*matrix(*QUICK))
    assert first.exit_code == 0, first.output
    assert "4 of 4 done, 4 of them now" in first.stdout
    (batch,) = batches()
    assert (batch["source"], batch["lines"], batch["state"]) == ("matrix", 4, "succeeded")
    assert [axis["labels"] for axis in batch["matrix"]["axes"]] == [["a", "b"], ["x", "y"]]
    results = lines_of("out/results.jsonl")
    assert [(each["line"], each["custom_id"]) for each in results] == list(enumerate(NAMES, 1))
    for each in results:
        with Image.open(Path("out", each["files"]["image"])) as picture:
            assert picture.size == (32, 24)
        recipe = each["result"]["recipe"]
        assert [recipe["params"]["size"], recipe["params"]["steps"]] == [32, 2]
    images = [each for each in lines_of("out/batch.jsonl") if "image" in each]
    assert len(images) == 4  # each was sent once

    # Nothing is missing; then one is, and the service still has it.
    assert "4 of 4 done, 0 of them now" in impasto(*matrix(*QUICK)).stdout
    Path("out/b--x.png").unlink()
    assert "4 of 4 done, 1 of them now" in impasto(*matrix(*QUICK)).stdout
    assert [each["id"] for each in batches()] == [batch["id"]]

    # Another style under the same name: a batch of what uses it, and one picture more.
    Path("paintings/y.png").write_bytes(noise(size=(48, 36), seed=9))
    changed = impasto(*matrix(*QUICK))
    assert "4 of 4 done, 2 of them now" in changed.stdout, changed.output
    assert [each["lines"] for each in batches()] == [2, 4]
    assert len([each for each in lines_of("out/batch.jsonl") if "image" in each]) == 5

    # What only the service knows to be wrong is named with the line, and nothing is stored.
    ids = {"content": images[0]["image"], "style": ["paintings/x.png", images[1]["image"]]}
    lines = [line("ids", **ids), line("b"), line("no network", network="nope")]
    wrong = run(lines)
    assert wrong.exit_code == 2, wrong.output
    assert "impasto: line 3: network: " in wrong.stderr and len(batches()) == 2
    skipped = run(lines, "--errors", "skip", "--name", "Some lines", "--priority", "background")
    assert skipped.exit_code == 1 and "no network: network: " in skipped.stderr
    assert [each["custom_id"] for each in lines_of("lines/results.jsonl")] == ["ids", "b"]
    (error,) = lines_of("lines/errors.jsonl")
    assert (error["line"], error["error"]["field"]) == (3, "network")
    (failed,) = batches("failed")
    assert (failed["name"], failed["priority"]) == ("Some lines", "background")
    assert "Some lines" in impasto("list").stdout

    # Results of any batch, by its id.
    identity = batch["id"]
    printed = impasto("results", identity).stdout.splitlines()
    assert [json.loads(text)["custom_id"] for text in printed] == NAMES
    for times in (4, 0):
        fetched = impasto("results", identity, "-o", "fetched")
        assert f"4 of 4 done, {times} of them now" in fetched.stdout, fetched.output
    assert {path.stem for path in Path("fetched").glob("*.png")} == set(NAMES)
    assert impasto("results", identity, "--zip", "all.zip").exit_code == 0
    with zipfile.ZipFile("all.zip") as archive:
        assert {f"{name}.png" for name in NAMES} <= set(archive.namelist())
        assert archive.testzip() is None
    partial = impasto("results", failed["id"], "-o", "partial")
    assert partial.exit_code == 1 and "2 of 3 done" in partial.stdout

    assert impasto("watch", identity).exit_code == 0
    watched = impasto("watch", failed["id"], "--json")
    assert watched.exit_code == 1 and json.loads(watched.stdout)["counts"]["failed"] == 1
    assert "no network: network: " in watched.stderr
    assert impasto("delete", identity, failed["id"]).exit_code == 0
    assert len(batches()) == 1
    gone = impasto("watch", identity)
    assert gone.exit_code == 1 and "There is no batch" in gone.stderr


def check_an_interrupt_a_kill_and_a_cancel(service: Service, port: int) -> None:
    others = [each["id"] for each in batches()]
    names = {*NAMES, "c--x", "c--y"}
    Path("photos/c.png").write_bytes(noise(size=(48, 36), seed=5))
    # None together, which would also end together.
    slow = ("--size", "48", "--steps", "20", "--reproducible")
    process = start(*matrix(*slow, output="slow"))
    wait_for(lambda: made("slow"))
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    batch = batches()[0]
    assert process.returncode == 130 and "Traceback" not in said
    assert f"impasto batch cancel {batch['id']} stops it" in said
    assert impasto("pause", batch["id"]).stdout.startswith(batch["id"])
    fetched = len(made("slow"))

    process = start(*matrix(*slow, output="slow"))
    assert impasto("resume", batch["id"]).exit_code == 0
    wait_for(lambda: len(made("slow")) > fetched)
    kill(service)
    with running(service.data_dir, IMPASTO_PORT=str(port), **SETTINGS):
        said = process.communicate(timeout=240)[1]
        assert process.returncode == 0, said
        assert made("slow") == names and len(lines_of("slow/results.jsonl")) == len(names)
        assert [each["id"] for each in batches()] == [batch["id"], *others]

        # A batch that was cancelled is gone on with by the same command.
        few = ("--zip", *slow)
        Path("photos/c.png").unlink()
        process = start(*matrix(*few, output="other"))
        wait_for(lambda: len(batches("running")) == 1)
        other = batches("running")[0]["id"]
        assert impasto("cancel", other).exit_code == 0
        said = process.communicate(timeout=120)[1]
        assert process.returncode == 1 and "It was cancelled." in said
        again = impasto(*matrix(*few, output="other"))
        assert again.exit_code == 0, again.output
        assert "2 of 2 done" in again.stdout
        assert [each["id"] for each in batches()] == [other, batch["id"], *others]


def made(folder: str) -> set[str]:
    return {path.stem for path in Path(folder).glob("*.png")}


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([IMPASTO, "batch", *arguments], stderr=subprocess.PIPE, text=True)


def kill(service: Service) -> None:
    """As a loss of power: none of its processes says goodbye."""
    for pid in [service.process.pid, *processes_of(service.data_dir)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    service.process.wait()
