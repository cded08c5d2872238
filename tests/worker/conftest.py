"""What runs jobs in tests, and small networks and pictures."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from app.database.engine import make_engine
from app.database.migrations import upgrade
from app.jobs.dispatch.base import LocalDispatcher
from app.settings import Settings
from app.storage import make_storage
from models.network import Network
from tests.support.networks import make_convolutions
from worker.contract.compute import Compute
from worker.optim.kept import TARGETS
from worker.runtime.context import WorkerContext
from worker.runtime.inputs import DECODED


@pytest.fixture
def context(settings: Settings) -> Iterator[WorkerContext]:
    """A database, a storage and the CPU, of a worker that has computed nothing yet."""
    TARGETS.clear()
    DECODED.clear()
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


def drawn(height: int, width: int, seed: int) -> Tensor:
    """A smooth, colourful picture (1, 3, height, width) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 6, generator=generator)
    return nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="session")
def network() -> Network:
    return make_convolutions()


@pytest.fixture(scope="session")
def exact_network() -> Network:
    return make_convolutions(torch.float64)


@pytest.fixture(scope="session")
def rough_network() -> Network:
    return make_convolutions(torch.bfloat16)


@pytest.fixture(scope="session")
def content() -> Tensor:
    return drawn(45, 60, 1)


@pytest.fixture(scope="session")
def style() -> Tensor:
    return drawn(50, 40, 2)
