"""Runs a job in this process, with a progress bar. Imports torch, so it is imported lazily."""

import hashlib
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import Engine, inspect

from app.cli.messages import note, progress_bar
from app.datasets.builtin import BUILT_IN
from app.datasets.repository import find_dataset
from app.datasets.service import DatasetService
from app.datasets.tables import datasets
from app.errors import InputError, field_of
from app.kinds import Params, spec_of
from app.settings import Settings
from app.storage import make_storage
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Source
from worker.contract.steps import Outcome, Step, Steps, StepState, run_steps
from worker.datasets.local import LocalSet, open_local
from worker.datasets.members import load_sets
from worker.networks.loading import NetworkLoader, cards_for, compute_for, further_networks, network_for
from worker.runtime.artifacts import EncodedFile, encode
from worker.runtime.device import choose_devices, choose_dtype, has_native_bfloat16, memory_of
from worker.runtime.fitting import fitted, saying_what_fits
from worker.runtime.functions import steps_of
from worker.runtime.heap import return_large_pieces
from worker.runtime.inputs import read_input
from worker.runtime.recipes import make_recipe

# Files of a set that are left out, and said so.
SKIPPED_SHOWN = 5
# Seconds between readings of the losses, which synchronize the device.
_LOSS_SECONDS = 0.25


def compute(
    params: Params,
    files: Mapping[str, Sequence[Path]],
    settings: Settings,
    engine: Engine | None = None,
    sets: Mapping[str, str] | None = None,
) -> tuple[Iterator[EncodedFile], dict[str, Any]]:
    """Compute a job of resolved params on picture files by param. Returns its files and its numbers.

    ``engine`` is the database of the data folder, where networks and sets are looked up; ``sets`` are paths
    or names of sets by param.

    Raises InputError that names the param, or ``device`` or ``precision``, OutOfMemory and ComputationError.
    """
    job = prepare(params, files, settings, engine, sets)
    memory_bytes = memory_of(job.compute.device, settings.worker_memory_bytes)
    with saying_what_fits(job.params, job.inputs, memory_bytes):
        outcome = _show(job.steps(), spec_of(params).title)
    return job.encoded(outcome), outcome.result


@dataclass(frozen=True)
class LocalJob:
    """A job of resolved params with all that it is computed from, in this process."""

    params: Params
    inputs: Inputs
    network: Network | None
    compute: Compute

    def steps(self, resume: StepState | None = None) -> Steps:
        """Its steps, from the start or from a state."""
        return steps_of(self.params, self.inputs, self.network, self.compute, resume)

    def recipe(self, stack_size: int = 1, outcome: Outcome | None = None) -> dict[str, Any]:
        """Its recipe, if so many jobs are computed together, and of its outcome, if it is known."""
        reductions = () if outcome is None else outcome.result.get("reductions", ())
        return make_recipe(self.params, self.inputs, self.network, self.compute, stack_size, reductions)

    def encoded(self, outcome: Outcome, stack_size: int = 1) -> Iterator[EncodedFile]:
        """The files of its outcome, with the recipe in them."""
        alpha = self.inputs.alpha(self.params.keeps_alpha_of() or "")
        return encode(outcome, alpha, self.recipe(stack_size, outcome), self.params.picture_file())


def prepare(
    params: Params,
    files: Mapping[str, Sequence[Path]],
    settings: Settings,
    engine: Engine | None = None,
    sets: Mapping[str, str] | None = None,
) -> LocalJob:
    """Find what a job is computed from; see :func:`compute`. Raises InputError."""
    where = compute_for(params, choose_compute(settings, spec_of(params).fixed_lane or "long"))
    sets = sets or {}
    sources = {
        name: [
            _source(path, name, field_of(name, place, len(paths)), params) for place, path in enumerate(paths)
        ]
        for name, paths in files.items()
    }
    storage = None if engine is None else make_storage(settings)
    found = {name: open_set(given, name, params, settings, engine) for name, given in sets.items()}
    # As a service names them; without the folders of this machine.
    references = {name: f"{Path(sets[name]).name}@{found[name].sha256}" for name in found}
    params = params.model_copy(update=references)
    loader = NetworkLoader(settings.weights, engine, storage)
    network = network_for(params, where, loader)
    inputs = Inputs(
        sources,
        {name: each.members for name, each in found.items()},
        settings.weights,
        {name: each.sha256 for name, each in found.items()},
        networks=further_networks(params, where, loader),
        cards=cards_for(params, loader),
        set_names={name: Path(given).stem for name, given in sets.items()},
    )
    memory_bytes = memory_of(where.device, settings.worker_memory_bytes)
    return LocalJob(params, inputs, network, fitted(params, inputs, where, memory_bytes))


def choose_compute(settings: Settings, lane: str = "long") -> Compute:
    """The first device, or devices of a training, and the dtype of the settings. Raises InputError."""
    return_large_pieces()
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        name = next(iter(settings.device_names), settings.device)
        device, *partners = choose_devices(settings, name, lane)
    except ValueError as error:
        raise InputError("device", str(error)) from error
    return Compute(
        device,
        choose_dtype(device, settings.precision),
        picture_bytes=settings.max_picture_memory_bytes,
        partners=tuple(partners),
        may_round=settings.precision == "auto" and has_native_bfloat16(device),
    )


def _has_sets(engine: Engine, param: str) -> bool:
    """Whether a database has sets. Raises InputError that names the param if a former version wrote them."""
    inspector = inspect(engine)
    if not inspector.has_table(datasets.name):
        return False
    if any(column["name"] == datasets.c.is_split.name for column in inspector.get_columns(datasets.name)):
        return True
    raise InputError(param, "A former version wrote the data folder: start `impasto serve` once.")


def open_set(given: str, name: str, params: Params, settings: Settings, engine: Engine | None) -> LocalSet:
    """A set: of the data folder if one has that name or content, and no file does. Raises InputError."""
    key, _, sha256 = ("", "", "") if Path(given).exists() else given.partition("@")
    if key and key not in BUILT_IN and engine is not None and _has_sets(engine, name):
        dataset = find_dataset(engine, given)
        if dataset is not None and dataset.sha256 is not None:
            kept = DatasetService(settings, engine, make_storage(settings))
            members, _ = load_sets(kept, params.model_copy(update={name: dataset.reference}))
            return LocalSet(members[name], dataset.sha256)
    sides = params.picture_side(name), params.picture_short_side(name)
    found = open_local(key or given, name, sides, settings)
    if sha256 not in ("", found.sha256):
        note(f"{name} is not the set that the recipe names.")
    for file, reason in found.skipped[:SKIPPED_SHOWN]:
        note(f"{file} is left out. {reason}")
    return found


def _source(path: Path, name: str, field: str, params: Params) -> Source:
    """The source for a picture file. Raises InputError on ``field``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(field, f"{path} cannot be read: {error.strerror}.") from error
    return Source(
        hashlib.sha256(data).hexdigest(),
        lambda: read_input(io.BytesIO(data), params, name, field),
        path.name,
    )


def _show(steps: Steps, title: str) -> Outcome:
    """Run the steps to their end, with a progress bar on stderr: steps, the loss, and the time left."""
    progress = progress_bar()
    task = progress.add_task(title, total=None, number="")
    next_number = 0.0

    def on_step(step: Step) -> None:
        nonlocal next_number
        # From the first step on, so that an error in the input is reported without a bar.
        progress.start()
        progress.update(task, completed=step.done, total=step.total)
        if time.monotonic() >= next_number or step.done == step.total:
            progress.update(task, number=_number(step.losses()))
            next_number = time.monotonic() + _LOSS_SECONDS

    try:
        return run_steps(steps, on_step)
    finally:
        if progress.live.is_started:
            progress.stop()


def _number(losses: Mapping[str, float]) -> str:
    """The total loss, or else the first."""
    name = "total" if "total" in losses else next(iter(losses), None)
    return "" if name is None else f"{name} {losses[name]:.4g}"
