"""Every kind of job works on every architecture, or says of the network why it does not."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import InputError
from app.kinds import KINDS
from tests.support.architectures import CLASSES, NAMES, SmallCatalogue, small_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member, Source
from worker.media.pictures import Picture
from worker.runtime.functions import steps_of

pytestmark = pytest.mark.medium

WITHOUT_MAPS = {"linear", "mlp", "mlp-tanh", "ensemble"}
WITHOUT_RELUS = {
    "linear",
    "mlp-tanh",
    "lenet_1998",
    *(f"cnn-{each}" for each in ("average", "l2", "sum", "none")),
}

# Of each kind: what pictures and sets it takes, its params, and the networks that it refuses.
JOBS: dict[str, tuple[tuple[str, ...], dict[str, Any], set[str]]] = {
    "style_transfer": (("content", "style"), {"size": 72, "steps": 1}, WITHOUT_MAPS),
    "deep_dream": (("image",), {"size": 72, "steps": 1, "octaves": 1}, WITHOUT_MAPS),
    "class_visualization": ((), {"target": "bee", "size": 72, "steps": 1}, set()),
    "feature_visualization": ((), {"size": 72, "steps": 1, "channels": [1]}, set()),
    "feature_inversion": (("image",), {"size": 96, "steps": 1}, set()),
    "texture_synthesis": (("image",), {"size": 72, "steps": 1}, WITHOUT_MAPS),
    "adversarial": (("image",), {"steps": 2}, set()),
    "classify": (("image",), {"crops": "ten"}, set()),
    "saliency": (("image",), {}, set()),
    "occlusion": (("image",), {}, set()),
    "class_map": (("image",), {"size": 150}, WITHOUT_MAPS),
    "activations": (("image",), {}, set()),
    "filters": ((), {}, WITHOUT_MAPS),
    "max_patches": (("dataset",), {}, WITHOUT_MAPS),
    "embedding": (("dataset",), {"probe": True}, {"linear", "ensemble"}),
    "evaluate": (("dataset",), {}, set()),
    "architecture": ((), {}, set()),
}


def drawn(seed: int) -> Tensor:
    coarse = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (80, 96), mode="bicubic").clamp(0, 1)


def source(seed: int) -> Source:
    return Source("0" * 64, lambda: Picture(drawn(seed)), f"{seed}.png")


def inputs_of(names: tuple[str, ...]) -> Inputs:
    members = [Member(source(place), CLASSES[place % 4], f"{place}.png") for place in range(24)]
    pictures = {name: [source(0)] for name in names if name != "dataset"}
    return Inputs(pictures, {"dataset": members} if "dataset" in names else {})


def run(kind: str, name: str, given: dict[str, Any]) -> dict[str, list[float]]:
    """Run a job to its end; the losses of its steps."""
    network, card = small_network(name)
    taken, usual, _ = JOBS[kind]
    references = {each: "x" for each in taken}
    params = KINDS[kind].params.model_validate({**references, **usual, **given, "network": name})
    resolved = params.resolve(SmallCatalogue())
    assert KINDS[kind].lane_of(resolved, card) in ("short", "long")
    found: dict[str, list[float]] = {}
    prepared = network.prepared(torch.device("cpu"), torch.float32)
    for step in steps_of(resolved, inputs_of(taken), prepared, Compute(torch.device("cpu"))):
        for loss, value in step.losses().items():
            found.setdefault(loss, []).append(value)
    return found


def with_networks(values: Sequence[str]) -> list[Any]:
    """Each value with each network: of those that are not long, with a third of the networks."""
    return [
        pytest.param(value, name, marks=[] if (row + column) % 3 == 0 else pytest.mark.long)
        for row, value in enumerate(values)
        for column, name in enumerate(NAMES)
    ]


def test_every_kind_that_takes_a_network_is_here() -> None:
    taking = {name for name, spec in KINDS.items() if "network" in spec.params.model_fields}
    assert taking - set(JOBS) <= {"pull_weights", "export_network"}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), with_networks(list(JOBS)))
def test_every_kind_on_every_architecture(kind: str, name: str) -> None:
    if name in JOBS[kind][2]:
        with pytest.raises(InputError, match=name) as caught:
            run(kind, name, {})
        assert caught.value.field == "network"
    else:
        losses = run(kind, name, {})
        assert all(value == value for values in losses.values() for value in values)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "name"),
    with_networks(["smooth_grad", "integrated_gradients", "guided_backprop", "score_cam"]),
)
def test_every_method_of_saliency(method: str, name: str) -> None:
    lacking = {"guided_backprop": WITHOUT_RELUS, "score_cam": WITHOUT_MAPS}.get(method, set())
    if name in lacking:
        with pytest.raises(InputError, match=method) as caught:
            run("saliency", name, {"methods": [method]})
        assert caught.value.field == "network"
    else:
        run("saliency", name, {"methods": [method]})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_has_activations(name: str) -> None:
    layers = small_network(name)[1].layer_names
    run("activations", name, {"layers": layers[:: max(1, len(layers) // 6)]})
