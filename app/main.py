"""The HTTP service."""

import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from app.batches import event_routes as batch_events
from app.batches import reading_routes as batch_reading
from app.batches import routes as batches
from app.batches import sheet_routes as batch_sheets
from app.batches.deletion import delete_leftover_spools
from app.batches.retention import delete_old
from app.batches.scrub import scrub
from app.database.engine import UNAVAILABLE, reason_of
from app.database.migrations import upgrade
from app.datasets import change_routes as dataset_changes
from app.datasets import routes as datasets
from app.datasets import statistics_routes as dataset_statistics
from app.datasets.layout import MAX_TABLE_BYTES
from app.http import openapi as description
from app.http import problems
from app.http.access_log import RequestLog
from app.http.bodies import MAX_JSON_BYTES
from app.http.errors import HostNotAllowed, InternalError, InvalidHost
from app.http.hosts import ANY, AllowedHosts, allowed_names
from app.http.middleware import AllowedOrigins, BodyLimit, SameOrigin, SecurityHeaders
from app.http.root_path import RootPath
from app.http.services import Services, make_services
from app.images import routes as images
from app.jobs import estimate_routes as estimates
from app.jobs import event_routes as events
from app.jobs import kind_routes as kinds
from app.jobs import routes as jobs
from app.jobs.chores import Chore
from app.jobs.leftovers import delete_leftovers
from app.jobs.reaper import ROUND_SECONDS, LeaseWatch, finish_takeback
from app.jobs.retention import DAY_SECONDS
from app.kinds import KINDS
from app.log_context import logged_with
from app.monitoring import health, metrics
from app.networks import routes as networks
from app.settings import Settings, get_settings
from app.web.router import mount_static
from app.web.router import router as web_router
from app.workers import repository as workers

log = logging.getLogger(__name__)

# What any request may be answered with.
OF_ALL = (InvalidHost, HostNotAllowed, InternalError)
# What a multipart body has beside its file.
MULTIPART_BYTES = 1 << 16
# What a form has beside a ZIP: a table of labels.
DATASET_FORM_BYTES = MAX_TABLE_BYTES + MULTIPART_BYTES
# A worker that was silent this long is taken off the register.
FORGET_SECONDS = 120.0
SWITCH_SECONDS = 0.001
# How long the end waits for what the reaper is at; it can be cut off anywhere, as by a kill.
REAPER_SECONDS = 5.0


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service for some settings, or for those of the environment. Brings the database up to date.

    Raises SchemaMismatch, one of UNAVAILABLE; WrongDataFolder if its files are not there.
    """
    settings = settings or get_settings()
    upgrade(settings.resolved_database_url)
    app = FastAPI(
        title="Impasto",
        version=version("impasto"),
        summary="Neural style transfer and image synthesis.",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        servers=[{"url": settings.root_path}] if settings.root_path else None,
        responses=problems.documented(*OF_ALL),
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.services = make_services(settings)
    problems.install(app)
    # Looked up in this order: first what is asked for most often.
    app.include_router(jobs.router)
    app.include_router(kinds.make_router())
    sets = (datasets, dataset_changes, dataset_statistics)
    batch_routes = (batches, batch_reading, batch_sheets, batch_events)
    for module in (estimates, events, images, *sets, networks, *batch_routes, health, metrics):
        app.include_router(module.router)
    description.install(app)
    app.include_router(web_router)
    mount_static(app)
    _add_middleware(app, settings)
    return app


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add what every request passes, from the innermost on."""
    forms = [images.PATH, *(kinds.kind_path(kind) for kind in KINDS)]
    app.add_middleware(
        BodyLimit,
        max_json_bytes=min(MAX_JSON_BYTES, settings.max_request_bytes),
        form_limits={
            **dict.fromkeys(forms, settings.max_request_bytes),
            datasets.PATH: settings.max_dataset_bytes + DATASET_FORM_BYTES,
            dataset_changes.RELABEL_PATH: DATASET_FORM_BYTES,
            datasets.MEMBERS_PATH: settings.max_dataset_bytes + DATASET_FORM_BYTES,
            networks.PATH: settings.max_network_bytes + MULTIPART_BYTES,
        },
        other_limits=batches.body_limits(settings),
    )
    app.add_middleware(SameOrigin, allowed=settings.origins)
    if settings.origins:
        app.add_middleware(AllowedOrigins, origins=settings.origins)
    names = allowed_names(settings)
    if ANY in names and not settings.host_names:
        log.warning("requests to any name are answered: IMPASTO_ALLOWED_HOSTS is not set")
    app.add_middleware(AllowedHosts, names=names)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog, logs_requests=settings.logs_requests)
    if settings.root_path:
        app.add_middleware(RootPath, root_path=settings.root_path)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    # A thread that computes, such as one that checks the lines of a batch, holds the interpreter for so long
    # before the event loop gets it, which a request needs several times.
    sys.setswitchinterval(SWITCH_SECONDS)
    await run_in_threadpool(_clear_temporary, services)
    stop = threading.Event()
    # A daemon, as is the keeper's: a start that fails, or a database that does not answer, must not keep a
    # process alive that serves nothing.
    thread = threading.Thread(target=_reap, args=(services, stop), name="reaper", daemon=True)
    thread.start()
    services.keeper.start()
    try:
        async with services.notifier.listening(services.settings):
            yield
    finally:
        stop.set()
        await run_in_threadpool(services.keeper.stop)
        await run_in_threadpool(thread.join, REAPER_SECONDS)
        services.dispatcher.close()
        services.engine.dispose()


def _clear_temporary(services: Services) -> None:
    """Delete what writers that were killed had begun."""
    try:
        services.storage.clean_leftovers()
    except OSError as error:
        log.warning("temporary files of writers that were killed stay: %s", error)


def _clean(services: Services) -> None:
    """Delete what processes that were killed left behind."""
    try:
        gone = delete_leftovers(services.engine, services.storage)
        gone += delete_leftover_spools(services.engine, services.storage)
        if gone:
            log.info("%d files of processes that were killed are deleted", gone)
    except (*UNAVAILABLE, OSError) as error:
        log.warning("files of processes that were killed stay: %s", error)
    except Exception:
        log.exception("files of processes that were killed stay")


def _reap(services: Services, stop: threading.Event) -> None:
    """Repair from time to time what lost workers left behind, and delete what is old."""
    settings = services.settings
    _clean(services)
    engine, storage = services.engine, services.storage
    chores = [
        Chore(engine, "retention", lambda: delete_old(services.batches)),
        Chore(engine, "scrub", lambda: scrub(engine, storage), DAY_SECONDS),
    ]
    leases = LeaseWatch(services.engine, settings.lease_seconds, settings.max_attempts)
    while not stop.wait(ROUND_SECONDS):
        try:
            lost = leases.expire()
            for job in lost:
                with logged_with(**job.log_fields):
                    log.warning("job %s: its worker was lost, now %s", job.id, job.state)
            finish_takeback(lost, services.dispatcher, services.storage)
            services.dispatcher.top_up(services.engine)
            for chore in chores:
                chore.step()
            workers.prune(services.engine, FORGET_SECONDS)
        except UNAVAILABLE as error:
            log.warning("the database is unavailable: %s", reason_of(error))
        except Exception:
            # The thread goes on: without it no lost job would ever be taken back.
            log.exception("the reaper failed")
