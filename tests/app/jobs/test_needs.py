"""A delete and a submit at the same moment, on SQLite and PostgreSQL: one of them sees what the other did."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete

from app.batches import leases
from app.batches.deletion import delete_chunk
from app.database.engine import write
from app.datasets.deletion import Needs, delete_dataset
from app.datasets.errors import DatasetInUse
from app.datasets.repository import add_dataset
from app.datasets.tables import datasets
from app.images.errors import ImageInUse, UnknownImage
from app.images.tables import images
from app.jobs import needs, repository
from app.jobs.claims import finish
from app.jobs.errors import JobInUse, NeedsGone, ParamsError
from app.jobs.job import Artifact
from app.jobs.repository import NewJob, create_job, insert_jobs
from app.jobs.states import State
from app.jobs.tables import jobs
from app.jobs.turns import SINGLE
from app.jobs.uploads import delete_image
from app.kinds import KINDS
from app.networks.catalogue import SHIPPED, Catalogue, get_card
from app.networks.errors import NetworkInUse
from app.networks.repository import NewNetwork, StoredNetwork, add_network, delete_network, new_network_key
from app.networks.tables import networks
from tests.support.batch_context import BatchContext

# How long something is watched that must wait for a lock.
WAITS = 0.3


@pytest.fixture
def context(engine: Engine, tmp_path: Path) -> BatchContext:
    return BatchContext(engine, tmp_path / "data")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def waits(future: Future[object]) -> bool:
    try:
        future.result(WAITS)
    except TimeoutError:
        return True
    return False


def made_picture(context: BatchContext) -> tuple[str, str]:
    """A job that has ended, and the reference of the picture that it made."""
    context.create(1)
    context.keep()
    (claim,) = context.claim()
    made = Artifact(claim.job.id, "image", f"jobs/{claim.job.id}/1/image.png", "image/png", 1, "0" * 64)
    finish(context.engine, claim, State.SUCCEEDED, made=[made])
    return claim.job.id, f"{claim.job.id}/image"


def imported_network(context: BatchContext, sha256: str = "a" * 64) -> StoredNetwork:
    card = get_card("palette").model_copy(update={"name": "mine", "sha256": sha256})
    network_id, key = new_network_key()
    return add_network(
        context.engine, NewNetwork(id=network_id, card=card, key=key, bytes=1, origin="imported")
    )


@pytest.mark.medium
def test_a_delete_waits_for_a_submit_and_then_sees_it(
    context: BatchContext, pool: ThreadPoolExecutor
) -> None:
    image_id, (owner, made) = context.add_image(), made_picture(context)
    dataset = add_dataset(context.engine, "birds", "upload", {})
    network = imported_network(context)
    needed = Needs(needs.users_of_dataset, needs.pictures_needed)
    deletes: list[tuple[NewJob, Callable[[], object], type[Exception]]] = [
        (
            NewJob("k", "long", {}, pictures=(image_id,)),
            lambda: delete_image(context.engine, image_id),
            ImageInUse,
        ),
        (
            NewJob("k", "long", {}, pictures=(made,)),
            lambda: needs.delete_job(context.engine, owner),
            JobInUse,
        ),
        (
            NewJob("k", "long", {}, datasets=(dataset.id,)),
            lambda: list(delete_dataset(context.engine, dataset.id, needed)),
            DatasetInUse,
        ),
        (
            NewJob("k", "long", {}, network="mine", network_sha256=network.sha256),
            lambda: delete_network(context.engine, network, needs.users_of_network),
            NetworkInUse,
        ),
        (
            NewJob("k", "long", {}, further_networks={"mine": network.sha256}),
            lambda: delete_network(context.engine, network, needs.users_of_network),
            NetworkInUse,
        ),
    ]
    for new, remove, refused in deletes:
        with write(context.engine) as connection:
            (job_id,) = insert_jobs(connection, SINGLE, [new])
            future = pool.submit(remove)
            assert waits(future)
        with pytest.raises(refused, match=job_id):
            future.result()


@pytest.mark.medium
def test_the_deletion_of_a_batch_waits_for_a_submit_and_then_sees_it(
    context: BatchContext, pool: ThreadPoolExecutor
) -> None:
    owner, made = made_picture(context)
    batch_id = repository.get_job(context.engine, owner).batch_id or ""
    context.service.delete(batch_id)
    batch = leases.take(context.engine, batch_id, "w")
    assert batch is not None
    with write(context.engine) as connection:
        (job_id,) = insert_jobs(connection, SINGLE, [NewJob("k", "long", {}, pictures=(made,))])
        future = pool.submit(delete_chunk, context.engine, context.storage, batch)
        assert waits(future)
    with pytest.raises(JobInUse, match=job_id):
        future.result()
    assert repository.get_job(context.engine, owner).id == owner


@pytest.mark.medium
def test_a_submit_waits_for_a_delete_and_is_refused(context: BatchContext, pool: ThreadPoolExecutor) -> None:
    image_id, (owner, made) = context.add_image(), made_picture(context)
    dataset = add_dataset(context.engine, "birds", "upload", {})
    network = imported_network(context)
    for new, gone in (
        (NewJob("k", "long", {}, network="mine", network_sha256=network.sha256), delete(networks)),
        (NewJob("k", "long", {}, pictures=(image_id,)), delete(images).where(images.c.id == image_id)),
        (NewJob("k", "long", {}, pictures=(made,)), delete(jobs).where(jobs.c.id == owner)),
        (NewJob("k", "long", {}, datasets=(dataset.id,)), delete(datasets)),
    ):
        with write(context.engine) as connection:
            connection.execute(gone)
            future = pool.submit(create_job, context.engine, new)
            assert waits(future)
        with pytest.raises(NeedsGone):
            future.result()
    assert repository.list_jobs(context.engine, limit=9) == []


def test_a_submit_whose_picture_goes_after_its_check_names_the_param(
    context: BatchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = context.add_image()
    create = repository.create_job

    def after_a_delete(engine: Engine, new: NewJob) -> object:
        delete_image(engine, image_id)
        return create(engine, new)

    monkeypatch.setattr(repository, "create_job", after_a_delete)
    params = KINDS["deep_dream"].params.model_validate({"image": image_id}).resolve(SHIPPED)
    with pytest.raises(ParamsError) as caught:
        context.jobs.submit(params)
    assert [(error.field, image_id in error.detail) for error in caught.value.errors] == [("image", True)]


def test_a_submit_whose_network_is_replaced_after_its_check_takes_the_new_one(
    context: BatchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id, old = context.add_image(), imported_network(context)
    create, replaced = repository.create_job, []

    def after_a_change(engine: Engine, new: NewJob) -> object:
        if not replaced:
            delete_network(engine, old, needs.users_of_network)
            replaced.append(imported_network(context, "b" * 64))
        return create(engine, new)

    monkeypatch.setattr(repository, "create_job", after_a_change)
    params = KINDS["deep_dream"].params.model_validate({"image": image_id, "network": "mine"})
    job, _ = context.jobs.submit(params.resolve(Catalogue(context.engine)))
    assert (job.network, job.network_sha256) == ("mine", "b" * 64)


def test_ended_jobs_keep_a_picture_from_retention_alone(context: BatchContext) -> None:
    image_id = context.add_image()
    job, _ = create_job(context.engine, NewJob("k", "long", {}, pictures=(image_id,)))
    repository.request_cancel(context.engine, job.id)
    with pytest.raises(ImageInUse, match=job.id):
        delete_image(context.engine, image_id, if_unused=True)
    delete_image(context.engine, image_id)
    with pytest.raises(UnknownImage):
        delete_image(context.engine, image_id)
