"""The client as a distribution of its own."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "clients" / "python"
PROGRAM = """
import re
import sys
from importlib.metadata import requires, version
from pathlib import Path

import impasto_client

assert version("impasto-client") == impasto_client.__version__
assert sorted(re.split("[<>=]", each)[0] for each in requires("impasto-client")) == ["httpx", "pydantic"]
folder = Path(impasto_client.__file__).parent
assert folder.is_relative_to(sys.prefix) and (folder / "py.typed").exists()
try:
    impasto_client.Client("http://127.0.0.1:1", retries=impasto_client.NO_RETRIES).classify(b"x")
except impasto_client.NoAnswer as error:
    print(error)
"""


@pytest.mark.slow
def test_its_wheel_works_in_an_environment_of_its_own(tmp_path: Path) -> None:
    """Needs a package index, for httpx and pydantic."""
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(tmp_path / "dist")]
    _run(sys.executable, "-m", "pip", *wheel, str(_copy(tmp_path)))
    (built,) = (tmp_path / "dist").glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", built)
    assert "No service answers at http://127.0.0.1:1" in _run(python, "-c", PROGRAM)
    names = _run(python, "-m", "pip", "list", "--format=freeze")
    assert "torch" not in names and "impasto-client" in names


def _copy(folder: Path) -> Path:
    """A copy of the project, so that the build leaves nothing in the checkout."""
    copied = folder / "project"
    _run("cp", "-rL", PROJECT, copied)
    return copied


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
