"""What runs jobs in tests."""

from collections.abc import Iterator

import pytest
import torch

from app.jobs.database import make_engine
from app.jobs.dispatch import LocalDispatcher
from app.migrations import upgrade
from app.settings import Settings
from app.storage.factory import make_storage
from worker.steps import Compute
from worker.workshop import Workshop


@pytest.fixture
def workshop(settings: Settings) -> Iterator[Workshop]:
    """A database, a storage and the CPU."""
    upgrade(settings.resolved_database_url)
    engine = make_engine(settings.resolved_database_url)
    yield Workshop(
        engine=engine,
        storage=make_storage(settings),
        dispatcher=LocalDispatcher(settings.data_dir),
        settings=settings,
        owner="w1",
        compute=Compute(torch.device("cpu")),
    )
    engine.dispose()
