"""Runs a kind's steps in this process, with a progress bar. Imports torch: import it late."""

import hashlib
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.jobs.errors import InputError
from app.jobs.kinds import Params
from app.settings import Settings
from worker.device import choose_device, choose_dtype
from worker.kinds import FUNCTIONS, network_for
from worker.pictures import Picture, encode_png, load_picture
from worker.recipes import make_recipe
from worker.steps import Compute, Outcome, Step, Steps, finish

# Reading the loss makes the device wait, so not at every step.
_LOSS_SECONDS = 0.25


def paint(params: Params, files: Mapping[str, Sequence[Path]], settings: Settings) -> bytes:
    """Compute a job of resolved params on pictures given by param; the picture as a PNG with its recipe.

    Raises InputError that names the param, or ``device`` or ``precision``, and ComputationError.
    """
    compute = choose_compute(settings)
    pictures: dict[str, list[Picture]] = {}
    hashes: dict[str, list[str]] = {}
    for name, paths in files.items():
        contents = [_read(path, name) for path in paths]
        side = params.picture_side(name)
        pictures[name] = [load_picture(io.BytesIO(data), name, side) for data in contents]
        hashes[name] = [hashlib.sha256(data).hexdigest() for data in contents]
    tensors = {name: [picture.rgb for picture in group] for name, group in pictures.items()}
    network = network_for(params, compute)
    try:
        outcome = _show(FUNCTIONS[params.kind](params, tensors, network, compute, None), params.title)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise InputError("size", "Not enough memory for a picture of this size.") from error
    kept = pictures.get(params.alpha_of or "", [])
    alpha = kept[0].alpha if kept else None
    return encode_png(outcome.images["image"], alpha, make_recipe(params, hashes, network, compute))


def choose_compute(settings: Settings) -> Compute:
    """Where and how precisely to compute. Raises InputError."""
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        device = choose_device(settings.device)
    except ValueError as error:
        raise InputError("device", str(error)) from error
    return Compute(device, choose_dtype(device, settings.precision))


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(name, f"{path} cannot be read: {error.strerror}.") from error


def _show(steps: Steps, title: str) -> Outcome:
    """Run the steps to their end under a progress bar on stderr: steps, loss, and time to go."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None, loss="-")
        next_loss = 0.0

        def on_step(step: Step) -> None:
            nonlocal next_loss
            progress.update(task, completed=step.done, total=step.total)
            if time.monotonic() >= next_loss or step.done == step.total:
                progress.update(task, loss=f"{step.losses()['total']:.4g}")
                next_loss = time.monotonic() + _LOSS_SECONDS

        return finish(steps, on_step)
