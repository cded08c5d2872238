"""What runs jobs in tests."""

from collections.abc import Iterator

import pytest
import torch

from app.database.engine import make_engine
from app.database.migrations import upgrade
from app.jobs.dispatch.base import LocalDispatcher
from app.settings import Settings
from app.storage.factory import make_storage
from worker.contract.compute import Compute
from worker.runtime.context import WorkerContext


@pytest.fixture
def context(settings: Settings) -> Iterator[WorkerContext]:
    """A database, a storage and the CPU."""
    upgrade(settings.resolved_database_url)
    engine = make_engine(settings.resolved_database_url)
    yield WorkerContext(
        engine=engine,
        storage=make_storage(settings),
        dispatcher=LocalDispatcher(settings.data_dir),
        settings=settings,
        worker_id="w1",
        compute=Compute(torch.device("cpu")),
    )
    engine.dispose()
