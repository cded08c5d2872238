"""``impasto jobs`` against a real service on a real socket."""

import json
import threading
import time

import httpx
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from app.cli import program
from app.jobs import claims, repository
from app.jobs.dispatch.base import LocalDispatcher
from app.jobs.states import State
from app.settings import Settings
from tests.support.claiming import claim_by_id
from tests.support.strange_pictures import noise


@pytest.fixture
def job_id(address: str) -> str:
    files = {"content": ("a.png", noise(seed=1)), "style": ("b.png", noise(seed=2))}
    identity: str = httpx.post(f"{address}/v1/style-transfer", files=files).json()["id"]
    return identity


def impasto(address: str, *arguments: str) -> Result:
    return CliRunner().invoke(program, ["jobs", *arguments, "--url", address])


@pytest.mark.medium
def test_list_and_show(address: str, job_id: str) -> None:
    listed = impasto(address, "list")
    assert listed.exit_code == 0 and job_id in listed.output and "queued" in listed.output
    assert job_id not in impasto(address, "list", "--state", "failed").output
    assert json.loads(impasto(address, "list", "--json").stdout)[0]["id"] == job_id
    shown = impasto(address, "show", job_id)
    assert shown.exit_code == 0 and '"preset": "impasto"' in shown.output
    assert json.loads(impasto(address, "show", job_id, "--json").stdout)["id"] == job_id


@pytest.mark.medium
def test_cancel_then_retry(address: str, job_id: str) -> None:
    assert "cancelled" in impasto(address, "cancel", job_id).output
    again = impasto(address, "retry", job_id).stdout.strip()
    assert again != job_id and "queued" in impasto(address, "show", again).output


@pytest.mark.medium
@pytest.mark.parametrize(("state", "code"), [(State.SUCCEEDED, 0), (State.FAILED, 1)])
def test_watch_follows_to_the_end(
    address: str, job_id: str, database: Engine, settings: Settings, state: State, code: int
) -> None:
    error = {"type": "x", "title": "No", "detail": "The paint was dry.", "field": None}

    def work() -> None:
        time.sleep(0.3)
        claim = claim_by_id(database, job_id, "w", 30)
        assert claim is not None
        progress = {"done": 3, "total": 9, "losses": {"total": 2.0}, "eta_seconds": 1.0}
        claims.report_progress(database, claim, progress)
        claims.finish(database, claim, state, error=error if code else None)
        LocalDispatcher(settings.data_dir).changed(job_id)

    worker = threading.Thread(target=work)
    worker.start()
    watched = impasto(address, "watch", job_id)
    worker.join()
    assert watched.exit_code == code
    assert ("The paint was dry." in watched.output) == bool(code)


@pytest.mark.medium
def test_watch_of_a_job_that_ended_long_ago(address: str, job_id: str, database: Engine) -> None:
    repository.request_cancel(database, job_id)
    assert impasto(address, "watch", job_id).exit_code == 1


@pytest.mark.medium
def test_what_is_not_there_is_said_in_one_line(address: str) -> None:
    unknown = impasto(address, "show", "nope")
    assert unknown.exit_code == 1 and "There is no job nope" in unknown.output
    away = impasto("http://127.0.0.1:1", "list")
    assert away.exit_code == 1 and "No service answers" in away.output
    assert len(away.output.strip().splitlines()) == 1


def test_a_service_on_every_address_is_asked_on_loopback() -> None:
    answer = CliRunner().invoke(program, ["jobs", "list"], env={"IMPASTO_HOST": "::", "IMPASTO_PORT": "1"})
    assert answer.exit_code == 1 and "http://[::1]:1 " in answer.output
