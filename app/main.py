"""The HTTP service."""

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool

from app.database.engine import make_engine
from app.database.migrations import upgrade
from app.http import openapi as description
from app.http import problems
from app.http.middleware import BodyLimit, SameOrigin, SecurityHeaders
from app.http.services import Context
from app.images import routes as images
from app.jobs import event_routes as events
from app.jobs import kind_routes as kinds
from app.jobs import routes as jobs
from app.jobs.dispatch.base import make_dispatcher
from app.jobs.notifier import Changes
from app.jobs.reaper import expire_leases, finish_takeback
from app.jobs.removal import remove_old_jobs
from app.monitoring import health, metrics
from app.networks import routes as networks
from app.settings import Settings, get_settings
from app.storage.factory import make_storage
from app.web.router import mount_static
from app.web.router import router as web_router
from app.workers import repository as workers

log = logging.getLogger(__name__)

REAP_SECONDS = 2.0
# A worker that was silent this long is taken off the register.
FORGET_SECONDS = 120.0


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service for some settings, or for those of the environment. Brings the database up to date."""
    settings = settings or get_settings()
    upgrade(settings.resolved_database_url)
    engine = make_engine(settings.resolved_database_url)
    context = Context(
        settings=settings,
        engine=engine,
        storage=make_storage(settings),
        dispatcher=make_dispatcher(settings),
        changes=Changes(engine),
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
    app.include_router(kinds.make_router())
    for module in (jobs, events, images, networks, health, metrics):
        app.include_router(module.router)
    description.install(app)
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
    here: Context = app.state.context
    stop = threading.Event()
    thread = threading.Thread(target=_reap, args=(here, stop), name="reaper")
    thread.start()
    await run_in_threadpool(here.storage.clean_leftovers)
    try:
        async with here.changes.listening(here.settings):
            yield
    finally:
        stop.set()
        await run_in_threadpool(thread.join)
        here.dispatcher.close()
        here.engine.dispose()


def _reap(here: Context, stop: threading.Event) -> None:
    """Put right what lost workers left, now and then."""
    while not stop.wait(REAP_SECONDS):
        try:
            lost = expire_leases(here.engine, here.settings.max_attempts)
            for job in lost:
                log.warning("job %s: its worker was lost, now %s", job.id, job.state)
            finish_takeback(lost, here.dispatcher, here.storage)
            here.dispatcher.send_lost_hints(here.engine)
            if here.settings.keep_days is not None:
                remove_old_jobs(here.engine, here.storage, here.settings.keep_days)
            workers.prune(here.engine, FORGET_SECONDS)
        except OperationalError as error:
            log.warning("the database is away: %s", error.orig)
        except Exception:
            # Without it no lost job would ever be taken back; whatever is wrong may be right the next time.
            log.exception("the reaper failed")
