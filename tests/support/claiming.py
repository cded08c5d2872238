"""Claims of a certain job, whatever its place in the queue."""

from sqlalchemy import Engine, select

from app.database.engine import write
from app.jobs.claims import Claim, take
from app.jobs.tables import jobs


def claim_by_id(
    engine: Engine, job_id: str, worker_id: str = "w", lease_seconds: float = 30.0
) -> Claim | None:
    """Claim one job; None if it does not wait."""
    with write(engine) as connection:
        found = select(jobs.c.id).where(jobs.c.id == job_id)
        return next(iter(take(connection, found, worker_id, lease_seconds)), None)
