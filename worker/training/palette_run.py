"""A resumable training of palette."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

import torch

from models.procedural import CLASSES
from models.trainable import Trainable
from worker.contract.compute import Compute
from worker.contract.steps import Step, StepState
from worker.runtime import checkpoints
from worker.training.contrast import ContrastCourse, ContrastLesson, Recorder
from worker.training.drawings import DrawnSet
from worker.training.evaluation import Accuracies, accuracies
from worker.training.loop import eval_logits, train
from worker.training.muon import NormedMuon
from worker.training.palette import MEASURED_SIZE, RATE, PaletteRecipe
from worker.training.phases import PhasedCourse, Schedule

CHECKPOINT_SECONDS = 120.0
EVALUATE_EVERY = 250

# Pictures of each class for the accuracies during training.
PER_CLASS = 8


@dataclass(frozen=True)
class Report:
    """The progress of a training: the step, pictures per second, and accuracies if just measured."""

    step: Step
    speed: float
    accuracies: Accuracies | None = None


def train_palette(
    folder: Path,
    recipe: PaletteRecipe,
    schedule: Schedule,
    files: int,
    compute: Compute,
    on_report: Callable[[Report], None],
) -> tuple[Trainable, Accuracies]:
    """Train on the set drawn into ``folder``; returns the model, on the device, and its accuracies.

    ``schedule`` is one of the recipe. Resumes from a checkpoint in the folder, and leaves one there when
    interrupted. Raises ValueError if the checkpoint is of another schedule, contrast or number of files.
    """
    model = recipe.model(schedule.seed).to(compute.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    path = folder / "checkpoint.safetensors"
    identity = repr((schedule, files, *([recipe.contrast] if recipe.contrast else [])))
    resume = _read(path, identity)
    drawn = DrawnSet(folder, size=recipe.drawn_size, files=files, scenery=recipe.scenery)
    course = _course(recipe, schedule, drawn, model, compute)
    steps = train(model, NormedMuon(model, RATE), course, compute, resume)
    classify = partial(eval_logits, model, compute=compute)
    measure = partial(accuracies, classify, PER_CLASS, MEASURED_SIZE)
    saved = monotonic()
    step = None
    try:
        for step, speed in _timed(steps, schedule):
            if monotonic() - saved > CHECKPOINT_SECONDS:
                _write(path, step.state(), identity)
                saved = monotonic()
            measured = measure() if step.done % EVALUATE_EVERY == 0 else None
            on_report(Report(step, speed, measured))
    finally:
        if step is not None:
            _write(path, step.state(), identity)
    return model, measure()


def _course(
    recipe: PaletteRecipe, schedule: Schedule, drawn: DrawnSet, model: Trainable, compute: Compute
) -> PhasedCourse:
    plain = PhasedCourse(recipe.sample(drawn, compute.device), len(CLASSES), schedule)
    if recipe.contrast is None:
        return plain
    recorder = Recorder(model, recipe.contrast.layers)
    lesson = ContrastLesson(plain.lesson, recipe.contrast, recorder)
    return ContrastCourse(plain.sample, plain.classes, schedule, lesson)


def _timed(steps: Iterator[Step], schedule: Schedule) -> Iterator[tuple[Step, float]]:
    began = monotonic()
    for step in steps:
        phase, _ = schedule.at(step.done - 1)
        yield step, phase.batch / (monotonic() - began)
        began = monotonic()


def _read(path: Path, identity: str) -> StepState | None:
    if not path.exists():
        return None
    state = checkpoints.from_bytes(path.read_bytes())
    if state.values["identity"] != identity:
        raise ValueError(f"{path} is of another training: finish that, choose another folder, or remove it")
    return state


def _write(path: Path, state: StepState, identity: str) -> None:
    scratch = path.with_suffix(".partial")
    scratch.write_bytes(
        checkpoints.to_bytes(StepState(state.tensors, {**state.values, "identity": identity}))
    )
    scratch.replace(path)
