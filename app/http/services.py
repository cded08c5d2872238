"""What routes are given: the services of this process, and what they stand on."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from app.batches.keeper import Keeper
from app.batches.latest_news import LatestNews
from app.batches.service import BatchService
from app.database.engine import make_engine
from app.datasets.service import DatasetService
from app.images.service import ImageService
from app.jobs.dispatch.base import Dispatcher, make_dispatcher
from app.jobs.joint_reads import JointReads
from app.jobs.notifier import JobNotifier
from app.jobs.service import JobService
from app.jobs.stored_files import open_storage
from app.settings import Settings
from app.storage import Storage


@dataclass(frozen=True)
class Services:
    """The services, database, storage and messages of this process."""

    settings: Settings
    engine: Engine
    storage: Storage
    dispatcher: Dispatcher
    notifier: JobNotifier
    images: ImageService
    datasets: DatasetService
    jobs: JobService
    job_reads: JointReads
    batches: BatchService
    batch_news: LatestNews
    keeper: Keeper


def make_services(settings: Settings) -> Services:
    """The services that the settings ask for. Raises WrongDataFolder."""
    engine = make_engine(settings.resolved_database_url, settings.database_connections)
    storage = open_storage(settings, engine)
    dispatcher = make_dispatcher(settings)
    images = ImageService(settings, engine, storage)
    jobs = JobService(engine, storage, dispatcher, images)
    notifier = JobNotifier(engine)
    keeper = Keeper(settings, engine, storage, dispatcher)
    return Services(
        settings=settings,
        engine=engine,
        storage=storage,
        dispatcher=dispatcher,
        notifier=notifier,
        images=images,
        datasets=DatasetService(settings, engine, storage),
        jobs=jobs,
        job_reads=JointReads(engine),
        batches=BatchService(
            settings=settings,
            engine=engine,
            storage=storage,
            dispatcher=dispatcher,
            jobs=jobs,
            wake=keeper.wake,
        ),
        batch_news=LatestNews(engine, notifier),
        keeper=keeper,
    )


async def _services(request: Request) -> Services:
    # Async, since FastAPI would run any other function in another thread, for every request.
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]
