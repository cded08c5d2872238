"""Gradient check: backpropagation against centred differences, in float64, on random pictures.

As the notes of CS231n (Stanford), "Gradient checks": the relative error |a - n| / max(|a|, |n|), with
(f(w + h) - f(w - h)) / 2h for n. A step over a kink (where a ReLU, a max pool, a margin or |w| changes sides
between w - h and w + h) has no gradient to compare with: such numbers are counted, and left out of the
errors. Of a gradient so small that the rounding of f would be an error of more than GOOD, the error is
relative to the gradient of which it would not be.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.kinds.architectures import resolve_architecture
from app.kinds.gradient_check import ResolvedGradientCheck
from models.activations import Maxout
from models.network import Network
from models.random_vgg import IMAGENET_MEAN, IMAGENET_STD
from models.relu import ReLU
from models.trainable import AUXILIARY_WEIGHT, Trainable, initialize, new_trainable
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState
from worker.optim.randomness import fold_seed, generator_from
from worker.training.gradient_figure import gradient_figure
from worker.training.objectives import ObjectiveSettings, make_objective, penalty, sides_of
from worker.training.settings import settings_of
from worker.understanding.tables import csv_file

Verdict = Literal["good", "ok", "suspicious", "wrong"]

# Largest relative errors, from CS231n's notes: below the first one should be happy; the second is usual for
# objectives with kinks, and too high without; above the third the gradient is probably wrong.
GOOD, OK, SUSPICIOUS = 1e-7, 1e-4, 1e-2
# What rounding does to a difference of losses, in units of the last place of the loss.
ROUNDING = 4
# Numbers that are listed, those with the largest errors.
LISTED = 12
# Deviations of what is added to weights, in shares of 1 over the root of the inputs, and to other parameters:
# no layer should be zero, or the identity.
WEIGHTS, OTHERS = 0.5, 0.1


@dataclass(frozen=True)
class Number:
    """One number of a parameter: its gradient by backpropagation and by differences, and their error.

    ``kink``: there is no gradient to compare with. ``small``: the error is not relative to the gradient.
    """

    parameter: str
    index: list[int]
    backpropagated: float
    difference: float
    relative_error: float
    kink: bool
    small: bool


COLUMNS = [field.name for field in fields(Number)]


def gradient_check(
    params: ResolvedGradientCheck,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Check numbers of every parameter; a step is a parameter.

    The result has ``verdict``, ``loss``, ``relative_error`` (the largest), ``checked``, ``kinks``, ``small``,
    and the tables ``layers`` and ``worst``. ``image`` shows the errors of the layers; the file ``numbers``
    has all that was checked. It is computed on the CPU, since other devices may lack float64.
    """
    del inputs, network, compute
    model = _model(params)
    loss = _Loss(params)
    whole = loss(model)
    whole.backward()  # type: ignore[no-untyped-call]
    parameters = dict(model.named_parameters())
    value = float(whole.detach())
    found = [] if resume is None else [Number(**each) for each in resume.values["numbers"]]
    done = len({each.parameter for each in found})
    for place, (name, parameter) in enumerate(parameters.items()):
        if place < done:
            continue
        generator = torch.Generator().manual_seed((fold_seed(params.seed) + place + 1) % 2**63)
        found += check_numbers(
            name,
            parameter,
            partial(loss.with_sides, model),
            samples=params.samples,
            h=params.step,
            generator=generator,
        )
        yield Step(
            place + 1,
            len(parameters),
            losses=partial(_losses, found),
            image=None,
            state=partial(_state, found),
        )
    layers = by_layer(found, parameters)
    result: dict[str, Any] = {
        "verdict": verdict_of(largest(found)),
        "loss": value,
        "relative_error": largest(found),
        "checked": len(found),
        "kinks": sum(each.kink for each in found),
        "small": sum(each.small for each in found),
        "layers": layers,
        "worst": [asdict(each) for each in worst(found)],
    }
    rows = (
        [{**asdict(each), "index": " ".join(map(str, each.index))}[column] for column in COLUMNS]
        for each in found
    )
    figure = gradient_figure(layers, f"{params.architecture}, {params.objective}: {result['verdict']}")
    return Outcome({"image": figure}, result, files={"numbers": csv_file(COLUMNS, rows)})


def _losses(found: Sequence[Number]) -> dict[str, float]:
    return {"relative_error": largest(found)}


def _state(found: Sequence[Number]) -> StepState:
    return StepState({}, {"numbers": [asdict(each) for each in found]})


def check_numbers(
    name: str,
    parameter: Tensor,
    loss: Callable[[], tuple[float, Sequence[Tensor]]],
    *,
    samples: int,
    h: float,
    generator: torch.Generator,
) -> list[Number]:
    """Compare the gradient of a parameter, which it has, with differences at random places.

    ``loss`` gives the loss, and on which side of its kinks each of them is.
    """
    gradient = parameter.grad
    if gradient is None:
        gradient = torch.zeros_like(parameter)
    flat = parameter.detach().view(-1)
    places = torch.randperm(len(flat), generator=generator)[:samples].tolist()
    found = []
    for place in places:
        before = float(flat[place])
        values, sides = [], []
        for moved in (before + h, before - h):
            flat[place] = moved
            value, side = loss()
            values.append(value)
            sides.append(side)
        flat[place] = before
        kink = any(not torch.equal(one, other) for one, other in zip(*sides, strict=True))
        backpropagated = float(gradient.view(-1)[place])
        difference = (values[0] - values[1]) / (2 * h)
        floor = ROUNDING * torch.finfo(torch.float64).eps * abs(values[0]) / (2 * h) / GOOD
        index = [int(each) for each in torch.unravel_index(torch.tensor(place), parameter.shape)]
        error = relative_error(backpropagated, difference, floor)
        small = max(abs(backpropagated), abs(difference)) < floor
        found.append(Number(name, index, backpropagated, difference, error, kink, small))
    return found


def relative_error(a: float, n: float, floor: float = 0.0) -> float:
    """|a - n| / max(|a|, |n|, floor); 0 where all are 0."""
    largest = max(abs(a), abs(n), floor)
    return abs(a - n) / largest if largest > 0 else 0.0


def verdict_of(error: float) -> Verdict:
    """What a relative error means."""
    return "good" if error < GOOD else "ok" if error < OK else "suspicious" if error < SUSPICIOUS else "wrong"


def largest(numbers: Sequence[Number]) -> float:
    """The largest relative error, without kinks; 0 if there is none."""
    return max((each.relative_error for each in numbers if not each.kink), default=0.0)


def worst(numbers: Sequence[Number]) -> list[Number]:
    """The numbers with the largest relative errors, without kinks."""
    smooth = [each for each in numbers if not each.kink]
    return sorted(smooth, key=lambda each: -each.relative_error)[:LISTED]


def by_layer(numbers: Sequence[Number], parameters: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    """A row for each layer of the network with parameters, from the picture on."""
    rows = []
    for layer in dict.fromkeys(map(layer_of, parameters)):
        own = [each for each in numbers if layer_of(each.parameter) == layer]
        count = sum(each.numel() for name, each in parameters.items() if layer_of(name) == layer)
        error = largest(own)
        rows.append(
            {
                "layer": layer,
                "parameters": count,
                "checked": len(own),
                "kinks": sum(each.kink for each in own),
                "small": sum(each.small for each in own),
                "gradient": sum(abs(each.backpropagated) for each in own) / len(own),
                "relative_error": error,
                "verdict": verdict_of(error),
            }
        )
    return rows


def layer_of(parameter: str) -> str:
    """The layer that a parameter of a network in training belongs to."""
    part, layer = parameter.split(".")[:2]
    return layer if part == "stack" else f"head of {layer}"


class _Loss:
    """The objective of random pictures, with the penalties of the weights."""

    def __init__(self, params: ResolvedGradientCheck) -> None:
        generator = generator_from(params.seed)
        shape = (params.batch_size, 3, params.size, params.size)
        self._pictures = torch.rand(shape, generator=generator, dtype=torch.float64)
        labels = torch.arange(params.batch_size) % params.classes
        if params.objective == "triplet":
            # Each class twice at least: a triplet needs two of a kind.
            labels = torch.arange(params.batch_size) % min(params.classes, max(2, params.batch_size // 2))
        self._targets = F.one_hot(labels, params.classes).double()
        self._objective = make_objective(settings_of(ObjectiveSettings, params))
        self._params = params

    def __call__(self, model: Trainable) -> Tensor:
        logits = model(self._pictures)
        loss = self._objective(logits, self._targets)
        for auxiliary in model.auxiliary_logits:
            loss = loss + AUXILIARY_WEIGHT * self._objective(auxiliary, self._targets)
        if self._params.l1 > 0 or self._params.l2 > 0:
            loss = loss + penalty(model, self._params.l1, self._params.l2)
        return loss

    @torch.no_grad()
    def with_sides(self, model: Trainable) -> tuple[float, list[Tensor]]:
        """The loss, and on which side of each kink it is."""
        params, outputs = self._params, list[Tensor]()
        with watched(model) as sides:
            hook = model.register_forward_hook(
                lambda module, given, logits: outputs.extend([logits, *model.auxiliary_logits])
            )
            value = float(self(model))
            hook.remove()
        for logits in outputs:
            sides.append(sides_of(params.objective, logits, self._targets, params.margin))
        if params.l1 > 0:
            sides += [parameter.detach() > 0 for parameter in model.parameters()]
        return value, sides


@contextmanager
def watched(model: nn.Module) -> Iterator[list[Tensor]]:
    """A list that gets, in each forward pass, on which side of its kinks each activation is."""
    sides: list[Tensor] = []

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        (x,) = given
        match module:
            case nn.MaxPool2d():
                pool = (module.kernel_size, module.stride, module.padding, module.dilation)
                sides.append(F.max_pool2d(x, *pool, module.ceil_mode, return_indices=True)[1])
            case Maxout():
                apart = x.reshape(len(x), module.channels, module.pieces, *x.shape[2:])
                sides.append(apart.argmax(2))
            case _:
                sides.append(x > 0)

    kinked = [
        module
        for module in model.modules()
        if isinstance(module, ReLU | nn.LeakyReLU | nn.MaxPool2d | Maxout)
    ]
    hooks = [module.register_forward_pre_hook(note) for module in kinked]
    try:
        yield sides
    finally:
        for hook in hooks:
            hook.remove()


def _model(params: ResolvedGradientCheck) -> Trainable:
    """The network in training, in float64, without dropout, whose layers all do something."""
    resolved = resolve_architecture(
        params.architecture, params.architecture_params, params.size, params.classes
    )
    model = new_trainable(
        resolved.builder,
        resolved.params,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        batch_norm=params.batch_norm,
    )
    initialize(model, fold_seed(params.seed), params.initialization)
    model = model.double()
    generator = generator_from(params.seed)
    with torch.no_grad():
        for parameter in model.parameters():
            weights = parameter.ndim > 1
            deviation = WEIGHTS / parameter[0].numel() ** 0.5 if weights else OTHERS
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(noise, alpha=deviation)
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()
    return model
