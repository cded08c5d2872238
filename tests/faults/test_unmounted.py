"""The disk of the files is not mounted when the service, or one of its processes, starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import Deploy, mostly
from tests.support.deployment import Deployment, Mode, kill
from tests.support.service import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]


@contextmanager
def unmounted(files: Path) -> Iterator[None]:
    """The folder of files as it is without its disk, and again with it; nothing may come to be there."""
    disk = files.rename(files.with_name("disk"))
    files.mkdir()
    yield
    files.rmdir()
    disk.rename(files)


def check_done(service: Deployment, long: str, queued: str) -> None:
    """The job that ran goes on, and once it is cancelled the other one is done."""
    assert service.wait_for_progress(long, attempt=2).state == "running"
    service.request("POST", f"/v1/jobs/{long}/cancel")
    assert service.wait_for_row(queued, "succeeded", "failed", "cancelled").state == "succeeded"


def test_a_service_refuses_to_start_without_its_files(deploy: Deploy, mode: Mode) -> None:
    service = deploy(mode)
    long = service.paint(size=32, steps=20_000)
    service.wait_for_progress(long)
    queued = service.paint(size=32, steps=2)
    service.terminate()
    with unmounted(service.data_dir / "files"):
        for name, part in service.parts.items():
            written = len(part.log)
            part.start()
            assert part.wait() == 2, part.log
            (line,) = [line for line in part.log[written:].splitlines() if "Mount its disk" in line]
            assert str(service.data_dir / "files") in line and "Traceback" not in part.log[written:], name
    service.start()
    check_done(service, long, queued)


@mostly("celery")
def test_processes_that_are_started_anew_wait_for_their_files(deploy: Deploy, mode: Mode) -> None:
    service = deploy(mode)
    long = service.paint(size=32, steps=20_000)
    service.wait_for_progress(long)
    queued = service.paint(size=32, steps=2)
    with unmounted(service.data_dir / "files"):
        for part in service.parts.values():
            for pid in part.pids():
                if pid != part.process.pid:
                    kill(pid)
        wait_for(lambda: service.logs.count("Mount its disk") >= 2 * len(service.parts))
        assert service.job(queued).state == "queued"
        for part in service.parts.values():
            assert part.process.poll() is None, part.log
    service.wait_until_ready()
    check_done(service, long, queued)
