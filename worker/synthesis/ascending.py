"""What all pictures that ascend a network's activations have in common, from params to pictures."""

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.activation_maximization import ResolvedMaximization
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.steps import Step, StepState
from worker.losses.regularizers import blur, decay, p_norm, squared_norm, variation
from worker.media.contact_sheet import contact_sheet
from worker.optim.activation_loss import ActivationLoss, seen_sides
from worker.optim.descent import Descent, numbers
from worker.optim.memory import require_memory
from worker.optim.objectives import Objective, one_each, weighted_sum
from worker.optim.optimizers.by_name import make_optimizer
from worker.optim.parametrizations import Parametrization, make_parametrization
from worker.optim.transforms import Transform, crop, in_turn, jitter, noise, pad, roll, rotate, scale
from worker.synthesis.needed_size import smallest_size

# In this order, whatever the order in the params is: JSON keeps none.
_TRANSFORMS: dict[str, Callable[[float], Transform]] = {
    "roll": lambda extent: roll(round(extent)),
    "pad": lambda extent: pad(round(extent)),
    "jitter": lambda extent: jitter(round(extent)),
    "scale": scale,
    "rotate": rotate,
    "crop": crop,
    "noise": noise,
}


@dataclass(frozen=True)
class Target:
    """One picture of a job: the objective that it maximises, and its seed.

    ``unit`` names what it visualises in messages (``class 'cat'``); ``field`` is the param that chose it.
    """

    objective: Objective
    seed: int
    unit: str
    field: str


@dataclass(frozen=True)
class AscentResult:
    """What a job has made, in the order of its targets.

    ``pictures`` are (1, 3, H, W) in [0, 1] on the CPU, by artifact; ``sheet`` has all of them. ``objectives``
    have the value of each before and after.
    """

    pictures: dict[str, Tensor]
    sheet: Tensor
    objectives: list[dict[str, float]]

    @property
    def images(self) -> dict[str, Tensor]:
        """The artifacts: ``image``, the sheet; and each picture for itself, if there are several."""
        return {"image": self.sheet, **self.pictures}


def ascend(
    params: ResolvedMaximization,
    targets: Sequence[Target],
    network: Network,
    compute: Compute,
    resume: StepState | None,
    *,
    group: int = 1,
    together: tuple[Objective, float] | None = None,
    columns: int | None = None,
) -> Generator[Step, None, AscentResult]:
    """Let a batch of pictures ascend, a step at a time; ``params`` are resolved.

    ``together`` is an objective, with its weight, of pictures in groups of ``group`` in a row. The losses of
    a step are means over the pictures, and what is a cost is negative: they sum to ``total``, which rises.

    Raises InputError if the size is too small for the layers, or if a unit has no gradient where its picture
    starts, and names it; ComputationError if an objective is not finite.
    """

    def own(part: slice) -> Objective:
        return one_each([target.objective for target in targets[part]])

    def objective(part: slice) -> Objective:
        return own(part) if together is None else weighted_sum([(own(part), 1.0), together])

    require_size(params, objective(slice(0, len(targets))).layers, network)
    side, mean = params.size, mean_color(network)
    seen = max(side, seen_side(params))
    require_memory(network, objective(slice(0, len(targets))).layers, (seen, seen), side, compute)
    parametrization = make_parametrization(params.parametrization, side, side, mean=mean, noise=params.noise)
    loss = ActivationLoss(
        network,
        parametrization,
        objective,
        tuple(target.seed for target in targets),
        {
            "l2": (params.l2_weight, lambda pictures: squared_norm(pictures, mean)),
            "p_norm": (params.p_weight, lambda pictures: p_norm(pictures, mean)),
            "tv": (params.tv_weight, variation),
        },
        _transform(params),
        params.looks,
        group,
    )
    alone = replace(loss, objective=own)
    start = parametrization.start(loss.seeds).to(compute.device)
    _require_gradient(targets, alone.dead(start))
    optimizer = make_optimizer(params.optimizer, params.step_size, start, bounded=parametrization.bounded)
    descent = Descent(
        start, optimizer, deterministic=loss.transform is None, after_step=_after_step(params, network)
    )
    if resume is not None:
        descent.restore(resume)
    total = params.steps
    while descent.taken < total:
        descent.step(partial(loss, step=descent.taken))
        yield Step(
            done=descent.taken,
            total=total,
            losses=partial(numbers, descent.terms, negated=True),
            image=partial(_sheet, parametrization, descent.variables, columns),
            state=descent.state,
        )
    descent.finish(partial(loss, step=descent.taken))
    made = parametrization.picture(descent.best).to("cpu", copy=True)
    names = [f"image_{place}" for place in range(len(made))] if len(made) > 1 else ["image"]
    values = zip(alone.values(start).tolist(), alone.values(descent.best).tolist(), strict=True)
    return AscentResult(
        dict(zip(names, torch.split(made, 1), strict=True)),
        contact_sheet(made, columns),
        [{"start": before, "end": after} for before, after in values],
    )


def seen_side(params: ResolvedMaximization) -> int:
    """Side of what the network sees of a picture through the transforms of resolved params."""
    side = params.size
    return seen_sides(_transform(params), side, side)[0]


def require_size(params: ResolvedMaximization, layers: Collection[str], network: Network) -> None:
    """Check that layers have a position at the size of resolved params, seen plain or through transforms.

    Raises InputError on ``size``.
    """
    side = params.size
    seen = min(side, seen_side(params))
    smallest = network.minimum_side(layers)
    if seen < smallest:
        enough = smallest_size(
            side,
            lambda size: min(size, seen_side(params.model_copy(update={"size": size}))),
            smallest,
        )
        remedy = (
            "choose layers nearer to the picture"
            if enough is None
            else f"the smallest size that works is {enough}"
        )
        raise InputError(
            "size", f"At size {side} the network sees {seen} px, and the layers need {smallest} px: {remedy}."
        )


def _transform(params: ResolvedMaximization) -> Transform | None:
    extents = {str(name): extent for name, extent in params.transforms.items()}
    transforms = [make(extents[name]) for name, make in _TRANSFORMS.items() if name in extents]
    return in_turn(transforms) if transforms else None


def mean_color(network: Network) -> tuple[float, float, float]:
    """RGB of the mean picture of a network, which it sees as 0."""
    red, green, blue = network.mean.flatten().tolist()
    return red, green, blue


def _after_step(params: ResolvedMaximization, network: Network) -> Callable[[Tensor, int], Tensor] | None:
    """Decay and blur of pixels, kept within [0, 1], after each step; None if there is neither."""
    share, deviation, every = params.decay, params.blur, params.blur_every or 1
    if not share and not deviation:
        return None

    def after_step(pictures: Tensor, taken: int) -> Tensor:
        if share:
            pictures = decay(pictures, mean_color(network), share)
        if deviation and taken % every == 0:
            pictures = blur(pictures, deviation)
        return pictures.clamp(0, 1)

    return after_step


def _require_gradient(targets: Sequence[Target], dead: Sequence[int]) -> None:
    if not dead:
        return
    units = list(dict.fromkeys(targets[place].unit for place in dead))
    some = ", ".join(units[:5]) + (f" and {len(units) - 5} more" if len(units) > 5 else "")
    raise InputError(
        targets[dead[0]].field,
        f"Dead: {some}. Its gradient is 0 at the start picture. Leave it out, or start from more noise.",
    )


def _sheet(parametrization: Parametrization, variables: Tensor, columns: int | None) -> Tensor:
    return contact_sheet(parametrization.picture(variables), columns)
