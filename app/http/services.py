"""What routes have at hand."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from app.jobs.dispatch.base import Dispatcher
from app.jobs.notifier import Changes
from app.settings import Settings
from app.storage import Storage


@dataclass(frozen=True)
class Context:
    """Settings, database, storage, dispatcher and event hub of this process."""

    settings: Settings
    engine: Engine
    storage: Storage
    dispatcher: Dispatcher
    changes: Changes


async def _context(request: Request) -> Context:
    # Not for waiting: a function that is not async would be run in another thread, for every request.
    context: Context = request.app.state.context
    return context


Here = Annotated[Context, Depends(_context)]
