"""Trains a network in this process and keeps it. Imports torch, so it is imported lazily."""

import hashlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import torch
from sqlalchemy import Engine

from app.cli.local_run import LocalJob, prepare
from app.cli.messages import note
from app.cli.training_view import TrainingView
from app.errors import InputError
from app.kinds import Params, spec_of
from app.networks.repository import StoredNetwork
from app.settings import Settings
from app.storage import Storage, make_storage
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.networks.keeping import keep_network
from worker.runtime import checkpoints
from worker.runtime.artifacts import EncodedFile
from worker.runtime.checkpoints import CheckpointError

# Seconds between two checkpoints.
SAVE_EVERY = 30.0


@dataclass(frozen=True)
class Trained:
    """A network that was trained and kept, the files of its report, and the result."""

    network: StoredNetwork
    files: Iterator[EncodedFile]
    result: dict[str, Any]


def train_here(params: Params, data: str, settings: Settings, engine: Engine, view: TrainingView) -> Trained:
    """Train as resolved params say, on the set that ``data`` names, and keep the network in the catalogue.

    The first interrupt ends the training early with the best so far, the second at once: KeyboardInterrupt.
    The same training begins where one was interrupted or killed. Raises InputError, ComputationError.
    """
    storage = make_storage(settings)
    job = prepare(params, {}, settings, engine, {"dataset": data})
    checkpoint = Checkpoint(storage, job)
    resume = checkpoint.load()
    if resume is not None:
        note("An interrupted training with these params goes on. To begin anew, choose another --seed.")
    with view, interrupts(view) as is_interrupted:

        def on_step(step: Step) -> None:
            view.show(step)
            checkpoint.save_now_and_then(step)
            if is_interrupted() and step.finish is not None:
                step.finish()

        try:
            outcome = run_steps(job.steps(resume), on_step)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise InputError("batch_size", "Not enough memory for batches of this size.") from error
    return _keep(job, outcome, storage, engine, checkpoint)


def _keep(
    job: LocalJob, outcome: Outcome, storage: Storage, engine: Engine, checkpoint: "Checkpoint"
) -> Trained:
    if outcome.network is None:
        raise TypeError("a training makes a network")
    network = keep_network(engine, storage, outcome.network)
    checkpoint.delete()
    result = outcome.result | {"network": network.card.name}
    return Trained(network, job.encoded(replace(outcome, result=result)), result)


class Checkpoint:
    """The state of one training in the data folder, by what it is computed from."""

    def __init__(self, storage: Storage, job: LocalJob) -> None:
        self._storage, self._kind = storage, spec_of(job.params).name
        recipe = json.dumps(job.recipe(), sort_keys=True)
        self._folder = f"trainings/{hashlib.sha256(recipe.encode()).hexdigest()[:32]}"
        self._parts: dict[str, str] = {}
        self._saved = time.monotonic()

    def load(self) -> StepState | None:
        """The state that was saved; None if there is none that can be used."""
        try:
            state, self._parts = checkpoints.load(self._storage, self._key, self._kind)
        except CheckpointError:
            return None
        return state

    def save_now_and_then(self, step: Step) -> None:
        """Save the state of a step if the last one is some time ago."""
        if time.monotonic() - self._saved >= SAVE_EVERY:
            self._parts = checkpoints.save(
                self._storage, self._key, self._kind, step.state(), self._parts, f"{self._folder}/part"
            )
            self._saved = time.monotonic()

    def delete(self) -> None:
        """Delete it."""
        self._storage.delete_prefix(self._folder)

    @property
    def _key(self) -> str:
        return f"{self._folder}/state"


@contextmanager
def interrupts(view: TrainingView) -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed within the context. Pressed again it raises KeyboardInterrupt."""
    pressed = False

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        del number, frame
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        view.say("Stopping: the best network so far is kept. Ctrl-C again discards it.")

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
