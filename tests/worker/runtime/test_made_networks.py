"""Networks that jobs make: registered with the end of the job, or not at all."""

import json
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from app.jobs import claims, reaper, repository
from app.jobs.errors import ParamsError
from app.jobs.job import Job
from app.jobs.needs import users_of_network
from app.jobs.repository import get_job
from app.jobs.states import State
from app.kinds import KINDS
from app.networks import service
from app.networks.catalogue import Catalogue
from app.networks.repository import StoredNetwork, list_networks, network_of_job
from app.networks.weights_file import KEY, read_header
from models.network import hash_weights
from tests.support import memorizing
from tests.support.memorizing import MemorizingParams
from tests.support.network_files import small_network
from tests.support.worker_context import job_service, once_begun, run, submit
from worker.contract.steps import Outcome
from worker.networks import keeping
from worker.networks.keeping import keep_network
from worker.runtime import claimed_job
from worker.runtime.context import WorkerContext


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, memorizing.SPEC.name, memorizing.SPEC)


def queue(context: WorkerContext, **params: object) -> Job:
    return submit(context, MemorizingParams.model_validate(params))


def networks(context: WorkerContext) -> list[StoredNetwork]:
    return list_networks(context.engine)


def files(context: WorkerContext) -> list[Path]:
    root = context.settings.data_dir / "files" / "networks"
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.medium
def test_a_job_leaves_a_network_with_all_that_is_known_of_it(context: WorkerContext) -> None:
    queue(context, name="mine", seed=4)
    job = run(context)
    assert job.state is State.SUCCEEDED, job.error
    assert job.result is not None and (job.result["network"], job.result["steps"]) == ("mine", 3)
    (network,) = networks(context)
    assert (network.id, network.origin, network.card.name) == (network_of_job(job.id), "trained", "mine")
    expected = hash_weights(small_network(seed=4).stack.state_dict())
    assert network.sha256 == network.card.sha256 == expected
    assert network.card.training is not None and network.card.training.params["seed"] == 4
    (path,) = files(context)
    assert (path, path.stat().st_size) == (context.settings.data_dir / "files" / network.key, network.bytes)
    # The file itself has the card, as one that is exported.
    with path.open("rb") as file:
        card = json.loads(read_header(file, network.bytes).metadata[KEY])
    assert card == network.card.model_dump(mode="json")
    loaded = context.networks.prepared("mine", None, context.compute)
    assert (loaded.sha256 == expected and loaded.classes == network.card.classes) or loaded.classes


@pytest.mark.medium
def test_jobs_that_want_the_same_name_both_get_one(context: WorkerContext) -> None:
    for seed in range(3):
        queue(context, seed=seed)
    for _ in range(3):
        run(context)
    told = {(job.result or {})["network"] for job in repository.list_jobs(context.engine, limit=3)}
    names = {network.card.name for network in networks(context)}
    assert told == names == {"learned", "learned-2", "learned-3"}


def test_one_that_is_named_while_it_waits_gets_a_number(context: WorkerContext) -> None:
    queue(context, name="a" * 64)
    queue(context, name="a" * 64)
    run(context)
    run(context)
    assert sorted(each.card.name for each in networks(context)) == ["a" * 62 + "-2", "a" * 64]


@pytest.mark.parametrize(("name", "says"), [("palette", "shipped network"), ("taken", "choose another name")])
def test_a_name_that_cannot_be_had_is_refused_at_once(context: WorkerContext, name: str, says: str) -> None:
    queue(context, name="taken")
    run(context)
    with pytest.raises(ParamsError) as refused:
        queue(context, name=name)
    (error,) = refused.value.errors
    assert error.field == "name" and says in error.detail
    assert len(repository.list_jobs(context.engine, limit=9)) == 1


@pytest.mark.medium
def test_a_retry_makes_another_network(context: WorkerContext) -> None:
    queue(context, name="mine")
    first = run(context)
    job_service(context).retry(get_job(context.engine, first.id))
    second = run(context)
    assert second.result is not None and second.result["network"] == "mine-2"
    assert second.params["name"] == "mine" and len(networks(context)) == 2


def test_who_lost_the_claim_leaves_no_network(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue(context)
    store = claimed_job.store_weights

    def lose(*arguments: object) -> object:
        stored = store(*arguments)  # type: ignore[arg-type]
        reaper.expire_worker(context.engine, "w1", 3)
        return stored

    monkeypatch.setattr(claimed_job, "store_weights", lose)
    assert run(context).state is State.QUEUED
    assert networks(context) == []
    monkeypatch.setattr(claimed_job, "store_weights", store)
    again = run(context)
    assert (again.id, again.attempt, again.state) == (job.id, 2, State.SUCCEEDED)
    # What the first attempt stored is gone.
    assert [path.name for path in files(context)] == ["2.safetensors"]
    (network,) = networks(context)
    assert network.key.endswith("/2.safetensors")


def test_a_late_attempt_does_not_touch_what_another_registered(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(context)
    store = claimed_job.store_weights

    def overtaken(*arguments: object) -> object:
        monkeypatch.setattr(claimed_job, "store_weights", store)
        reaper.expire_worker(context.engine, "w1", 3)
        assert run(context).state is State.SUCCEEDED
        return store(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(claimed_job, "store_weights", overtaken)
    run(context)
    assert [path.name for path in files(context)] == ["2.safetensors"]
    (network,) = networks(context)
    assert network.key.endswith("/2.safetensors")


@pytest.mark.parametrize("ended", ["cancelled", "lost"])
def test_a_job_that_ends_after_a_crash_leaves_no_weights(
    context: WorkerContext, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue(context)
    claim = claims.claim_next(context.engine, "w1", ["short"], 30)
    assert claim is not None
    # As a worker that was killed before it ended the job.
    outcome = last(memorizing.memorizing(MemorizingParams(), None, None, context.compute))  # type: ignore[arg-type]
    assert outcome.network is not None
    claimed_job.store_weights(context.storage, outcome.network, network_of_job(job.id), "1")
    assert len(files(context)) == 1
    if ended == "cancelled":
        reaper.expire_worker(context.engine, "w1", 3)
        job_service(context).cancel(job.id)
    else:
        reaper.finish_takeback(
            reaper.expire_worker(context.engine, "w1", 1), context.dispatcher, context.storage
        )
    assert repository.get_job(context.engine, job.id).ended
    assert files(context) == [] and networks(context) == []


def last(steps: object) -> Outcome:
    while True:
        try:
            next(steps)  # type: ignore[call-overload]
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]


def test_a_job_that_is_finished_early_keeps_what_it_has(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 0.02)
    job = queue(context, steps=2000, pause=0.01)
    once_begun(context, job, lambda: job_service(context).finish(job.id))
    ended = run(context)
    assert (ended.state, ended.finish_requested_at is not None) == (State.SUCCEEDED, True)
    assert ended.result is not None and ended.result["steps"] < 2000 and len(networks(context)) == 1


def test_one_that_was_told_to_finish_does_so_in_its_next_attempt(context: WorkerContext) -> None:
    job = queue(context, steps=2000)
    stop = threading.Event()
    stop.set()
    assert run(context, stop).state is State.QUEUED
    job_service(context).finish(job.id)
    ended = run(context)
    # It goes on from the checkpoint, and stops after its first step.
    assert ended.state is State.SUCCEEDED and ended.result is not None and ended.result["steps"] == 2


def test_deleting_the_job_keeps_the_network(context: WorkerContext) -> None:
    queue(context)
    job = run(context)
    job_service(context).delete(job.id)
    (network,) = networks(context)
    assert len(files(context)) == 1
    service.delete(context.engine, context.storage, network, users_of_network)
    assert files(context) == []


def test_a_network_that_its_card_does_not_build_fails_the_job(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(context)
    monkeypatch.setattr(memorizing, "PARAMS", {**memorizing.PARAMS, "depth": 19})
    job = run(context)
    assert job.state is State.FAILED and networks(context) == [] and files(context) == []


def test_without_a_job(context: WorkerContext) -> None:
    outcome = last(memorizing.memorizing(MemorizingParams(), None, None, context.compute))  # type: ignore[arg-type]
    assert outcome.network is not None
    names = [keep_network(context.engine, context.storage, outcome.network).card.name for _ in range(2)]
    assert names == ["learned", "learned-2"] and len(files(context)) == 2
    assert Catalogue(context.engine).find("learned-2") is not None


def test_without_a_job_whose_name_is_taken_at_that_moment(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = last(memorizing.memorizing(MemorizingParams(), None, None, context.compute))  # type: ignore[arg-type]
    assert outcome.network is not None
    keep_network(context.engine, context.storage, outcome.network)
    looks = iter([lambda _, new: new, service.under_free_name])
    monkeypatch.setattr(keeping, "under_free_name", lambda *arguments: next(looks)(*arguments))
    kept = keep_network(context.engine, context.storage, outcome.network)
    assert kept.card.name == "learned-2" and len(files(context)) == 2


def test_without_a_job_and_with_a_database_that_goes_away_at_the_commit(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = last(memorizing.memorizing(MemorizingParams(), None, None, context.compute))  # type: ignore[arg-type]
    assert outcome.network is not None

    def go_away(*_: object) -> None:
        raise OperationalError("COMMIT", None, ConnectionError("gone"))

    monkeypatch.setattr(keeping, "under_free_name", go_away)
    with pytest.raises(OperationalError):
        keep_network(context.engine, context.storage, outcome.network)
    # The row may be there.
    assert len(files(context)) == 1
