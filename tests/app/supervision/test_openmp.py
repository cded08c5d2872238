"""How OpenMP's threads wait."""

import os
import subprocess
import sys

import pytest

from app.supervision.openmp import let_threads_sleep


def test_torch_takes_the_number_of_turns() -> None:
    environment = dict(os.environ)
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        environment.pop(name, None)
    let_threads_sleep(environment)
    shown = subprocess.run(
        [sys.executable, "-c", "import torch"],
        env={**environment, "OMP_DISPLAY_ENV": "VERBOSE"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    if "GOMP_" not in shown:
        pytest.skip("this torch has another OpenMP than GNU's")
    assert f"GOMP_SPINCOUNT = '{environment['GOMP_SPINCOUNT']}'" in shown


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_what_the_environment_says_stays(name: str) -> None:
    environment = {name: "1"}
    let_threads_sleep(environment)
    assert environment == {name: "1"}
