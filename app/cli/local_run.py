"""Runs a kind's steps in this process, with a progress bar. Imports torch: import it late."""

import hashlib
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.errors import InputError
from app.kinds import Params
from app.settings import Settings
from worker.contract.steps import Compute, Outcome, Step, Steps, finish
from worker.runtime.artifacts import Product, encode
from worker.runtime.device import choose_device, choose_dtype
from worker.runtime.inputs import Inputs, read_input
from worker.runtime.kinds import network_for, steps_of
from worker.runtime.recipes import make_recipe

# Reading the losses makes the device wait, so not at every step.
_LOSS_SECONDS = 0.25


def compute(
    params: Params, files: Mapping[str, Sequence[Path]], settings: Settings
) -> tuple[Iterator[Product], dict[str, Any]]:
    """Compute a job of resolved params on pictures given by param: its files, and its numbers.

    Raises InputError that names the param, or ``device`` or ``precision``, and ComputationError.
    """
    where = choose_compute(settings)
    inputs = Inputs()
    for name, paths in files.items():
        for path in paths:
            data = _read(path, name)
            picture = read_input(io.BytesIO(data), params, name)
            inputs.add(name, picture, hashlib.sha256(data).hexdigest())
    network = network_for(params, where)
    try:
        outcome = _show(steps_of(params, inputs.pictures, network, where), params.title)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise InputError("size", "Not enough memory for a picture of this size.") from error
    recipe = make_recipe(params, inputs.hashes, network, where)
    return encode(outcome, inputs.alpha_for(params), recipe), outcome.result


def choose_compute(settings: Settings) -> Compute:
    """Where and how precisely to compute. Raises InputError."""
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        device = choose_device(settings.device)
    except ValueError as error:
        raise InputError("device", str(error)) from error
    return Compute(device, choose_dtype(device, settings.precision), settings.weights)


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(name, f"{path} cannot be read: {error.strerror}.") from error


def _show(steps: Steps, title: str) -> Outcome:
    """Run the steps to their end under a progress bar on stderr: steps, a number, and time to go."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[number]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None, number="")
        next_number = 0.0

        def on_step(step: Step) -> None:
            nonlocal next_number
            progress.update(task, completed=step.done, total=step.total)
            if time.monotonic() >= next_number or step.done == step.total:
                progress.update(task, number=_number(step.losses()))
                next_number = time.monotonic() + _LOSS_SECONDS

        return finish(steps, on_step)


def _number(losses: Mapping[str, float]) -> str:
    """The sum of the losses, or the one number there is."""
    name = "total" if "total" in losses else next(iter(losses), None)
    return "" if name is None else f"{name} {losses[name]:.4g}"
