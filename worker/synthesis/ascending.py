"""What all pictures that ascend a network's activations have in common, from params to pictures."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.activation_maximization import ResolvedMaximization
from models.blocks import GlobalAverage
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.steps import State, Step
from worker.media.contact_sheet import contact_sheet
from worker.optim.ascent import Ascent
from worker.optim.objectives import Objective, one_each, weighted_sum
from worker.optim.parametrizations import Fourier, Parametrization, Phase, Pixels
from worker.optim.pursuit import Pursuit, seen_sides
from worker.optim.regularizers import blur, decay, p_norm, squared_norm, variation
from worker.optim.solvers import make_solver
from worker.optim.transforms import Transform, crop, in_turn, jitter, noise, pad, roll, rotate, scale

T = TypeVar("T")

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
class Wish:
    """One picture of a job: what it is to excite, from which seed.

    ``unit`` is what a person calls that (``class 'cat'``), and ``field`` the param that asked for it.
    """

    objective: Objective
    seed: int
    unit: str
    field: str


@dataclass(frozen=True)
class Ascended:
    """The pictures of a job (N, 3, H, W) in [0, 1] on the CPU, and their objectives before and after."""

    pictures: Tensor
    start: tuple[float, ...]
    end: tuple[float, ...]

    def images(self, columns: int | None = None) -> dict[str, Tensor]:
        """Artifacts: ``image``, a sheet of all of them; and each for itself, if there are several."""
        several = torch.split(self.pictures, 1) if len(self.pictures) > 1 else ()
        alone = {f"image_{place}": picture for place, picture in enumerate(several)}
        return {"image": contact_sheet(self.pictures, columns), **alone}


def ascend(
    params: ResolvedMaximization,
    wishes: Sequence[Wish],
    network: Network,
    compute: Compute,
    resume: State | None,
    *,
    group: int = 1,
    together: tuple[Objective, float] | None = None,
    columns: int | None = None,
) -> Generator[Step, None, Ascended]:
    """Let a batch of pictures ascend, a step at a time; ``params`` are resolved.

    ``together`` is an objective, with its weight, of pictures in groups of ``group`` in a row. The losses of
    a step are means over the pictures, and what is a cost is negative: they sum to ``total``, which rises.

    Raises InputError if the size is too small for the layers, or if a unit has no gradient where its picture
    starts, and names it; ComputationError if an objective is not finite.
    """
    pursuit = _pursuit(params, wishes, network, group, together)
    alone = replace(pursuit, objective=lambda part: one_each([wish.objective for wish in wishes[part]]))
    require_size(params, pursuit.objective(slice(0, len(wishes))).layers, network)
    parametrization = pursuit.parametrization
    start = parametrization.start(pursuit.seeds).to(compute.device)
    _require_gradient(wishes, alone.silent(start))
    solver = make_solver(
        _known(params.optimizer),
        _known(params.step_size),
        start,
        bounded=params.parametrization == "pixels",
    )
    ascent = Ascent(
        start, parametrization, solver, steady=pursuit.transform is None, after=_after(params, network)
    )
    if resume is not None:
        ascent.restore(resume)
    total = _known(params.steps)
    while ascent.taken < total:
        ascent.step(pursuit)
        yield Step(
            done=ascent.taken,
            total=total,
            losses=partial(_means, ascent.terms),
            image=partial(_look, parametrization, ascent.variables, columns),
            state=ascent.state,
        )
    ascent.finish(pursuit)
    pictures = parametrization.picture(ascent.found).to("cpu", copy=True)
    return Ascended(pictures, tuple(alone.values(start).tolist()), tuple(alone.values(ascent.found).tolist()))


def seen_side(params: ResolvedMaximization) -> int:
    """Side of what the network sees of a picture through the transforms of resolved params."""
    side = _known(params.size)
    return seen_sides(_transform(params), side, side)[0]


def require_size(params: ResolvedMaximization, layers: Collection[str], network: Network) -> None:
    """Check that layers have a position at the size of resolved params, seen plain or through transforms.

    Raises InputError on ``size``.
    """
    side = _known(params.size)
    seen = min(side, seen_side(params))
    smallest = network.minimum_side(layers)
    if seen < smallest:
        enough = side + smallest - seen
        raise InputError(
            "size",
            f"At size {side} the network sees {seen} px, and the layers need {smallest} px: "
            f"the smallest size that works is {enough}.",
        )


def source_of(network: Network, layer: str) -> str:
    """The layer whose channels are those of ``layer`` before its ReLU, or ``layer`` itself.

    Where a ReLU is silent it has no gradient, and a picture that starts there never gets anywhere. A mean
    over all positions has the channels of the layer before it.
    """
    names = list(network.stack)
    place = names.index(layer)
    average = isinstance(network.stack[layer], GlobalAverage)
    if average and place > 0 and isinstance(network.stack[names[place - 1]], nn.ReLU):
        place -= 1
    before = network.stack[names[place - 1]] if place > 0 else None
    if isinstance(network.stack[names[place]], nn.ReLU) and isinstance(before, nn.Conv2d | nn.Linear):
        return names[place - 1]
    return layer


def _known(value: T | None) -> T:
    """A param that :meth:`resolve` has filled in."""
    if value is None:
        raise TypeError("the params are not resolved")
    return value


def _pursuit(
    params: ResolvedMaximization,
    wishes: Sequence[Wish],
    network: Network,
    group: int,
    together: tuple[Objective, float] | None,
) -> Pursuit:
    def objective(part: slice) -> Objective:
        own = one_each([wish.objective for wish in wishes[part]])
        return own if together is None else weighted_sum([(own, 1.0), together])

    return Pursuit(
        network,
        _parametrization(params, network),
        objective,
        tuple(wish.seed for wish in wishes),
        _penalties(params, network),
        _transform(params),
        _known(params.looks),
        group,
    )


def _transform(params: ResolvedMaximization) -> Transform | None:
    extents = {str(name): extent for name, extent in (params.transforms or {}).items()}
    transforms = [make(extents[name]) for name, make in _TRANSFORMS.items() if name in extents]
    return in_turn(transforms) if transforms else None


def _parametrization(params: ResolvedMaximization, network: Network) -> Parametrization:
    side = _known(params.size)
    match params.parametrization:
        case "fourier":
            return Fourier(side, side, _known(params.noise))
        case "phase":
            return Phase(side, side)
        case _:
            return Pixels(side, side, mean_color(network), _known(params.noise))


def mean_color(network: Network) -> tuple[float, float, float]:
    """RGB of the mean picture of a network, which it sees as 0."""
    red, green, blue = network.mean.flatten().tolist()
    return red, green, blue


def _penalties(params: ResolvedMaximization, network: Network) -> dict[str, Callable[[Tensor], Tensor]]:
    mean = mean_color(network)
    found: dict[str, tuple[float | None, Callable[[Tensor], Tensor]]] = {
        "l2": (params.l2_weight, lambda pictures: squared_norm(pictures, mean)),
        "p_norm": (params.p_weight, lambda pictures: p_norm(pictures, mean)),
        "tv": (params.tv_weight, variation),
    }
    return {name: partial(weighted, weight, cost) for name, (weight, cost) in found.items() if weight}


def weighted(weight: float, cost: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """What pictures cost, times a weight."""
    return weight * cost(pictures)


def _after(params: ResolvedMaximization, network: Network) -> Callable[[Tensor, int], Tensor] | None:
    """What is done to pixels after each step."""
    share, deviation, every = params.decay, params.blur, _known(params.blur_every)
    if not share and not deviation:
        return None

    def after(pictures: Tensor, taken: int) -> Tensor:
        if share:
            pictures = decay(pictures, mean_color(network), share)
        return blur(pictures, deviation) if deviation and taken % every == 0 else pictures

    return after


def _require_gradient(wishes: Sequence[Wish], silent: Sequence[int]) -> None:
    if not silent:
        return
    units = list(dict.fromkeys(wishes[place].unit for place in silent))
    some = ", ".join(units[:5]) + (f" and {len(units) - 5} more" if len(units) > 5 else "")
    raise InputError(
        wishes[silent[0]].field,
        f"Dead: {some}. What a picture starts from makes no difference to it, so that no step leads "
        "anywhere. Leave it out, or start from more noise.",
    )


def _means(terms: Mapping[str, Tensor]) -> dict[str, float]:
    """Terms as numbers, and their sum."""
    means = {name: float(term.mean()) for name, term in terms.items()}
    return {**means, "total": sum(means.values())}


def _look(parametrization: Parametrization, variables: Tensor, columns: int | None) -> Tensor:
    return contact_sheet(parametrization.picture(variables).to("cpu", copy=True), columns)
