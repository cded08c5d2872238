"""What a worker process has at hand."""

from dataclasses import dataclass

import torch
from sqlalchemy import Engine

from app.database.engine import make_engine
from app.jobs.dispatch.base import Dispatcher, make_dispatcher
from app.settings import Settings
from app.storage import Storage
from app.storage.factory import make_storage
from worker.contract.compute import Compute
from worker.runtime.device import choose_device, choose_dtype


@dataclass(frozen=True)
class WorkerContext:
    """Everything that running a job needs. ``worker_id`` names this worker in claims."""

    engine: Engine
    storage: Storage
    dispatcher: Dispatcher
    settings: Settings
    worker_id: str
    compute: Compute


def make_context(settings: Settings, worker_id: str, device_name: str) -> WorkerContext:
    """Open the database and the storage, choose device and precision."""
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    device = choose_device(device_name)
    return WorkerContext(
        engine=make_engine(settings.resolved_database_url),
        storage=make_storage(settings),
        dispatcher=make_dispatcher(settings),
        settings=settings,
        worker_id=worker_id,
        compute=Compute(device, choose_dtype(device, settings.precision)),
    )
