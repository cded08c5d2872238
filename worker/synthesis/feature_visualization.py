"""Feature visualisation: pictures that neurons, channels and layers of a network are excited by.

Olah, Mordvintsev, Schubert, "Feature visualization", Distill 2017: positive and negative side, diversity, and
several units in one picture. What is drawn of an example is in :mod:`worker.synthesis.by_example`.
"""

from dataclasses import dataclass

from app.kinds.feature_visualization import ResolvedFeatureVisualization, read_unit
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Steps, StepState
from worker.optim.objectives import Objective, channel, diversity, layer_energy, neuron, weighted_sum
from worker.synthesis.ascending import Target, ascend
from worker.synthesis.by_example import Example, look_at


def feature_visualization(
    params: ResolvedFeatureVisualization,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Draw each unit ``params.variations`` times with each sign, in one batch.

    The picture ``image`` is the example, if there is one. Raises what
    :func:`worker.synthesis.ascending.ascend` and :func:`worker.synthesis.by_example.look_at` do.
    """
    example = None if params.image is None else look_at(params, inputs.picture("image"), network, compute)
    units = _units(params, network, example)
    places = [(unit, side, seed) for unit in units for side in params.sides for seed in params.seeds()]
    targets = [
        Target(
            unit.objective if side > 0 else weighted_sum([(unit.objective, -1.0)]),
            seed,
            unit.title,
            unit.field,
        )
        for unit, side, seed in places
    ]
    across = len(params.sides) * params.variations
    columns = across if across > 1 and len(units) > 1 else None
    together = None
    if params.diversity:
        deepest = max(params.layers_used, key=list(network.stack).index)
        together = (diversity(deepest, params.variations), params.diversity)
    made = yield from ascend(
        params,
        targets,
        network,
        compute,
        resume,
        group=params.variations,
        together=together,
        columns=columns,
    )
    reports = [
        {
            "artifact": artifact,
            "unit": unit.name,
            "side": "positive" if side > 0 else "negative",
            "seed": seed,
            # Of the negative side: minus what the unit is.
            "objective": objective,
            **({} if example is None else {"cosine": example.cosine(picture)}),
        }
        for (artifact, picture), objective, (unit, side, seed) in zip(
            made.pictures.items(), made.objectives, places, strict=True
        )
    ]
    return Outcome(made.images, {"size": params.size, "pictures": reports})


@dataclass(frozen=True)
class _Unit:
    """What is drawn: its name, what a person calls it, the param that asked for it, and its value."""

    name: str
    title: str
    field: str
    objective: Objective


def _units(params: ResolvedFeatureVisualization, network: Network, example: Example | None) -> list[_Unit]:
    if example is not None:
        layer = example.layer
        return [_Unit(layer, f"what {layer} sees in the example", "layer", example.objective())]
    if params.terms is not None:
        terms = {name: weight for name, weight in params.terms.items() if weight}
        name = " + ".join(f"{weight:g} {name}" for name, weight in terms.items())
        total = weighted_sum([(_objective(name, network), weight) for name, weight in terms.items()])
        return [_Unit(name, f"the sum {name}", "terms", total)]
    (layer,) = params.layers_used
    if params.objective == "layer":
        return [_Unit(layer, layer, "layer", layer_energy(layer))]
    suffix = ":neuron" if params.objective == "neuron" else ""
    names = {index: f"{layer}:{index}{suffix}" for index in params.channels or ()}
    return [
        _Unit(name, f"channel {index} of {layer}", "channels", _objective(name, network))
        for index, name in names.items()
    ]


def _objective(unit: str, network: Network) -> Objective:
    """What a unit is called by :func:`read_unit`; a ReLU's channels are looked at before it."""
    layer, index, middle = read_unit(unit, "terms")
    if index is None:
        return layer_energy(layer)
    source = network.pre_activation(layer)
    sees_all = {each.name for each in network.layers if each.receptive_field == 0}
    return neuron(source, index) if middle and layer not in sees_all else channel(source, index)
