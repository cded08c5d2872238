"""Backups taken of a service at work, by `impasto backup` or by hand in either order, and what comes back."""

import json
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.jobs.job import Job
from app.jobs.repository import list_jobs
from tests.faults.conftest import Deploy
from tests.support.deployment import Deployment, Mode, shown_logs
from tests.support.postgres import PostgresServer, find_program
from tests.support.redis import redis_server
from tests.support.service import IMPASTO, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

# More steps than anybody waits for: it runs until it is cancelled.
LONG = 20_000
Figure = Callable[[str], None]
SETTINGS = {"IMPASTO_CHECKPOINT_SECONDS": "0.2", "IMPASTO_LANES": "long", "IMPASTO_DEVICE": "cpu,cpu"}


def impasto(service: Deployment, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of impasto with the settings of a service."""
    return subprocess.run(
        [IMPASTO, *arguments], env=service.environment, capture_output=True, text=True, timeout=300
    )


def copy_database(service: Deployment, folder: Path) -> None:
    """As an operator does by hand."""
    if service.mode == "embedded":
        source = service.data_dir / "impasto.db"
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(folder / "db")) as copy:
            live.backup(copy)
        return
    url = service.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    program = find_program("pg_dump")
    assert program is not None
    subprocess.run([program, "-Fc", "-f", folder / "db", url], check=True, timeout=120)


def copy_files(service: Deployment, folder: Path) -> None:
    tar = ["tar", "-C", service.data_dir, "-cf", folder / "files.tar", "--exclude=impasto.db*", "."]
    # 1: files came or went meanwhile.
    assert subprocess.run(tar, timeout=120, stderr=subprocess.DEVNULL).returncode in (0, 1)


def put_back(service: Deployment, folder: Path) -> None:
    service.data_dir.mkdir(exist_ok=True)
    subprocess.run(["tar", "-C", service.data_dir, "-xf", folder / "files.tar"], check=True, timeout=120)
    if service.mode == "embedded":
        (folder / "db").rename(service.data_dir / "impasto.db")
        return
    program = find_program("pg_restore")
    assert program is not None
    url = service.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run([program, "--no-owner", "-d", url, folder / "db"], check=True, timeout=120)


@contextmanager
def load(service: Deployment) -> Iterator[list[str]]:
    """Jobs with pictures of their own, one after the other; their ids."""
    made: list[str] = []
    ended = threading.Event()

    def submit() -> None:
        while not ended.wait(0.05):
            made.append(service.paint(size=32, steps=2, seed=len(made)))

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        yield made
    finally:
        ended.set()
        thread.join()


@contextmanager
def another(service: Deployment, folder: Path, server: PostgresServer | None) -> Iterator[Deployment]:
    """An empty service of the same mode, which is yet to be started."""
    folder.mkdir()
    with ExitStack() as stack:
        url = redis = None
        if service.mode == "celery":
            assert server is not None
            url = stack.enter_context(server.database())
            (folder / "redis").mkdir()
            redis = stack.enter_context(redis_server(folder / "redis"))
        made = Deployment(service.mode, folder, url, redis, **SETTINGS)
        stack.callback(made.close)
        yield made


def jobs_of(service: Deployment) -> dict[str, Job]:
    found: dict[str, Job] = {}
    last: str | None = None
    while page := list_jobs(service.engine, limit=100, before=last):
        found |= {job.id: job for job in page}
        last = page[-1].id
    return found


def missing_in(service: Deployment) -> set[str]:
    """The keys of the missing files that `impasto doctor --files` names."""
    checks = json.loads(impasto(service, "doctor", "--files", "--json").stdout)
    (found,) = [check["found"] for check in checks if check["part"] == "files of rows"]
    return {part.split(":")[0] for part in found.split("; ")} if ":" in found else set()


@pytest.mark.parametrize(
    ("mode", "how"),
    [
        ("embedded", "impasto backup"),
        pytest.param("celery", "impasto backup", marks=pytest.mark.long),
        pytest.param("embedded", "database first", marks=pytest.mark.long),
        ("celery", "files first"),
        pytest.param("celery", "database first", marks=pytest.mark.long),
        pytest.param("embedded", "files first", marks=pytest.mark.long),
    ],
    indirect=["mode"],
)
def test_what_database_and_files_both_have_comes_back(
    deploy: Deploy, request: pytest.FixtureRequest, mode: Mode, how: str, tmp_path: Path, figure: Figure
) -> None:
    service = deploy(mode, **SETTINGS)
    long = service.paint(size=48, steps=LONG)
    least = wait_for(lambda: service.job(long).checkpoint or {})["done"]
    backup = tmp_path / "backup"
    with load(service) as made:
        wait_for(lambda: len(made) > 5)
        before = list(made)
        ended = {job_id for job_id in before if service.job(job_id).state == "succeeded"}
        if how == "impasto backup":
            began = time.monotonic()
            result = impasto(service, "backup", str(backup))
            assert result.returncode == 0, result.stderr
            figure(f"{mode}: {result.stdout.strip()[:70]} ... in {time.monotonic() - began:.1f} s")
        else:
            backup.mkdir()
            first, second = (
                (copy_database, copy_files) if how == "database first" else (copy_files, copy_database)
            )
            first(service, backup)
            time.sleep(1)
            second(service, backup)
    for part in service.parts.values():
        part.kill_all()

    server = request.getfixturevalue("server") if mode == "celery" else None
    with shown_logs(another(service, tmp_path / "restored", server)) as again:
        if how == "impasto backup":
            result = impasto(again, "restore", str(backup))
            assert result.returncode == 0, result.stderr
            assert "jobs were running" in result.stdout
            assert result.stderr == ""
        else:
            put_back(again, backup)
        restored = jobs_of(again)
        assert {long, *before} <= restored.keys()
        del restored[long]
        missing = missing_in(again)
        again.start()
        goes_on = again.wait_for_progress(long, attempt=2)
        assert f"job {long}: resumes from" in again.logs
        assert goes_on.progress is not None and goes_on.progress["done"] > least
        again.request("POST", f"/v1/jobs/{long}/cancel")
        assert again.wait_for_row(long, "cancelled", "failed").state == "cancelled"
        check_all(again, restored, since=set(made) - set(before), ended=ended, missing=missing)


def check_all(
    service: Deployment, restored: dict[str, Job], *, since: set[str], ended: set[str], missing: set[str]
) -> None:
    """Assert that jobs end, or lack a picture that was not copied, and that their own pictures are there."""
    for job_id, before in restored.items():
        job = service.wait_for_row(job_id, "succeeded", "failed")
        if job.state == "failed":
            assert job_id in since and job.error is not None, job
            assert "is gone: send the picture again" in job.error["detail"]
            continue
        answer = httpx.get(f"{service.url}/v1/jobs/{job_id}/artifacts/image", timeout=60, trust_env=False)
        if answer.status_code == 200:
            continue
        # It ended between the copies.
        problem: dict[str, Any] = answer.json()
        assert job_id not in ended and before.ended, job
        assert (answer.status_code, problem["type"]) == (404, "file_gone")
        assert any(job_id in key for key in missing)
