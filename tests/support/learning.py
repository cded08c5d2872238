"""Sets to learn from, trainings of them, and their states, as a worker keeps them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from app.datasets.split import Part, split_members
from app.errors import InputError
from app.jobs.params import parse_params
from app.kinds.train import ResolvedFrozen, ResolvedTraining
from app.networks.catalogue import SHIPPED
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member, Source
from worker.contract.steps import Outcome, Step, StepState
from worker.media.pictures import Picture
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.training.train import train

CPU = Compute(torch.device("cpu"))
# Trains in a moment: a linear classifier of 8 px, without augmentation.
TINY: Mapping[str, Any] = {
    "dataset": "digits",
    "preset": "from-scratch",
    "architecture": "linear",
    "size": 8,
    "epochs": 2,
    "batch_size": 8,
    "crop": 1,
    "shift": 0,
    "color": 0,
}


def resolved(**params: Any) -> ResolvedTraining | ResolvedFrozen:
    """Resolved params of a tiny training, with some in their places."""
    made = parse_params("train", {**TINY, **params}, SHIPPED)
    assert isinstance(made, ResolvedTraining | ResolvedFrozen)
    return made


def colored(count: int, classes: int = 3, seed: int = 0) -> list[tuple[Tensor, str]]:
    """Noisy pictures (1, 3, 9, 9) in a color for each class, and their labels, class after class."""
    generator = torch.Generator().manual_seed(seed)
    colors = torch.rand(classes, 3, generator=torch.Generator().manual_seed(5))
    found = []
    for place in range(count):
        number = place % classes
        noise = 0.15 * torch.rand(1, 3, 9, 9, generator=generator)
        found.append(((0.8 * colors[number].view(1, 3, 1, 1) + noise).clamp(0, 1), f"c{number:03d}"))
    return found


def members_of(
    pictures: Sequence[tuple[Tensor, str | None]], parts: Sequence[Part | None] | None = None
) -> list[Member]:
    """Members with these pictures and labels, split as a set is where no ``parts`` are given."""
    keys = [
        (hashlib.sha256(picture.numpy().tobytes()).hexdigest(), label, f"{place:04d}.png")
        for place, (picture, label) in enumerate(pictures)
    ]
    return [
        Member(Source(sha256, lambda picture=picture: Picture(picture)), label, name, part, f"image-{name}")
        for (sha256, label, name), (picture, _), part in zip(
            keys, pictures, parts or split_members(keys), strict=True
        )
    ]


def damaged(member: Member) -> Member:
    """The member with a file that cannot be decoded."""

    def load() -> Picture:
        raise InputError("dataset", f"{member.name} is damaged")

    return Member(Source(member.source.sha256, load), member.label, member.name, member.part, member.image_id)


def inputs_of(members: Sequence[Member]) -> Inputs:
    """The inputs of a training on members."""
    return Inputs(sets={"dataset": members}, set_hashes={"dataset": "0" * 64}, set_names={"dataset": "tests"})


def kept(state: StepState) -> StepState:
    """A state as it comes back from a checkpoint."""
    loaded = from_bytes(to_bytes(state))
    return StepState(loaded.tensors, loaded.values, dict(state.parts))


def run_training(
    params: ResolvedTraining | ResolvedFrozen,
    inputs: Inputs,
    resume: StepState | None = None,
    on_step: Callable[[Step], object] | None = None,
    **given: Any,
) -> Outcome:
    """The outcome of a training; ``given`` is what else it takes, such as the network."""
    steps = train(params, inputs, given.get("network"), CPU, resume)
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome
        if on_step is not None:
            on_step(step)


class Stopped(Exception):
    """A training was interrupted."""


def interrupted(
    params: ResolvedTraining | ResolvedFrozen, inputs: Inputs, after: int, **given: Any
) -> StepState:
    """The state of a training after so many steps, as a checkpoint keeps it."""
    count = 0
    found: list[StepState] = []

    def on_step(step: Step) -> None:
        nonlocal count
        count += 1
        if count == after:
            found.append(kept(step.state()))
            raise Stopped

    try:
        run_training(params, inputs, on_step=on_step, **given)
    except Stopped:
        return found[0]
    raise AssertionError(f"there are only {count} steps")


def weights_of(outcome: Outcome) -> dict[str, Tensor]:
    """The weights of the network that a training made."""
    assert outcome.network is not None
    return dict(outcome.network.weights)
