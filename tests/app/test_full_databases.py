"""What is needed keeps its files where the database has no space even to lock a row that is to be deleted."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from app.datasets.repository import add_dataset
from app.datasets.service import DatasetService, ImageMember
from app.errors import ServiceError
from app.images.errors import ImageInSet
from app.jobs import needs
from app.jobs.claims import finish
from app.jobs.errors import JobInUse
from app.jobs.job import Artifact
from app.jobs.repository import NewJob, create_job
from app.jobs.states import State
from app.jobs.uploads import remove_image
from app.networks import service as networks
from app.networks.catalogue import get_card
from app.networks.errors import NetworkInUse
from app.networks.repository import NewNetwork, add_network, new_network_key
from tests.support.batch_context import BatchContext

# A deletion, and what refuses it.
Refused = tuple[Callable[[], object], type[ServiceError]]


@contextmanager
def full_at_first_lock(engine: Engine) -> Iterator[None]:
    """The first statement that locks a row finds no space."""
    is_full = True

    def refuse(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal is_full
        if is_full and ("FOR UPDATE" in statement or statement == "BEGIN IMMEDIATE"):
            is_full = False
            cause = sqlite3.OperationalError("database or disk is full")
            cause.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise OperationalError(statement, {}, cause)

    event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


def picture_of_a_set(context: BatchContext) -> Refused:
    image_id = context.add_image()
    sets = DatasetService(context.settings, context.engine, context.storage)
    sets.add_images(add_dataset(context.engine, "birds", "upload", {}), [ImageMember(image=image_id)])
    return lambda: remove_image(context.engine, context.storage, image_id), ImageInSet


class Wanted(ServiceError):
    """Somebody wants a picture."""


def wanted(connection: Connection, reference: str) -> None:
    raise Wanted("It is wanted.")


def picture_that_is_kept(context: BatchContext) -> Refused:
    image_id = context.add_image()
    return lambda: remove_image(context.engine, context.storage, image_id, keep=wanted), Wanted


def job_whose_picture_is_needed(context: BatchContext) -> Refused:
    job, _ = create_job(context.engine, NewJob("k", "long", {}))
    (claim,) = context.claim()
    stored = context.storage.put(f"jobs/{job.id}/1/image.png", b"x")
    made = Artifact(job.id, "image", f"jobs/{job.id}/1/image.png", "image/png", stored.bytes, stored.sha256)
    finish(context.engine, claim, State.SUCCEEDED, made=[made])
    create_job(context.engine, NewJob("k", "long", {}, pictures=(f"{job.id}/image",)))
    return lambda: context.jobs.delete(job.id), JobInUse


def network_that_is_needed(context: BatchContext) -> Refused:
    network_id, key = new_network_key()
    stored = context.storage.put(key, b"x")
    card = get_card("palette").model_copy(update={"name": "mine", "sha256": "a" * 64})
    new = NewNetwork(id=network_id, card=card, key=key, bytes=stored.bytes, origin="imported")
    network = add_network(context.engine, new)
    create_job(context.engine, NewJob("k", "long", {}, network="mine", network_sha256=card.sha256))
    users = needs.users_of_network
    return lambda: networks.delete(context.engine, context.storage, network, users), NetworkInUse


@pytest.mark.parametrize(
    "prepare",
    [picture_of_a_set, picture_that_is_kept, job_whose_picture_is_needed, network_that_is_needed],
)
def test_what_is_needed_keeps_its_files(
    engine: Engine, tmp_path: Path, prepare: Callable[[BatchContext], Refused]
) -> None:
    context = BatchContext(engine, tmp_path / "data")
    delete, refused = prepare(context)
    with full_at_first_lock(engine), pytest.raises(refused):
        delete()
    assert len(list(context.storage.list_keys())) == 1
