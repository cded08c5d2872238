"""What changes several jobs locks them in the order of their ids, so that two never wait for each other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from app.batches.batch import Batch
from app.database.engine import write
from app.jobs import claims
from app.jobs.claims import Claim
from app.jobs.tables import jobs
from tests.support.batch_context import BatchContext
from tests.support.claiming import claim_by_id
from tests.support.locks import change_behind, context_on
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.server


@pytest.fixture
def context(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[BatchContext]:
    with context_on(postgres_server, tmp_path) as context:
        yield context


def send_heartbeats(context: BatchContext, batch: Batch, held: list[Claim]) -> None:
    claims.heartbeat_all(context.engine, held)


def cancel(context: BatchContext, batch: Batch, held: list[Claim]) -> None:
    context.service.cancel(batch.id)
    context.keep()


def pause(context: BatchContext, batch: Batch, held: list[Claim]) -> None:
    context.service.pause(batch.id)
    context.keep()


@pytest.mark.parametrize("change", [send_heartbeats, cancel, pause])
def test_jobs_are_locked_in_the_order_of_their_ids(
    context: BatchContext, change: Callable[[BatchContext, Batch, list[Claim]], None]
) -> None:
    batch = context.create(4)
    context.keep()
    ids = sorted(job.id for job in context.all_jobs(batch))
    held = [claim for each in reversed(ids) if (claim := claim_by_id(context.engine, each))]
    assert len(held) == 4
    with write(context.engine) as connection:
        # It reads so small a table from its beginning on, where those are that were written first.
        connection.execute(text("ANALYZE jobs"))
    first = select(jobs.c.id).where(jobs.c.id == ids[0]).with_for_update()
    others = select(jobs.c.id).where(jobs.c.id != ids[0])
    _, free = change_behind(context.engine, first, lambda: change(context, batch, held), others)
    assert free == 3
