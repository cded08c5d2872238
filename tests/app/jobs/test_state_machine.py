"""The life of jobs under any order of events, with two workers, against a model of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, delete, update

from app.database.engine import now, write
from app.jobs import claims, needs, reaper, repository
from app.jobs.claims import Claim, ClaimLost
from app.jobs.errors import JobNotEnded, UnknownJob
from app.jobs.job import Job
from app.jobs.repository import NewJob
from app.jobs.states import TERMINAL, TRANSITIONS, State
from app.jobs.tables import jobs
from tests.support.claiming import claim_by_id

MAX_ATTEMPTS = 3
WORKERS = st.sampled_from(["w1", "w2"])


@dataclass
class Model:
    """What a job should be like."""

    state: State = State.QUEUED
    worker_id: str | None = None
    attempt: int = 0
    lost_attempts: int = 0
    checkpoint: int = 0
    cancel: bool = False
    finish: bool = False
    paused: bool = False
    seq: int = 1
    claimed_at: int = 0
    history: list[State] = field(default_factory=lambda: [State.QUEUED])

    def become(self, state: State) -> None:
        assert state in TRANSITIONS[self.state] or state is self.state
        self.state = state
        self.history.append(state)
        if state is not State.RUNNING:
            self.worker_id = None


class Life(RuleBasedStateMachine):
    """Every rule does to the database and to the model what can happen to a job."""

    made = Bundle("made")
    held = Bundle("held")
    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, Model] = {}
        with write(self.engine) as connection:
            connection.execute(delete(jobs))

    @rule(target=made)
    def submit(self) -> str:
        job, created = repository.create_job(self.engine, NewJob("k", "long", {}))
        assert created
        self.model[job.id] = Model()
        return job.id

    @rule(target=held, worker_id=WORKERS)
    def claim_next(self, worker_id: str) -> object:
        waiting = [i for i, m in self.model.items() if m.state is State.QUEUED and not m.paused]
        claim = claims.claim_next(self.engine, worker_id, ["long"], 30)
        if not waiting:
            assert claim is None
            return multiple()
        assert claim is not None
        turns = {job_id: repository.get_job(self.engine, job_id).turn for job_id in waiting}
        assert claim.job.id == min(waiting, key=lambda job_id: (turns[job_id], job_id))
        return self._claimed(claim, worker_id)

    @rule(target=held, job_id=made, worker_id=WORKERS)
    def claim(self, job_id: str, worker_id: str) -> object:
        claim = claim_by_id(self.engine, job_id, worker_id, 30)
        model = self.model.get(job_id)
        if model is None or model.state is not State.QUEUED or model.paused:
            assert claim is None
            return multiple()
        assert claim is not None
        return self._claimed(claim, worker_id)

    def _claimed(self, claim: Claim, worker_id: str) -> Claim:
        model = self.model[claim.job.id]
        model.become(State.RUNNING)
        model.worker_id, model.attempt, model.claimed_at = worker_id, model.attempt + 1, model.checkpoint
        model.seq += 1
        assert claim.attempt == model.attempt
        return claim

    def _act(self, claim: Claim, action: Callable[[], object]) -> Model | None:
        """Do what a worker does; its model if the claim still holds, None if it must be fenced off."""
        model = self.model.get(claim.job.id)
        holds = (
            model is not None
            and model.state is State.RUNNING
            and (model.worker_id, model.attempt) == (claim.worker_id, claim.attempt)
        )
        if holds:
            action()
            return model
        with pytest.raises(ClaimLost):
            action()
        return None

    @rule(claim=held)
    def beat(self, claim: Claim) -> None:
        news: list[claims.HeartbeatReply] = []
        model = self._act(claim, lambda: news.append(claims.heartbeat(self.engine, claim)))
        if model:
            reply = claims.HeartbeatReply(model.cancel, model.finish, model.paused)
            assert news == [reply]

    @rule(claim=held, done=st.integers(1, 9))
    def progress(self, claim: Claim, done: int) -> None:
        model = self._act(claim, lambda: claims.report_progress(self.engine, claim, {"done": done}))
        if model:
            model.seq += 1

    @rule(claim=held, done=st.integers(1, 9))
    def checkpoint(self, claim: Claim, done: int) -> None:
        model = self._act(claim, lambda: claims.save_checkpoint(self.engine, claim, "key", done))
        if model:
            if done > model.claimed_at:
                model.lost_attempts = 0
            model.checkpoint = done

    @rule(claim=held, state=st.sampled_from(sorted(TERMINAL)))
    def finish(self, claim: Claim, state: State) -> None:
        model = self._act(claim, lambda: claims.finish(self.engine, claim, state))
        if model:
            model.become(state)
            model.seq += 1

    @rule(claim=held)
    def release(self, claim: Claim) -> None:
        model = self._act(claim, lambda: claims.finish(self.engine, claim, State.QUEUED))
        if model:
            model.become(State.CANCELLED if model.cancel else State.QUEUED)
            model.seq += 1

    @rule(job_id=made)
    def cancel(self, job_id: str) -> None:
        model = self.model.get(job_id)
        if model is None:
            with pytest.raises(UnknownJob):
                repository.request_cancel(self.engine, job_id)
            return
        repository.request_cancel(self.engine, job_id)
        if model.state is State.QUEUED:
            model.become(State.CANCELLED)
            model.seq += 1
            model.cancel = True
        elif model.state is State.RUNNING and not model.cancel:
            model.cancel = True
            model.seq += 1

    @rule(job_id=made)
    def ask_to_finish(self, job_id: str) -> None:
        model = self.model.get(job_id)
        if model is None:
            return
        repository.request_finish(self.engine, job_id)
        if model.state not in TERMINAL and model.attempt and not model.finish:
            model.finish, model.paused = True, False
            model.seq += 1

    @rule(job_id=made, paused=st.booleans())
    def pause(self, job_id: str, paused: bool) -> None:
        model = self.model.get(job_id)
        if model is None:
            return
        repository.set_paused(self.engine, job_id, paused)
        if model.state not in TERMINAL and model.paused != paused:
            model.paused = paused
            model.seq += 1

    @rule(worker_id=WORKERS)
    def die(self, worker_id: str) -> None:
        lost = reaper.expire_worker(self.engine, worker_id, MAX_ATTEMPTS)
        held = {i for i, m in self.model.items() if m.state is State.RUNNING and m.worker_id == worker_id}
        assert {job.id for job in lost} == held
        self._lose(lost)

    @rule()
    def run_out(self) -> None:
        with write(self.engine) as connection:
            connection.execute(
                update(jobs).where(jobs.c.lease_until.is_not(None)).values(lease_until=now() - 1)
            )
        self._lose(reaper.expire_leases(self.engine, MAX_ATTEMPTS))
        assert not [m for m in self.model.values() if m.state is State.RUNNING]

    def _lose(self, lost: list[Job]) -> None:
        for job in lost:
            model = self.model[job.id]
            model.lost_attempts += 1
            model.seq += 1
            if model.cancel:
                model.become(State.CANCELLED)
            elif model.lost_attempts >= MAX_ATTEMPTS:
                model.become(State.FAILED)
            else:
                model.become(State.QUEUED)

    @rule(job_id=made)
    def remove(self, job_id: str) -> None:
        model = self.model.get(job_id)
        if model is None:
            return
        if model.state in TERMINAL:
            needs.delete_job(self.engine, job_id)
            del self.model[job_id]
        else:
            with pytest.raises(JobNotEnded):
                needs.delete_job(self.engine, job_id)

    @invariant()
    def database_is_as_the_model(self) -> None:
        found = {job.id: job for job in repository.list_jobs(self.engine, limit=1000)}
        assert found.keys() == self.model.keys()
        for job_id, model in self.model.items():
            job = found[job_id]
            assert (job.state, job.worker_id, job.attempt, job.lost_attempts, job.seq) == (
                model.state,
                model.worker_id,
                model.attempt,
                model.lost_attempts,
                model.seq,
            )
            assert (job.lease_until is not None) == (job.state is State.RUNNING)
            assert (job.finished_at is not None) == (job.state in TERMINAL)
            assert (job.cancel_requested_at is not None) == model.cancel
            assert (job.finish_requested_at is not None, job.paused) == (model.finish, model.paused)
            assert not (job.state is State.QUEUED and job.cancel_requested_at)
            events = repository.list_events(self.engine, job_id)
            assert [event.seq for event in events] == list(range(1, model.seq + 1))
            assert [event.type == "done" for event in events] == [False] * (len(events) - 1) + [
                model.state in TERMINAL
            ]


LIMITS = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.medium
def test_the_life_of_jobs_on_either_database(engine: Engine) -> None:
    class Here(Life):
        pass

    Here.engine = engine
    run_state_machine_as_test(Here, settings=LIMITS)
