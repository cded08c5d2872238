"""``impasto weights`` against a mirror on this machine."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import program
from app.networks.weights_folder import local_weights
from tests.support.mirror import Answer, Mirror, mirror
from tests.support.published import FILE, NAME, pin, published_file


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mirror]:
    pin(monkeypatch, published_file())
    monkeypatch.setenv("IMPASTO_DATA_DIR", str(tmp_path))
    with mirror(published_file()) as found:
        monkeypatch.setenv("IMPASTO_WEIGHTS_MIRROR", found.url)
        yield found


def impasto(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["weights", *arguments])


@pytest.mark.medium
def test_pull_and_list(served: Mirror, tmp_path: Path) -> None:
    assert "5 MB to pull" in impasto("list").output
    result = impasto("pull", NAME)
    assert result.exit_code == 0 and f"{NAME}: conv1 to logits, SHA-256 " in result.stdout
    # What is known of the licence is said first.
    assert "non-commercial" in result.stderr
    items = {item["name"]: item for item in json.loads(impasto("list", "--json").stdout)}
    here = local_weights(tmp_path / "weights", NAME)
    assert here is not None and (items[NAME]["sha256"], items[NAME]["last_layer"]) == (here.sha256, "logits")
    assert (items["vgg19"]["sha256"], items["vgg19"]["last_layer"]) == (None, None)
    assert "to pull" not in next(line for line in impasto("list").output.splitlines() if NAME in line)


@pytest.mark.medium
def test_import(served: Mirror, tmp_path: Path) -> None:
    brought = tmp_path / FILE
    brought.write_bytes(published_file())
    result = impasto("import", NAME, str(brought))
    assert result.exit_code == 0 and "conv1 to logits" in result.stdout and brought.exists()
    brought.write_bytes(b"something else")
    result = impasto("import", NAME, str(brought))
    assert result.exit_code == 1 and "No other pickled file is read" in result.stderr
    assert (
        impasto("import", NAME, "nowhere.pth").stderr == "impasto: nowhere.pth: No such file or directory\n"
    )


@pytest.mark.medium
def test_what_cannot_be_had_is_said_in_one_line(served: Mirror) -> None:
    served.usual = Answer(status=404)
    result = impasto("pull", NAME)
    assert result.exit_code == 1
    assert "answers 404" in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr
    result = impasto("pull", "vgg19-random")
    assert result.exit_code == 2 and "squeezenet1_1, vgg11, vgg13, vgg16, vgg19" in result.stderr
    result = impasto("pull", NAME, "--mirror", "ftp://x")
    assert result.exit_code == 2 and "IMPASTO_WEIGHTS_MIRROR" in result.stderr


@pytest.mark.server
def test_ctrl_c_keeps_what_has_come(served: Mirror, tmp_path: Path) -> None:
    # A body of which half never comes: what is there of it arrives, and then nothing more.
    data = published_file()
    served.answers = [Answer(cut=len(data) // 2, stall=True)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", "from app.cli import main; main()", "weights", "pull", NAME]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    partial = tmp_path / "weights" / f"{FILE}.partial"
    while not (partial.exists() and partial.stat().st_size > len(data) // 4):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130 and b"downloaded so far is kept" in said
    assert data.startswith(partial.read_bytes())
    assert impasto("pull", NAME).exit_code == 0
    assert served.asked[-1].startswith("bytes=")
