"""The training loop: optimizer, batches, and phases."""

import math
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.errors import ComputationError
from worker.contract.compute import Compute
from worker.contract.steps import Step, StepState
from worker.optim.randomness import fold_seed
from worker.training.adversary import one_step_l2
from worker.training.augmentation import cutmix

Sample = Callable[[torch.Generator, int, int], tuple[Tensor, Tensor]]
"""(generator, n, side) -> n pictures (n, 3, side, side) in [0, 1] and their classes (n,), on the device."""

# The distance between the step seeds of two trainings.
APART = 1_000_003

# The losses are checked every so many steps, since each check waits for the device.
CHECK_EVERY = 32

# Pictures of a batch in a step's image.
SHOWN = 16


@dataclass(frozen=True)
class Phase:
    """Steps of a training with the same settings.

    ``size`` is the side of the pictures in pixels and ``batch`` their number in a step; ``radius`` has the L2
    norms of the attack in the first and last step, ``attacked`` is the fraction of a batch that is attacked,
    and ``mixed`` the probability of cutmix for a batch.
    """

    steps: int
    size: int
    batch: int
    radius: tuple[float, float] = (0.0, 0.0)
    attacked: float = 0.0
    mixed: float = 0.5


@dataclass(frozen=True)
class Cycle:
    """Phases over which the learning rates rise once and fall once.

    They rise to ``height`` times the optimizer's own over the fraction ``warm_up`` of the steps, then fall
    linearly to ``last_rate`` times that.
    """

    phases: tuple[Phase, ...]
    height: float = 1.0
    warm_up: float = 0.01
    last_rate: float = 0.01

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def rate_at(self, step: int) -> float:
        """The factor of the learning rates at a step of this cycle, counted from 0."""
        progress = (step + 1) / self.steps
        if progress < self.warm_up:
            return self.height * progress / self.warm_up
        return self.height * (1 - (1 - self.last_rate) * (progress - self.warm_up) / (1 - self.warm_up))


@dataclass(frozen=True)
class Schedule:
    """Settings of a training: its cycles, and what they share.

    With warm restarts (Loshchilov and Hutter, "SGDR", ICLR 2017) the network is usable after each cycle.
    ``smoothing`` is the label smoothing.
    """

    cycles: tuple[Cycle, ...]
    smoothing: float = 0.1
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of all cycles."""
        return sum(cycle.steps for cycle in self.cycles)

    def at(self, step: int) -> tuple[Phase, float]:
        """The phase of a step, counted from 0, and the progress within that phase, in [0, 1]."""
        for phase in (phase for cycle in self.cycles for phase in cycle.phases):
            if step < phase.steps:
                return phase, step / max(1, phase.steps - 1)
            step -= phase.steps
        raise ValueError(f"the schedule has only {self.steps} steps")

    def rate_at(self, step: int) -> float:
        """The factor of the learning rates at a step, counted from 0."""
        for cycle in self.cycles:
            if step < cycle.steps:
                return cycle.rate_at(step)
            step -= cycle.steps
        raise ValueError(f"the schedule has only {self.steps} steps")


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    sample: Sample,
    classes: int,
    schedule: Schedule,
    compute: Compute,
    resume: StepState | None = None,
) -> Generator[Step, None, None]:
    """Train ``model``, which is on the device of ``compute``, in place, one batch a step.

    ``model`` gives logits (n, classes) for pictures in [0, 1]. The random numbers of a step depend on the
    seed and the step's number alone, so that a resumed training equals an uninterrupted one. A step's losses
    are ``loss``, ``accuracy`` (on the batch, unless it was mixed), ``rate`` and ``radius``; its image shows
    some of the batch.

    Raises ComputationError when a loss is not finite, CHECK_EVERY steps later at the latest. No state of a
    step, and no model at the end, has weights that are not finite.
    """
    highest = [group["lr"] for group in optimizer.param_groups]
    done = 0
    if resume is not None:
        done = _restore(resume, model, optimizer)
    losses: deque[Tensor] = deque(maxlen=CHECK_EVERY)
    while done < schedule.steps:
        phase, progress = schedule.at(done)
        rate = schedule.rate_at(done)
        radius = phase.radius[0] + progress * (phase.radius[1] - phase.radius[0])
        for group, most in zip(optimizer.param_groups, highest, strict=True):
            group["lr"] = rate * most
        generator = torch.Generator().manual_seed(fold_seed(schedule.seed) * APART + done)
        pictures, labels = sample(generator, phase.batch, phase.size)
        targets = F.one_hot(labels, classes).float()
        if float(torch.rand(1, generator=generator)) < phase.mixed:
            pictures, targets = cutmix(pictures, targets, generator)
        if radius > 0:
            pictures = _attack(model, pictures, targets, phase, radius, compute, generator)
        model.train()
        optimizer.zero_grad()
        logits = _logits(model, pictures, compute)
        loss = F.cross_entropy(logits, targets, label_smoothing=schedule.smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        done += 1
        losses.append(loss.detach())
        if done % CHECK_EVERY == 0:
            _require_finite_losses(losses, done)
        if done == schedule.steps:
            _require_finite_losses(losses, done)
            _require_finite_weights(model.state_dict(), done)
        yield Step(
            done=done,
            total=schedule.steps,
            losses=partial(_numbers, loss.detach(), logits.detach(), targets, rate, radius, done),
            image=partial(_contact_sheet, pictures),
            state=partial(_state, done, model, optimizer, tuple(losses)),
        )


def _attack(
    model: nn.Module,
    pictures: Tensor,
    targets: Tensor,
    phase: Phase,
    radius: float,
    compute: Compute,
    generator: torch.Generator,
) -> Tensor:
    """The batch with its first pictures attacked.

    The attack runs in eval mode, with the norms' running statistics, and does not change them.
    """
    count = round(phase.attacked * len(pictures))
    if count == 0:
        return pictures
    model.eval()
    with _frozen(model):
        attacked = one_step_l2(
            pictures[:count],
            lambda moved: F.cross_entropy(_logits(model, moved, compute), targets[:count]),
            radius,
            generator,
        )
    return torch.cat([attacked, pictures[count:]])


class _frozen:
    """A context without gradients of the parameters, for cheaper backward passes to the picture."""

    def __init__(self, model: nn.Module) -> None:
        self._parameters = list(model.parameters())

    def __enter__(self) -> None:
        for parameter in self._parameters:
            parameter.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        for parameter in self._parameters:
            parameter.requires_grad_(True)


def _logits(model: nn.Module, pictures: Tensor, compute: Compute) -> Tensor:
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    with torch.autocast(compute.device.type, compute.dtype, enabled=compute.dtype != torch.float32):
        logits: Tensor = model(pictures)
    return logits.float()


def _numbers(
    loss: Tensor, logits: Tensor, targets: Tensor, rate: float, radius: float, done: int
) -> dict[str, float]:
    _require_finite_losses([loss], done)
    right = logits.argmax(dim=1) == targets.argmax(dim=1)
    return {
        "loss": float(loss),
        "accuracy": float(right.float().mean()),
        "rate": rate,
        "radius": radius,
    }


def _require_finite_losses(losses: Sequence[Tensor], done: int) -> None:
    """Check the losses of the latest steps, the last of them ``done``; waits for the device once."""
    for step, loss in enumerate(torch.stack(list(losses)).tolist(), start=done - len(losses) + 1):
        if not math.isfinite(loss):
            raise ComputationError(f"The loss is {loss} after {step} steps. Try a lower learning rate.")


def _require_finite_weights(tensors: Mapping[str, Tensor], done: int) -> None:
    """Check weights, or a state; waits for the device once."""
    finite = torch.stack([torch.isfinite(tensor).all() for tensor in tensors.values()]).tolist()
    for name, right in zip(tensors, finite, strict=True):
        if not right:
            raise ComputationError(f"{name} is not finite after {done} steps. Try a lower learning rate.")


def _contact_sheet(pictures: Tensor) -> Tensor:
    """Some pictures of a batch (n, 3, H, W) in a square, (1, 3, 4 H, 4 W)."""
    columns = round(SHOWN**0.5)
    shown = pictures[: columns * columns].detach().float()
    rows = [torch.cat(list(row), dim=2) for row in torch.split(shown, columns) if len(row) == columns]
    return torch.cat(rows, dim=1)[None]


def _state(
    done: int, model: nn.Module, optimizer: torch.optim.Optimizer, losses: Sequence[Tensor]
) -> StepState:
    """Model and optimizer after a step, and the latest losses checked."""
    _require_finite_losses(losses, done)
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, tensor in optimizer.state[parameter].items():
            tensors[f"optimizer.{key}.{name}"] = tensor
    copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    _require_finite_weights(copies, done)
    return StepState(copies, {"done": done})


def _restore(state: StepState, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load a state into model and optimizer; returns the number of steps done."""
    parameters = dict(model.named_parameters())
    weights = {}
    for place, tensor in state.tensors.items():
        part, name = place.split(".", 1)
        if part == "model":
            weights[name] = tensor
            continue
        key, name = name.split(".", 1)
        parameter = parameters[name]
        layout = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
        kept = tensor.to(parameter.device, copy=True).contiguous(memory_format=layout)
        optimizer.state[parameter][key] = kept
    model.load_state_dict(weights)
    return int(state.values["done"])


@torch.no_grad()
def eval_logits(model: nn.Module, pictures: Tensor, compute: Compute) -> Tensor:
    """Logits (n, classes) of pictures (n, 3, H, W), in eval mode."""
    model.eval()
    return _logits(model, pictures.to(compute.device), compute)
