"""The last line of a test run, and skips that count as failures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.skips import TOO_LATE

ROOT = Path(__file__).parents[2]
CONFIGURATION = "[pytest]\nmarkers =\n    server\n    browser\n    slow\n"
PASSES = "def test_passes(): pass\n"
NO_SERVER = "import pytest\n@pytest.mark.server\ndef test_server(): pytest.skip('no server')\n"
NO_GPU = "import pytest\n@pytest.mark.skipif(True, reason='no GPU')\ndef test_gpu(): pass\n"
LATE = f"{TOO_LATE} 0 min"
WHOLE_FILE = "import pytest\npytest.skip('no library', allow_module_level=True)\n"

pytestmark = pytest.mark.server


def run(folder: Path, tests: str, *arguments: str) -> tuple[int, str]:
    """Exit code and last line of a run of pytest on one file."""
    (folder / "pytest.ini").write_text(CONFIGURATION)
    (folder / "test_it.py").write_text(tests)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.skips", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return result.returncode, result.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("tests", "arguments", "expected"),
    [
        (PASSES, (), (0, "Nothing was skipped.")),
        (NO_SERVER + NO_GPU, (), (0, "Skipped 2 tests: 1 because: no GPU; 1 because: no server.")),
        (NO_SERVER, ("-m", "not server"), (5, "Nothing was skipped. Not asked for: 1.")),
        (NO_GPU + PASSES, ("--require-programs",), (0, "Skipped 1 test: 1 because: no GPU.")),
        (NO_SERVER + PASSES, ("--require-programs",), (1, "Skipped 1 test: 1 because: no server.")),
        (WHOLE_FILE, ("--require-programs",), (1, "Skipped 1 test: 1 because: no library.")),
        (PASSES, ("--require-programs", "-m", "slow"), (5, "Nothing was skipped. Not asked for: 1.")),
        (NO_SERVER, ("--require-programs", "--none-after", "0"), (0, f"Skipped 1 test: 1 because: {LATE}.")),
        (PASSES, ("--none-after", "1"), (0, "Nothing was skipped.")),
    ],
)
def test_the_last_line_and_the_exit_code_tell_the_truth(
    tmp_path: Path, tests: str, arguments: tuple[str, ...], expected: tuple[int, str]
) -> None:
    assert run(tmp_path, tests, *arguments) == expected
