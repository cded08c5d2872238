"""What changes sets locks rows in the order of their ids, so that two never wait for each other."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.database.engine import make_engine, write
from app.datasets import changes
from app.datasets.relabeling import Relabeling
from app.datasets.repository import get_dataset
from app.datasets.service import DatasetService, ImageMember
from app.datasets.tables import datasets
from app.images.tables import images
from tests.support.batch_context import BatchContext
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.server
# How long something has for the locks that it can have.
SECONDS = 0.5


@pytest.fixture
def context(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[BatchContext]:
    with postgres_server.database(migrated=True) as url:
        engine = make_engine(url, connections=8)
        yield BatchContext(engine, tmp_path / "data")
        engine.dispose()


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
    with ThreadPoolExecutor(1) as pool:
        with write(context.engine) as connection:
            connection.execute(select(images.c.id).where(images.c.id == ids[0]).with_for_update())
            future = pool.submit(change)
            with pytest.raises(TimeoutError):
                future.result(SECONDS)
            others = select(images.c.id).where(images.c.id != ids[0]).with_for_update(skip_locked=True)
            assert len(connection.execute(others).all()) == 2
        future.result()


def test_sets_that_get_each_others_names_are_locked_in_the_order_of_their_ids(context: BatchContext) -> None:
    sets = DatasetService(context.settings, context.engine, context.storage)
    first, second = sorted([sets.begin("a"), sets.begin("b")], key=lambda each: each.id)
    with ThreadPoolExecutor(1) as pool:
        with write(context.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id == first.id).values(name="c"))
            future = pool.submit(changes.rename_dataset, context.engine, second.id, first.name)
            with pytest.raises(TimeoutError):
                future.result(SECONDS)
            other = select(datasets.c.id).where(datasets.c.id == second.id).with_for_update(skip_locked=True)
            assert len(connection.execute(other).all()) == 1
        assert future.result().name == first.name
