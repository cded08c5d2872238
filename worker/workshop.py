"""What a worker process has at hand."""

from dataclasses import dataclass

from sqlalchemy import Engine

from app.jobs.dispatch import Dispatcher
from app.settings import Settings
from app.storage import Storage
from worker.steps import Compute


@dataclass(frozen=True)
class Workshop:
    """Everything that running a job needs. ``owner`` names this worker in claims."""

    engine: Engine
    storage: Storage
    dispatcher: Dispatcher
    settings: Settings
    owner: str
    compute: Compute
