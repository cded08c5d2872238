"""How long a job of each kind may stand still, which docs/faults.md and docs/deployment.md say."""

from pathlib import Path

import pytest

from app.jobs.repository import NewJob, create_job
from app.kinds import KINDS
from tests.support.claiming import claim_by_id
from worker.runtime.context import WorkerContext
from worker.runtime.stalls import watch_jobs

DOCS = Path(__file__).parents[3] / "docs"
# Of trainings, downloads and embeddings; all others have 15.
MINUTES = {"train": 30, "learning_rate_range": 30, "pull_weights": 30, "embedding": 60}


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_job_of_each_kind_is_watched_for_as_long_as_is_documented(
    context: WorkerContext, kind: str
) -> None:
    job, _ = create_job(context.engine, NewJob(kind, "long", {}))
    claim = claim_by_id(context.engine, job.id)
    assert claim is not None
    watch = watch_jobs(context, [claim])
    assert watch.seconds == 60 * MINUTES.get(kind, 15) * context.settings.stall_factor > 0


def test_the_documents_name_them_all() -> None:
    assert MINUTES.keys() < KINDS.keys()
    fault = "no step, tile or phase in 15 minutes (30 or 60 for trainings, downloads and embeddings; "
    assert f"{fault}`IMPASTO_STALL_FACTOR` scales it)" in (DOCS / "faults.md").read_text()
    setting = "15 minutes, of trainings and downloads 30, of embeddings 60; 0: for ever"
    assert setting in (DOCS / "deployment.md").read_text()
