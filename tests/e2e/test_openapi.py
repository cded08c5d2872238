"""The OpenAPI tells the truth: schemathesis tries it on a running service, with all its checks.

No answer is a 500 or one that is not described; what the description forbids is refused, and what it allows
is accepted, unless only the service can know better (tests/support/openapi_hooks.py).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import Service, running
from tests.support.strange_pictures import plain

SEED = 1
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
HOOKS = "tests.support.openapi_hooks"
ROOT = Path(__file__).parents[2]
# One check is replaced by one of the hooks.
REPLACED = "positive_data_acceptance"
# Operations of every room that need no worker and little time.
FEW = "list_jobs,create_job,pause_job,upload_image,create_dataset,list_members,retry_batch,list_networks"


def attack(service: Service, tmp_path: Path, *options: str) -> None:
    """Have schemathesis try the service, and fail with what it reports."""
    files = {"image": ("a.png", plain(size=(64, 48)))}
    image = service.request("POST", "/v1/images", files=files)["id"]
    command = [
        SCHEMATHESIS,
        "run",
        f"{service.url}/v1/openapi.json",
        *("--checks", "all", "--exclude-checks", REPLACED),
        # An event stream may never end.
        *("--exclude-path-regex", "/events$"),
        *("--seed", str(SEED), "--generation-database", "none"),
        *("--wait-for-schema", "60", "--request-timeout", "120", "--max-response-time", "120"),
        *("--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure", "--no-color"),
        *options,
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": HOOKS,
        "OPENAPI_TEST_IMAGE": image,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert service.process.poll() is None


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_operation_does_as_it_says(tmp_path: Path) -> None:
    # Jobs of other lanes wait: some of those that are made up would take hours.
    with running(tmp_path / "data", IMPASTO_LANES="short") as service:
        attack(service, tmp_path, "--phases", "examples,fuzzing,stateful", "--max-time", "420", "-n", "20")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_limit_of_every_operation_holds(tmp_path: Path) -> None:
    with running(tmp_path / "data", IMPASTO_LANES="short") as service:
        attack(service, tmp_path, "--phases", "coverage")


@pytest.mark.server
def test_some_operations_do_as_they_say(tmp_path: Path) -> None:
    with running(tmp_path / "data", IMPASTO_LANES="short") as service:
        some = [option for name in FEW.split(",") for option in ("--include-operation-id", name)]
        attack(service, tmp_path, "--phases", "examples,fuzzing", "-n", "5", *some)
