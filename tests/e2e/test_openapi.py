"""The OpenAPI tells the truth: schemathesis tries it on a running service, with all its checks.

No answer is a 500 or one that is not described; what the description forbids is refused, and what it allows
is accepted, unless only the service can know better (tests/support/openapi_hooks.py).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import Service, running, wait_for
from tests.support.strange_pictures import plain

SEED = 1
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
HOOKS = "tests.support.openapi_hooks"
ROOT = Path(__file__).parents[2]
# Checks that are replaced by those of the hooks.
REPLACED = "positive_data_acceptance,negative_data_rejection"
# The streams of jobs that have not ended do not end: they have a test of their own.
NO_STREAMS = ("--exclude-path-regex", "/events$")
STREAMS = "job_events,many_events,batch_events"
# Operations of every room that need no worker and little time.
FEW = "list_jobs,create_job,pause_job,upload_image,create_dataset,list_members,retry_batch,list_networks"


def attack(
    service: Service, tmp_path: Path, *options: str, image: str | None = None, **there_are: str
) -> None:
    """Have schemathesis try the service, and fail with what it reports. Of what there is, it is given ids."""
    image = image or upload(service)
    command = [
        SCHEMATHESIS,
        "run",
        f"{service.url}/v1/openapi.json",
        *("--checks", "all", "--exclude-checks", REPLACED),
        *("--seed", str(SEED), "--generation-database", "none"),
        *("--wait-for-schema", "60", "--request-timeout", "120", "--max-response-time", "120"),
        *("--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure", "--no-color"),
        *options,
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": HOOKS,
        "OPENAPI_TEST_IMAGE": image,
        **there_are,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert service.process.poll() is None


def upload(service: Service) -> str:
    """The id of a picture that is uploaded now."""
    files = {"image": ("a.png", plain(size=(64, 48)))}
    return str(service.request("POST", "/v1/images", files=files)["id"])


def only(operations: str) -> list[str]:
    """The options that leave out all operations but some."""
    return [option for name in operations.split(",") for option in ("--include-operation-id", name)]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_operation_does_as_it_says(tmp_path: Path) -> None:
    # Jobs of other lanes wait: some of those that are made up would take hours.
    with running(tmp_path / "data", IMPASTO_LANES="short") as service:
        phases = ("--phases", "examples,fuzzing,stateful", "--max-time", "420", "-n", "20")
        attack(service, tmp_path, *phases, *NO_STREAMS)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_limit_of_every_operation_holds(tmp_path: Path) -> None:
    with running(tmp_path / "data", IMPASTO_LANES="short") as service:
        attack(service, tmp_path, "--phases", "coverage", *NO_STREAMS)


@pytest.mark.server
def test_some_operations_do_as_they_say(tmp_path: Path) -> None:
    with running(tmp_path / "data", IMPASTO_LANES="short") as service:
        attack(service, tmp_path, "--phases", "examples,fuzzing", "-n", "5", *only(FEW))


@pytest.mark.server
def test_event_streams_do_as_they_say(tmp_path: Path) -> None:
    # All jobs have ended, and so will the streams.
    with running(tmp_path / "data", IMPASTO_LANES="short") as service:
        image = upload(service)
        entry = {"kind": "deep_dream", "params": {"image": image}}
        job = service.request("POST", "/v1/jobs", json=entry)["id"]
        service.request("POST", f"/v1/jobs/{job}/cancel")
        lines = {
            "content": json.dumps({"custom_id": "a", **entry}),
            "headers": {"Content-Type": "application/x-ndjson"},
        }
        batch = service.request("POST", "/v1/batches", **lines)["id"]
        service.request("POST", f"/v1/batches/{batch}/cancel")
        wait_for(lambda: service.request("GET", f"/v1/batches/{batch}")["state"] == "cancelled")
        ids = {"OPENAPI_TEST_JOB": job, "OPENAPI_TEST_BATCH": batch}
        attack(
            service,
            tmp_path,
            "--phases",
            "examples,coverage,fuzzing",
            "-n",
            "20",
            *only(STREAMS),
            image=image,
            **ids,
        )
