"""What a worker process needs to run jobs."""

import threading
from dataclasses import dataclass, field
from functools import cached_property

import torch
from sqlalchemy import Engine

from app.database.engine import WORKER_CONNECTIONS, make_engine
from app.jobs.claims import Claim
from app.jobs.dispatch.base import Dispatcher, make_dispatcher
from app.jobs.stored_files import open_storage
from app.settings import Settings
from app.storage import Storage
from worker.contract.compute import Compute
from worker.networks.loading import NetworkLoader
from worker.runtime.device import choose_devices, choose_dtype, choose_threads, has_native_bfloat16, memory_of
from worker.runtime.heap import return_large_pieces
from worker.runtime.stack_sizes import StackSizes


@dataclass(frozen=True)
class WorkerContext:
    """What running a job needs. ``worker_id`` identifies this worker in claims."""

    engine: Engine
    storage: Storage
    dispatcher: Dispatcher
    settings: Settings
    worker_id: str
    compute: Compute
    # Set when jobs must end in the middle of a step, since this process is about to be killed.
    hurry: threading.Event = field(default_factory=threading.Event)
    # Jobs that were not run, nor given back, since the database was away.
    left: list[Claim] = field(default_factory=list)

    @cached_property
    def stack_sizes(self) -> StackSizes:
        """How many jobs this worker computes together."""
        return StackSizes(self.compute)

    @property
    def memory_bytes(self) -> int:
        """What a job may take of the memory."""
        return memory_of(self.compute.device, self.settings.worker_memory_bytes)

    @property
    def networks(self) -> NetworkLoader:
        """Every network that a job may name."""
        return NetworkLoader(self.settings.weights, self.engine, self.storage)


def make_context(
    settings: Settings, worker_id: str, device_name: str, *, lane: str = "long", sharing: int = 1
) -> WorkerContext:
    """Open the database and the storage, choose device, dtype and, for this whole process, threads.

    ``sharing`` workers share the cores. ValueError if there is no such device, or the
    files of the database are not there.
    """
    device, *partners = choose_devices(settings, device_name, lane)
    # Each rank of a training on the CPU computes with as many threads.
    ranks = [device, *partners].count(device) if device.type == "cpu" else 1
    return_large_pieces()
    torch.set_num_threads(choose_threads(settings.threads, lane, sharing * ranks))
    engine = make_engine(settings.resolved_database_url, WORKER_CONNECTIONS)
    return WorkerContext(
        engine=engine,
        storage=open_storage(settings, engine),
        dispatcher=make_dispatcher(settings),
        settings=settings,
        worker_id=worker_id,
        compute=Compute(
            device,
            choose_dtype(device, settings.precision),
            picture_bytes=settings.max_picture_memory_bytes,
            partners=tuple(partners),
            may_round=settings.precision == "auto" and has_native_bfloat16(device),
        ),
    )
