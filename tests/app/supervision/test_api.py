"""How the API process starts and stops."""

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.supervision.api import only_problems


@pytest.mark.parametrize(
    ("message", "error", "logged"),
    [
        (
            "Exception in ASGI application\n",
            asyncio.CancelledError("timeout graceful shutdown exceeded"),
            False,
        ),
        ("Cancel %s running task(s), timeout graceful shutdown exceeded", None, False),
        ("Exception in ASGI application\n", ValueError("wrong"), True),
        ("Started server process", None, True),
    ],
)
def test_event_streams_that_end_with_the_service_are_no_problem(
    message: str, error: BaseException | None, logged: bool
) -> None:
    information = None if error is None else (type(error), error, None)
    record = logging.LogRecord("uvicorn.error", logging.ERROR, __file__, 1, message, (), information)
    assert only_problems(record) is logged


FAILING_START = """
import os, uvicorn
from app.jobs.dispatch.wakeups import run_dir
from app.main import create_app
from app.settings import get_settings

app = create_app()
# Open to others, so that no socket is made in it.
os.chmod(run_dir(get_settings().data_dir), 0o777)
uvicorn.run(app, port=0)
"""


@pytest.mark.server
def test_a_start_that_fails_ends_the_process(tmp_path: Path) -> None:
    """Threads were started by then, which must not keep it alive."""
    environment = {**os.environ, "IMPASTO_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-c", FAILING_START]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 3
    assert "open to others" in ended.stderr
