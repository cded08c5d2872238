"""The training loop: one batch a step, the same for every training."""

import math
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.errors import ComputationError
from worker.contract.compute import Compute
from worker.contract.interludes import between_parts
from worker.contract.steps import Step, StepState
from worker.optim.randomness import fold_seed
from worker.training.adversary import one_step_l2
from worker.training.averaging import WeightAverage
from worker.training.learner import Lesson, run_model
from worker.training.team import make_learner

# The distance between the step seeds of two trainings.
APART = 1_000_003

# The losses are checked every so many steps, since each check waits for the device.
CHECK_EVERY = 32

# Pictures of a batch in a step's image.
SHOWN = 16


@dataclass(frozen=True)
class Batch:
    """What a step learns from, on the device: inputs (n, ...) and the shares of their classes (n, classes).

    Inputs are pictures (n, 3, H, W) in [0, 1], or features (n, channels). The first ``attacked`` pictures
    are changed by at most ``radius`` (L2 norm), so that their cross-entropy grows.
    """

    inputs: Tensor
    targets: Tensor
    attacked: int = 0
    radius: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """Measures of a model on the validation part by name.

    The best model has the highest ``quality``: the one measure, then another among equals. It is kept if the
    judge ``chooses``; else the last one is.
    """

    measures: dict[str, float]
    quality: tuple[float, float]
    chooses: bool = True


class Course(Protocol):
    """What a training does in each step, counted from 0."""

    @property
    def seed(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def lesson(self) -> Lesson: ...
    @property
    def scored(self) -> bool:
        """Whether logits are scores of the classes."""
        ...

    def batch(self, step: int, generator: torch.Generator) -> Batch:
        """What a step learns from; its random numbers are of the generator, or of the course's seed."""
        ...

    def factor(self, step: int) -> float:
        """What multiplies the optimizer's learning rates."""
        ...

    def numbers(self, step: int, rate: float, batch: Batch) -> dict[str, float]:
        """What a step reports beside ``loss`` and ``accuracy``; ``rate`` is the highest of all weights."""
        ...


class Judge(Protocol):
    """Measures a model each ``every`` steps, an epoch, and decides when it is good enough."""

    @property
    def every(self) -> int: ...
    def measure(self, model: nn.Module) -> Verdict | None:
        """Measure a model, which is in eval mode, on the validation part; None: that is empty."""
        ...

    def is_over(self, verdict: Verdict) -> bool:
        """Whether to stop after an epoch, of which each is told once."""
        ...

    def state(self) -> dict[str, Any]:
        """What it remembers of the epochs, as JSON."""
        ...

    def load(self, state: Mapping[str, Any]) -> None: ...


@dataclass
class Progress:
    """Where a training is: steps done, epochs judged, the sums of the epoch begun, and the best weights.

    ``measures`` are those of the weights that are kept: the best, or where nothing is chosen the last; of
    ``best_epoch`` 0 they are those that it began with.
    ``sums`` are the sum of losses times pictures, right pictures, and pictures of this epoch.
    """

    done: int = 0
    history: list[dict[str, float | None]] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    best_epoch: int | None = None
    measures: dict[str, float] = field(default_factory=dict)
    quality: tuple[float, float] = (-math.inf, -math.inf)
    sums: Tensor = field(default_factory=lambda: torch.zeros(3))
    over: bool = False
    finishing: bool = False


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    course: Course,
    compute: Compute,
    resume: StepState | None = None,
    *,
    judge: Judge | None = None,
    average: float = 0.0,
    begun: bool = False,
) -> Generator[Step, None, Progress]:
    """Train ``model``, which is on the device of ``compute``, in place, one batch a step.

    ``model`` gives logits (n, classes). The random numbers of a step depend on the seed and the step's number
    alone, so that a resumed training equals an uninterrupted one. A step's losses are ``loss``, ``accuracy``
    (on the batch), what the course adds, and ``validation.*`` of the last epoch; its image shows some of the
    batch. ``average`` is the decay of a moving average of the weights, which is judged and kept in their
    place; 0: none.

    With a ``judge`` the model ends with the best weights of all epochs; those that it began with are among
    them if it has ``begun`` with some knowledge of the classes. ``Step.finish`` ends the
    training after that step.

    Raises ComputationError when a loss is not finite, CHECK_EVERY steps later at the latest. No state of a
    step, and no model at the end, has weights that are not finite.
    """
    highest = [group["lr"] for group in optimizer.param_groups]
    averaged = WeightAverage(model, average) if average else None
    at = Progress(sums=torch.zeros(3, device=compute.device))
    if resume is not None:
        _restore(resume, at, model, optimizer, averaged, judge)
    elif begun and judge is not None:
        model.eval()
        if (verdict := judge.measure(model)) is not None:
            _keep(at, model, verdict, 0)
    learner = make_learner(model, optimizer, course.lesson, compute)
    losses: deque[Tensor] = deque(maxlen=CHECK_EVERY)
    while at.done < course.steps and not at.over:
        factor = course.factor(at.done)
        for group, most in zip(optimizer.param_groups, highest, strict=True):
            group["lr"] = factor * most
        generator = torch.Generator().manual_seed(fold_seed(course.seed) * APART + at.done)
        batch = course.batch(at.done, generator)
        inputs = _attacked(model, batch, compute, generator)
        loss, logits = learner.step(inputs, batch.targets, generator.initial_seed())
        if averaged is not None:
            averaged.update(model, at.done)
        numbers = course.numbers(at.done, factor * max(highest), batch)
        at.done += 1
        losses.append(loss)
        if judge is not None:
            at.sums += _sums(loss, logits, batch.targets)
        if at.done % CHECK_EVERY == 0 or at.done == course.steps:
            require_finite_losses(losses, at.done)
        if at.done == course.steps:
            require_finite(model.state_dict(), at.done)
        if judge is not None and (at.done % judge.every == 0 or at.done == course.steps):
            require_finite_losses(losses, at.done)
            _judge(at, model if averaged is None else averaged.model, course, judge, factor * max(highest))
        yield Step(
            done=at.done,
            total=course.steps,
            losses=partial(_numbers, at, loss, logits if course.scored else None, batch.targets, numbers),
            image=partial(_contact_sheet, inputs) if inputs.ndim == 4 else None,
            state=partial(_state, at, model, optimizer, averaged, judge, losses),
            finish=partial(setattr, at, "finishing", True),
        )
        if at.finishing:
            break
    if judge is not None and float(at.sums[2]) > 0:
        # It was ended within an epoch.
        rate = max(group["lr"] for group in optimizer.param_groups)
        _judge(at, model if averaged is None else averaged.model, course, judge, rate)
    if at.best is not None:
        model.load_state_dict(at.best)
    elif averaged is not None:
        model.load_state_dict(averaged.model.state_dict())
    require_finite(model.state_dict(), at.done)
    return at


def _judge(at: Progress, model: nn.Module, course: Course, judge: Judge, rate: float) -> None:
    """Measure the model after an epoch, remember it if it is the best so far, and begin the next one."""
    model.eval()
    verdict = judge.measure(model)
    loss, right, count = at.sums.tolist()
    accuracy = right / count if course.scored else None
    at.sums.zero_()
    epoch = len(at.history) + 1
    learned = {"epoch": epoch, "loss": loss / count, "accuracy": accuracy, "rate": rate}
    if verdict is None:
        at.history.append(learned)
        return
    at.history.append(learned | {f"validation_{name}": value for name, value in verdict.measures.items()})
    _keep(at, model, verdict, epoch)
    at.over = judge.is_over(verdict)


def _keep(at: Progress, model: nn.Module, verdict: Verdict, epoch: int) -> None:
    """Keep the weights if they are the best so far."""
    if not verdict.chooses:
        at.measures = verdict.measures
    elif at.best is None or verdict.quality > at.quality:
        at.best = {name: each.detach().to("cpu", copy=True) for name, each in model.state_dict().items()}
        at.best_epoch, at.quality, at.measures = epoch, verdict.quality, verdict.measures


def _attacked(model: nn.Module, batch: Batch, compute: Compute, generator: torch.Generator) -> Tensor:
    """The batch with its first pictures attacked, so that their cross-entropy grows.

    The attack runs in eval mode, with the norms' running statistics, and does not change them.
    """
    pictures, count = batch.inputs, batch.attacked
    if count == 0 or batch.radius <= 0:
        return pictures
    model.eval()
    with _frozen(model):
        attacked = one_step_l2(
            pictures[:count],
            lambda moved: F.cross_entropy(run_model(model, moved, compute), batch.targets[:count]),
            batch.radius,
            generator,
        )
    return torch.cat([attacked, pictures[count:]])


class _frozen:
    """A context without gradients of the parameters, for cheaper backward passes to the picture."""

    def __init__(self, model: nn.Module) -> None:
        self._parameters = [each for each in model.parameters() if each.requires_grad]

    def __enter__(self) -> None:
        for parameter in self._parameters:
            parameter.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        for parameter in self._parameters:
            parameter.requires_grad_(True)


def _sums(loss: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
    right = logits.argmax(dim=1) == targets.argmax(dim=1)
    count = len(targets)
    return torch.stack([loss.float() * count, right.float().sum(), loss.new_tensor(count).float()])


def _numbers(
    at: Progress, loss: Tensor, logits: Tensor | None, targets: Tensor, numbers: Mapping[str, float]
) -> dict[str, float]:
    """What a step reports; ``logits`` are None where they are no scores of classes."""
    require_finite_losses([loss], at.done)
    found = {"loss": float(loss)}
    if logits is not None:
        found["accuracy"] = float((logits.argmax(dim=1) == targets.argmax(dim=1)).float().mean())
    last = at.history[-1] if at.history else {}
    judged = {
        name.replace("_", ".", 1): value
        for name, value in last.items()
        if name.startswith("validation_") and value is not None
    }
    return {**found, **numbers, **judged}


def require_finite_losses(losses: Sequence[Tensor], done: int) -> None:
    """Check the losses of the latest steps, the last of them ``done``; waits for the device once.

    Raises ComputationError.
    """
    if not losses:
        return
    for step, loss in enumerate(torch.stack(list(losses)).tolist(), start=done - len(losses) + 1):
        if not math.isfinite(loss):
            raise ComputationError(f"The loss is {loss} after {step} steps. Try a lower learning rate.")


def require_finite(tensors: Mapping[str, Tensor], done: int) -> None:
    """Check weights, or a state; waits for the device once. Raises ComputationError."""
    finite = torch.stack([torch.isfinite(tensor).all() for tensor in tensors.values()]).tolist()
    for name, right in zip(tensors, finite, strict=True):
        if not right:
            raise ComputationError(f"{name} is not finite after {done} steps. Try a lower learning rate.")


def _contact_sheet(pictures: Tensor) -> Tensor:
    """Some pictures of a batch (n, 3, H, W) in rows that are as long as there are rows."""
    columns = max(1, math.isqrt(min(SHOWN, len(pictures))))
    shown = pictures[: columns * columns].detach().float()
    rows = [torch.cat(list(row), dim=2) for row in torch.split(shown, columns)]
    return torch.cat(rows, dim=1)[None]


def _state(
    at: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    averaged: WeightAverage | None,
    judge: Judge | None,
    losses: Sequence[Tensor],
) -> StepState:
    """All that the training needs to go on after a step."""
    require_finite_losses(losses, at.done)
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state[parameter].items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{key}.{name}"] = value
    if averaged is not None:
        tensors |= {f"average.{name}": each for name, each in averaged.model.state_dict().items()}
    tensors |= {f"best.{name}": each for name, each in (at.best or {}).items()}
    copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    require_finite(copies, at.done)
    copies["sums"] = at.sums.to("cpu", copy=True)
    values = {
        "done": at.done,
        "history": [dict(row) for row in at.history],
        "best_epoch": at.best_epoch,
        "measures": at.measures,
        "quality": None if at.best is None else list(at.quality),
        "over": at.over,
        "judge": None if judge is None else judge.state(),
    }
    return StepState(copies, values)


def _restore(
    state: StepState,
    at: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    averaged: WeightAverage | None,
    judge: Judge | None,
) -> None:
    """Load a state into the parts of a training."""
    parameters = dict(model.named_parameters())
    weights: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "best": {}}
    for place, tensor in state.tensors.items():
        part, _, name = place.partition(".")
        if part in weights:
            weights[part][name] = tensor
        elif part == "optimizer":
            key, name = name.split(".", 1)
            parameter = parameters[name]
            optimizer.state[parameter][key] = _like(tensor, parameter)
    model.load_state_dict(weights["model"])
    if averaged is not None:
        averaged.model.load_state_dict(weights["average"])
    at.sums.copy_(state.tensors["sums"])
    values = state.values
    at.done, at.over = int(values["done"]), bool(values["over"])
    at.history, at.measures = [dict(row) for row in values["history"]], values["measures"]
    if values["quality"] is not None:
        at.best, at.best_epoch = weights["best"], values["best_epoch"]
        at.quality = (values["quality"][0], values["quality"][1])
    if judge is not None:
        judge.load(values["judge"])


def _like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A copy of a tensor of the optimizer's: beside its parameter, but counts of steps on the CPU."""
    if tensor.ndim == 0:
        return tensor.clone()
    layout = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
    return tensor.to(parameter.device, copy=True).contiguous(memory_format=layout)


@torch.no_grad()
def eval_logits(model: nn.Module, pictures: Tensor, compute: Compute) -> Tensor:
    """Logits (n, classes) of pictures (n, 3, H, W), in eval mode."""
    between_parts()
    model.eval()
    return run_model(model, pictures.to(compute.device), compute)
