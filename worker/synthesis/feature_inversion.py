"""Feature inversion: a picture from what a layer says of another, which shows what that layer still knows.

Mahendran and Vedaldi, "Understanding deep image representations by inverting them", CVPR 2015, and
"Visualizing deep convolutional neural networks using natural pre-images", IJCV 2016: the relative distance of
the features, less a p-norm and total variation, which stand for what pictures are like.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.feature_inversion import ResolvedFeatureInversion
from app.kinds.fields import MAX_SMALL_SIDE
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.stacks import StackedJob, StackSteps
from worker.contract.steps import Outcome, Step, Steps, StepState
from worker.losses.regularizers import p_norm, squared_steps
from worker.media.contact_sheet import PAPER, contact_sheet
from worker.optim.activation_loss import ActivationLoss
from worker.optim.descent import Descent, numbers
from worker.optim.memory import require_memory
from worker.optim.objectives import feature_match
from worker.optim.optimizers.by_name import make_optimizer
from worker.optim.parametrizations import Parametrization, make_parametrization
from worker.optim.pyramids.scales import fit, resize
from worker.synthesis.ascending import mean_color
from worker.synthesis.needed_size import Size, as_loaded, smallest_size
from worker.synthesis.stacking import Run, alone, evaluated, stacked

# Standard deviation of the noise it starts from; that of a spectrum is lucid's.
NOISE = {"pixels": 0.1, "fourier": 0.01}

# Learning rates of Adam, for pixels as in style transfer and for a spectrum as in lucid.
LEARNING_RATES = {"pixels": 0.02, "fourier": 0.05}


def feature_inversion(
    params: ResolvedFeatureInversion,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Reconstruct the picture ``image`` from each of ``params.layers``, one after the other.

    The longer side of each reconstruction is ``params.size``. The losses of a step are weighted: they sum to
    ``total``.

    Raises InputError if the picture is too small for a layer or its features are all 0, ComputationError
    if the loss is not finite, or explodes, and going back does not help.
    """
    return (yield from alone(_reconstruct(params, inputs, network, compute, resume)))


def feature_inversion_jobs(
    jobs: Sequence[StackedJob[ResolvedFeatureInversion]], network: Network, compute: Compute
) -> StackSteps:
    """The steps of several jobs, as :func:`feature_inversion` makes them, evaluated together."""
    return stacked(
        [_reconstruct(job.params, job.inputs, network, compute, job.resume) for job in jobs], compute
    )


def _reconstruct(
    params: ResolvedFeatureInversion,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None,
) -> Run[Outcome]:
    picture = inputs.picture("image").to(compute.device)
    run = _Run(params, picture, inputs.sides("image")[0], network, compute)
    first = 0
    if resume is not None:
        first, run.reports = resume.values["place"], list(resume.values["reports"])
        made = torch.split(resume.tensors["made"], 1) if first else ()
        run.made = [each.to(compute.device) for each in made]
    for place in range(first, len(run.plan)):
        yield from run.reconstruct(place, resume if place == first else None)
    return run.outcome()


class _Run:
    """What one run needs for every layer; ``made`` are the reconstructions done."""

    def __init__(
        self,
        params: ResolvedFeatureInversion,
        picture: Tensor,
        file: Size,
        network: Network,
        compute: Compute,
    ) -> None:
        """``file`` are the sides of the file, of which the ``picture`` is loaded reduced."""
        self.params = params
        self.network = network
        self.plan = [(layer, seed) for layer in self.params.layers for seed in params.seeds()]
        self.picture = resize(picture, *fit(picture, params.size))
        height, width = self.picture.shape[2:]
        for layer in self.params.layers:
            smallest = network.minimum_side((layer,))
            if min(height, width) < smallest:
                raise _too_small(params.size, (height, width), file, layer, smallest)
        require_memory(network, params.layers, (height, width), params.size, compute)
        with torch.no_grad():
            self.targets = self.network.features(self.picture, self.params.layers)
        for layer, target in self.targets.items():
            if not bool(target.any()):
                raise InputError(
                    "layers", f"The features of {layer} are all 0 for this picture: leave it out."
                )
        self.made: list[Tensor] = []
        self.reports: list[dict[str, Any]] = []

    def reconstruct(self, place: int, resume: StepState | None) -> Run[None]:
        """Work through one layer and seed."""
        layer, seed = self.plan[place]
        height, width = self.picture.shape[2:]
        name, mean = self.params.parametrization, mean_color(self.network)
        parametrization = make_parametrization(name, height, width, mean=mean, noise=NOISE[name])
        objective = feature_match(layer, self.targets[layer])
        loss = ActivationLoss(
            self.network,
            parametrization,
            lambda _: objective,
            (seed,),
            {
                "p_norm": (self.params.p_weight, lambda pictures: p_norm(pictures, mean)),
                "tv": (self.params.tv_weight, squared_steps),
            },
            name=f"feature.{layer}",
            # The penalties know only the network's mean color beside their weights.
            shared=(id(self.network), layer, parametrization, self.params.p_weight, self.params.tv_weight),
        )
        start = parametrization.start((seed,)).to(self.picture.device)
        if loss.dead(start):
            raise InputError("layers", f"{layer} is dead where the reconstruction starts: leave it out.")
        before = float(loss.values(start))
        optimizer = make_optimizer(
            self.params.optimizer, LEARNING_RATES[name], start, bounded=parametrization.bounded
        )
        # The relative distance is 1 where all features are 0.
        descent = Descent(start, optimizer, magnitude=1.0)
        if resume is not None:
            descent.restore(resume)
        while descent.taken < self.params.steps:
            descent.take((yield from evaluated(loss, descent.variables)))
            yield Step(
                done=place * self.params.steps + descent.taken,
                total=len(self.plan) * self.params.steps,
                losses=partial(numbers, descent.terms),
                image=partial(self._strip, [*self.made], parametrization, descent.current),
                state=partial(self._state, place, descent),
                milestone=descent.taken == self.params.steps,
            )
        picture = parametrization.picture(descent.best)
        with torch.no_grad():
            squared = float(-objective.value(self.network.features(picture, (layer,))))
        self.made.append(picture)
        self.reports.append(
            {
                "artifact": f"image_{len(self.reports)}",
                "layer": layer,
                "seed": seed,
                "relative_error": {"start": (-before) ** 0.5, "end": squared**0.5},
                "losses": numbers(descent.best_terms),
                "rollbacks": descent.rollbacks,
            }
        )

    def outcome(self) -> Outcome:
        """The artifacts ``image``, the strip, and each reconstruction for itself; and the numbers."""
        height, width = self.picture.shape[2:]
        images = {"image": self._sheet(self.made)}
        images |= {f"image_{place}": each for place, each in enumerate(self.made)}
        result = {"width": width, "height": height, "pictures": self.reports}
        return Outcome({name: each.to("cpu", copy=True) for name, each in images.items()}, result)

    def _strip(self, made: list[Tensor], parametrization: Parametrization, variables: Tensor) -> Tensor:
        """The reconstructions made so far, the one at work, and blanks for those to come."""
        return self._sheet([*made, parametrization.picture(variables)])

    def _sheet(self, made: list[Tensor]) -> Tensor:
        """A row for each seed: the picture itself, and its reconstruction from each layer."""
        blank = torch.full_like(self.picture, PAPER)
        cells = [*made, *[blank] * (len(self.plan) - len(made))]
        rows = [
            torch.cat([self.picture, *cells[row :: self.params.variations]])
            for row in range(self.params.variations)
        ]
        return contact_sheet(torch.cat(rows), columns=1 + len(self.params.layers))

    def _state(self, place: int, descent: Descent) -> StepState:
        state = descent.state()
        made = {"made": torch.cat(self.made).cpu()} if self.made else {}
        values = {"place": place, "reports": [*self.reports]}
        return StepState({**state.tensors, **made}, {**state.values, **values})


def _too_small(size: int, sides: Size, file: Size, layer: str, smallest: int) -> InputError:
    works = smallest_size(size, lambda side: min(fit(as_loaded(file, side), side)), smallest, MAX_SMALL_SIDE)
    remedy = "" if works is None else f", or set size to {works} at least"
    return InputError(
        "size",
        f"At size {size} the picture is {sides[1]}×{sides[0]} px, and {layer} needs {smallest} px on the "
        f"short side. Choose layers nearer to the picture, or a less narrow picture{remedy}.",
    )
