"""Starting a process on a machine that cannot start one now."""

import logging
import os
from pathlib import Path

import pytest

from app.supervision.child import Child
from app.supervision.supervisor import start


def test_a_process_that_cannot_be_started_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "program"
    child = Child("worker", lambda _: [str(program)], dict(os.environ))
    with caplog.at_level(logging.WARNING):
        start(child, 100.0)
        assert child.pid is None and child.restart_at == 100.5
        start(child, 100.5)
    assert child.pid is None and child.restart_at == 101.5
    assert "Cannot start the worker, trying again in 1 s" in caplog.text

    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    start(child, 101.5)
    while not child.died():
        pass
    assert child.returncode == 3 and not child.ever_ready
