"""Entries and batches that are tried again, on SQLite and PostgreSQL."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.batches import leases
from app.batches.batch import Counts
from app.batches.errors import BatchEnded, BatchNotEnded, EntryRetried
from app.batches.expansion import expand_chunk
from app.batches.service import Options
from app.jobs import repository
from app.jobs.claims import finish
from app.jobs.errors import ParamsError
from app.jobs.preparing import Preparer
from app.jobs.repository import NewJob
from app.jobs.service import DEFAULT_PRIORITY
from app.jobs.states import State
from app.jobs.uploads import delete_image
from tests.support.batch_context import BatchContext, counts_of, small_chunks, state_of


@pytest.fixture
def context(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchContext]:
    with small_chunks(monkeypatch, 10):
        yield BatchContext(engine, tmp_path / "data")


@pytest.mark.medium
def test_failed_entries_are_retried_in_their_places(context: BatchContext) -> None:
    batch = context.create(30, 7, 8)
    context.keep()
    context.end(State.FAILED, 15)
    context.end(State.SUCCEEDED, 13)
    assert state_of(context, batch) == "failed"
    before = context.entries(batch)
    context.service.retry(batch.id)
    assert context.service.retry(batch.id).state == "running"
    context.keep()
    after = context.entries(batch)
    assert counts_of(context, batch) == Counts(0, 15, 0, 13, 2, 0)
    for number, job in after.items():
        old = before[number]
        if old.state == "failed":
            assert (job.retry_of, job.custom_id, job.params) == (old.id, old.custom_id, old.params)
            assert repository.get_job(context.engine, old.id).batch_line is None
        else:
            assert job == old
    context.end(State.SUCCEEDED, 15)
    # Lines 7 and 8 are as wrong as before.
    assert state_of(context, batch) == "failed"


def test_a_retry_during_a_retry_begins_again(context: BatchContext, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = context.create(4)
    context.keep()
    context.end(State.FAILED, 4)
    context.service.retry(batch.id)
    keeper = context.keeper()
    with small_chunks(monkeypatch, 2):
        keeper._advance(context.service.get(batch.id))
        keeper.release()
        assert context.states(batch) == {1: "queued", 2: "queued", 3: "failed", 4: "failed"}
        context.end(State.FAILED, 2)
        context.service.retry(batch.id)
        context.keep()
    assert context.states(batch) == dict.fromkeys(range(1, 5), "queued")


def test_a_line_that_was_wrong_is_tried_again(context: BatchContext, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = context.create(12, 2, 11)
    context.keep()
    context.end(State.SUCCEEDED, 10)
    assert state_of(context, batch) == "failed"
    parse = Preparer.parse

    def know(self: Preparer, kind: str, params: dict[str, str]) -> object:
        return parse(self, kind, {**params, "network": "palette"})

    monkeypatch.setattr(Preparer, "parse", know)
    context.service.retry(batch.id)
    context.keep()
    assert counts_of(context, batch) == Counts(0, 2, 0, 10, 0, 0)
    assert [job.batch_line for job in context.end(State.SUCCEEDED, 2)] == [2, 11]
    assert state_of(context, batch) == "succeeded"


@pytest.mark.medium
def test_a_cancelled_batch_is_taken_up_again_by_a_retry(context: BatchContext) -> None:
    batch = context.create(25)
    taken = leases.take(context.engine, batch.id, "w1")
    assert taken is not None
    expand_chunk(context.engine, context.storage, Preparer(context.engine, context.settings), taken)
    (running,) = context.claim()
    context.service.cancel(batch.id)
    leases.release_all(context.engine, "w1")
    context.keep()
    with pytest.raises(BatchNotEnded):
        context.service.retry(batch.id)
    finish(context.engine, running, State.CANCELLED)
    assert state_of(context, batch) == "cancelled"
    context.service.retry(batch.id)
    context.keep()
    assert counts_of(context, batch) == Counts(0, 25, 0, 0, 0, 0)
    context.end(State.SUCCEEDED, 25)
    assert state_of(context, batch) == "succeeded"
    assert context.service.retry(batch.id).state == "succeeded"


def test_a_single_retry_takes_the_place_of_its_entry(context: BatchContext) -> None:
    batch = context.create(3)
    context.keep()
    (failed,) = context.end(State.FAILED)
    context.end(State.SUCCEEDED, 2)
    assert state_of(context, batch) == "failed"
    again = context.service.retry_job(failed.id)
    assert (again.batch_id, again.batch_line, again.retry_of) == (batch.id, 1, failed.id)
    assert state_of(context, batch) == "running"
    with pytest.raises(EntryRetried):
        context.service.retry_job(failed.id)
    context.end(State.SUCCEEDED)
    assert state_of(context, batch) == "succeeded"


def test_a_single_retry_whose_picture_goes_after_its_check_names_the_param(
    context: BatchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = context.add_image()
    line = {"custom_id": "a", "kind": "deep_dream", "params": {"image": image_id}}
    options = Options(name="", priority=DEFAULT_PRIORITY)
    batch = context.service.create_from_lines([json.dumps(line).encode()], options)
    context.keep()
    (entry,) = context.entries(batch).values()
    context.jobs.cancel(entry.id)
    new_job = Preparer.new_job

    def before_a_delete(*args: Any, **columns: Any) -> NewJob:
        delete_image(context.engine, image_id)
        return new_job(*args, **columns)

    monkeypatch.setattr(Preparer, "new_job", before_a_delete)
    with pytest.raises(ParamsError) as caught:
        context.service.retry_job(entry.id)
    assert [(error.field, image_id in error.detail) for error in caught.value.errors] == [("image", True)]


def test_an_entry_of_a_cancelled_batch_that_is_retried_is_not_cancelled_by_a_pause(
    context: BatchContext,
) -> None:
    batch = context.create(2, paused=True)
    context.keep()
    context.service.cancel(batch.id)
    context.keep()
    assert state_of(context, batch) == "cancelled"
    again = context.service.retry_job(context.entries(batch)[1].id)
    assert not again.paused
    for change in (context.service.resume, context.service.pause):
        with pytest.raises(BatchEnded, match="one by one"):
            change(batch.id)
        context.keep()
        assert context.states(batch) == {1: "queued", 2: "cancelled"}
    context.end(State.SUCCEEDED)
    assert state_of(context, batch) == "cancelled"


@pytest.mark.parametrize("reproducible", [True, False])
def test_a_retry_is_as_reproducible_as_its_entry(context: BatchContext, reproducible: bool) -> None:
    # Tables of layers are computed alone in any case.
    batch = context.create(2, reproducible=reproducible)
    context.keep()
    first, _ = context.end(State.FAILED, 2)
    context.service.retry_job(first.id)
    context.service.retry(batch.id)
    context.keep()
    assert [job.retry_of is not None for job in context.entries(batch).values()] == [True, True]
    assert {(job.stack_key, job.reproducible) for job in context.all_jobs(batch)} == {(None, reproducible)}
