"""Workers whose process is replaced between two jobs."""

from collections.abc import Callable

import pytest

from tests.faults.conftest import Deploy, by_turns
from tests.faults.test_workers import painters
from tests.support.deployment import Deployment, Mode
from tests.support.service import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]


def run_all(service: Deployment, count: int) -> set[int]:
    """Paint some small pictures; the processes of workers that were there meanwhile."""
    seen: set[int] = set()
    # No two can be computed together.
    jobs = [service.paint(size=32 + 8 * place, steps=2, seed=place) for place in range(count)]

    def ended() -> bool:
        seen.update(painters(service))
        return all(service.job(job_id).ended for job_id in jobs)

    wait_for(ended)
    for job_id in jobs:
        assert (service.job(job_id).attempt, service.job(job_id).lost_attempts) == (1, 0)
        service.check_made_once(job_id)
    wait_for(lambda: painters(service))
    return seen | set(painters(service))


@by_turns(
    ("settings", "enough"),
    [
        ({"IMPASTO_RECYCLE_JOBS": "2"}, lambda seen: len(seen) >= 3),
        ({"IMPASTO_RECYCLE_BYTES": "1"}, lambda seen: len(seen) >= 4),
        ({"IMPASTO_RECYCLE_JOBS": "1000", "IMPASTO_RECYCLE_BYTES": str(10**15)}, lambda seen: len(seen) == 1),
    ],
)
def test_a_new_process_takes_over_between_jobs(
    deploy: Deploy, mode: Mode, settings: dict[str, str], enough: Callable[[set[int]], bool]
) -> None:
    service = deploy(mode, **settings)
    seen = run_all(service, 5)
    assert enough(seen), (seen, service.logs)
    assert ("a fresh worker takes" in service.logs) == (settings.get("IMPASTO_RECYCLE_BYTES") == "1")
    assert "WARNING app.supervision.supervisor" not in service.logs
    assert "WorkerLostError" not in service.logs
