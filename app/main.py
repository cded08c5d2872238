"""The HTTP service."""

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError

from app.api import health, images, jobs, kinds, networks, problems
from app.api.context import Context
from app.api.middleware import BodyLimit, SameOrigin, SecurityHeaders
from app.jobs.database import make_engine
from app.jobs.dispatch import LocalDispatcher
from app.jobs.reaper import expire_leases
from app.jobs.workers import forget_silent
from app.migrations import upgrade
from app.settings import Settings, get_settings
from app.storage.factory import make_storage
from app.web.router import mount_static
from app.web.router import router as web_router

log = logging.getLogger(__name__)

REAP_SECONDS = 2.0
# A worker that was silent this long is taken off the register.
FORGET_SECONDS = 120.0


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service for some settings, or for those of the environment. Brings the database up to date."""
    settings = settings or get_settings()
    upgrade(settings.resolved_database_url)
    context = Context(
        settings=settings,
        engine=make_engine(settings.resolved_database_url),
        storage=make_storage(settings),
        dispatcher=LocalDispatcher(settings.data_dir),
    )
    app = FastAPI(
        title="Impasto",
        version=version("impasto"),
        summary="Neural style transfer and image synthesis.",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        generate_unique_id_function=_operation_id,
    )
    app.state.context = context
    problems.install(app)
    for module in (kinds, jobs, images, networks, health):
        app.include_router(module.router)
    app.include_router(web_router)
    mount_static(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_request_bytes)
    app.add_middleware(SameOrigin)
    app.add_middleware(SecurityHeaders)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    stop = threading.Event()
    reaper = threading.Thread(target=_reap, args=(app.state.context, stop), name="reaper")
    reaper.start()
    yield
    stop.set()
    reaper.join()
    app.state.context.engine.dispose()


def _reap(here: Context, stop: threading.Event) -> None:
    """Put right what lost workers left, now and then."""
    while not stop.wait(REAP_SECONDS):
        try:
            for job in expire_leases(here.engine, here.settings.max_attempts):
                log.warning("job %s: its worker was lost, now %s", job.id, job.state)
                here.dispatcher.hint(job)
                here.dispatcher.changed(job.id)
            forget_silent(here.engine, FORGET_SECONDS)
        except OperationalError as error:
            log.warning("the database is away: %s", error.orig)
