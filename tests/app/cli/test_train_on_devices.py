"""``impasto train`` on two devices, which are both the CPU."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import program
from tests.support.strange_pictures import noise

pytestmark = pytest.mark.server

SCRIPTS = Path(sys.executable).parent
TORCHRUN = [
    str(SCRIPTS / "torchrun"),
    "--no-python",
    "--nproc-per-node",
    "2",
    str(SCRIPTS / "impasto"),
]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "noise"
    for place in range(20):
        path = folder / "ab"[place % 2] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise(size=(16, 16), seed=place))
    return folder


SETTINGS = {"IMPASTO_DEVICE": "cpu", "IMPASTO_PRECISION": "float32"}
OPTIONS = ["--architecture", "linear", "--size", "8", "--epochs", "2", "--batch-size", "7", "--json"]


def history(printed: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(printed)["history"]
    return found


@pytest.mark.slow
def test_two_processes_of_torchrun_learn_what_one_does(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**SETTINGS, "IMPASTO_DATA_DIR": str(tmp_path / "data")}.items():
        monkeypatch.setenv(name, value)
    asked = ["train", str(pictures), *OPTIONS]
    alone = CliRunner().invoke(program, asked)
    assert alone.exit_code == 0, alone.stderr
    done = subprocess.run([*TORCHRUN, *asked], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    one, two = history(alone.stdout), history(done.stdout)
    assert [row["epoch"] for row in two] == [1, 2]
    for found, expected in zip(two, one, strict=True):
        assert found == pytest.approx(expected, rel=1e-3)
