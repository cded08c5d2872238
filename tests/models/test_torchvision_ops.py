"""torchvision imports in a fresh process, whichever torch it is beside."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_torchvision_imports_and_knows_its_models() -> None:
    code = (
        "from models.torchvision_ops import import_torchvision as get\n"
        "assert get() is get()\n"
        "print(get().models.vgg19.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "vgg19\n"), done.stderr
