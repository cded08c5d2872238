"""``impasto`` started where it can write no line, has no streams, or stands in no folder."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests.support.service import IMPASTO, PATIENCE, processes_of, wait_for

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and needs /dev/full")
NO_STREAMS = "exec {} serve <&- >&- 2>&-"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(data_dir: Path, command: list[str], log: int) -> Iterator[subprocess.Popen[bytes]]:
    """A service that writes its lines to ``log``, once it is ready."""
    port = str(free_port())
    settings = {"IMPASTO_DATA_DIR": str(data_dir), "IMPASTO_PORT": port, "IMPASTO_LANES": "short"}
    process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)

    def is_ready() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60, trust_env=False).is_success
        except httpx.ConnectError:
            return False

    try:
        wait_for(is_ready)
        yield process
    finally:
        process.kill()
        process.wait()


@linux
@pytest.mark.server
def test_lines_that_cannot_be_written_end_no_service(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    # As of `impasto serve | head`.
    reader, broken = os.pipe()
    os.close(reader)
    for log in (full, broken):
        with serving(tmp_path / "data", [str(IMPASTO), "serve"], log) as process:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        os.close(log)


@linux
@pytest.mark.server
def test_streams_that_are_closed_are_no_files_of_the_service(tmp_path: Path) -> None:
    with serving(tmp_path / "data", ["sh", "-c", NO_STREAMS.format(IMPASTO)], subprocess.DEVNULL):
        for pid in processes_of(tmp_path / "data"):
            streams = [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)]
            assert streams == [os.devnull] * 3, processes_of(tmp_path / "data")[pid]


@linux
@pytest.mark.parametrize("command", ["serve", "doctor", "--version"])
def test_a_folder_that_is_gone_is_said_in_one_line(tmp_path: Path, command: str) -> None:
    script = f"mkdir gone && cd gone && rmdir ../gone && exec {IMPASTO} {command}"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "change into another" in done.stderr


@linux
@pytest.mark.parametrize("command", ["weights list", "--version"])
def test_a_full_disk_of_an_output_is_said_in_one_line(command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [str(IMPASTO), *command.split()], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == "impasto: What it says cannot be written: No space left on device.\n"


@pytest.mark.parametrize(
    "name",
    [
        "lease_seconds",
        "cancel_grace_seconds",
        "checkpoint_seconds",
        "shutdown_seconds",
        "keep_days",
        "keep_uploads_days",
        "stall_factor",
        "max_clip_seconds",
        "max_image_aspect",
    ],
)
def test_no_setting_is_without_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("inf", "nan", "1e300"):
        if (name, value) == ("max_image_aspect", "1e300"):
            continue
        monkeypatch.setenv(f"IMPASTO_{name.upper()}", value)
        with pytest.raises(ValidationError, match=name):
            Settings()
