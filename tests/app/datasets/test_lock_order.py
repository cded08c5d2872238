"""What changes sets locks rows in the order of their ids, so that two never wait for each other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.datasets import changes
from app.datasets.relabeling import Relabeling
from app.datasets.repository import get_dataset
from app.datasets.service import DatasetService, ImageMember
from app.datasets.tables import datasets
from app.images.tables import images
from tests.support.batch_context import BatchContext
from tests.support.locks import change_behind, context_on
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.server


@pytest.fixture
def context(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[BatchContext]:
    with context_on(postgres_server, tmp_path) as context:
        yield context


def add(sets: DatasetService, ids: list[str]) -> Callable[[], object]:
    """Add pictures to a set, the last first."""
    dataset = sets.begin("birds")
    return lambda: sets.add_images(dataset, [ImageMember(image=each) for each in reversed(ids)])


def relabel(sets: DatasetService, ids: list[str]) -> Callable[[], object]:
    """Make a set of the pictures of another one."""
    add(sets, ids)()
    closed = sets.close(get_dataset(sets.engine, "birds").id)
    return lambda: sets.relabel(closed, "more", Relabeling({}, {}, [], {}))


@pytest.mark.parametrize("prepare", [add, relabel])
def test_pictures_of_members_are_locked_in_the_order_of_their_ids(
    context: BatchContext, prepare: Callable[[DatasetService, list[str]], Callable[[], object]]
) -> None:
    ids = sorted(context.add_image() for _ in range(3))
    change = prepare(DatasetService(context.settings, context.engine, context.storage), ids)
    first = select(images.c.id).where(images.c.id == ids[0]).with_for_update()
    others = select(images.c.id).where(images.c.id != ids[0])
    assert change_behind(context.engine, first, change, others)[1] == 2


def test_sets_that_get_each_others_names_are_locked_in_the_order_of_their_ids(context: BatchContext) -> None:
    sets = DatasetService(context.settings, context.engine, context.storage)
    first, second = sorted([sets.begin("a"), sets.begin("b")], key=lambda each: each.id)
    renamed, free = change_behind(
        context.engine,
        update(datasets).where(datasets.c.id == first.id).values(name="c"),
        lambda: changes.rename_dataset(context.engine, second.id, first.name),
        select(datasets.c.id).where(datasets.c.id == second.id),
    )
    assert (renamed.name, free) == (first.name, 1)
