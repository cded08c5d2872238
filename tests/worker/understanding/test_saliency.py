"""Saliency as a job: its artifacts, its result, its steps, and what it leaves behind."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.saliency import CAMS, METHODS, ResolvedSaliency, SaliencyParams
from app.networks.catalogue import SHIPPED
from models import relu
from models.network import Network
from models.procedural import CLASSES
from models.procedural import draw as draw_class
from models.registry import load_network
from tests.support.networks import make_classifier
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState, run_steps
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.understanding.aims import Aim
from worker.understanding.cams import grad_cam
from worker.understanding.explanations import Explanation, explain
from worker.understanding.figures import Scale, colorize
from worker.understanding.gradient_maps import gradient
from worker.understanding.saliency import saliency
from worker.understanding.saliency_figure import NAMES, draw
from worker.understanding.views import as_input

NETWORK = make_classifier()
CPU = Compute(torch.device("cpu"))
ALL = list(NAMES)
FEW = {"samples": 5, "nodes": 6}
CAT = {"class": "cat", "index": 2, "probability": 0.5}
EXPLAINED = {**CAT, "top": [CAT]}


def make_params(**values: Any) -> ResolvedSaliency:
    """Params as if they had been resolved for the small network, which has no card."""
    names = ("target", "layer", "channel", "position")
    kept: dict[str, Any] = {name: values.pop(name) for name in names if name in values}
    methods = values.get("methods", METHODS)
    unused = SaliencyParams.without_effect({"methods": [methods] if isinstance(methods, str) else methods})
    few = {name: each for name, each in FEW.items() if name not in unused}
    given = {"image": "x", "network": "palette", "size": 24, **few, **values}
    resolved = SaliencyParams.model_validate(given).resolve(SHIPPED)
    cam_layer = "relu2" if set(resolved.methods) & set(CAMS) else None
    return resolved.model_copy(update={"cam_layer": cam_layer, **kept})


def picture(seed: int = 1, height: int = 30, width: int = 40) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def steps(params: ResolvedSaliency, resume: StepState | None = None, network: Network = NETWORK) -> Steps:
    return saliency(params, Inputs.of({"image": [picture()]}), network, CPU, resume)


def run(params: ResolvedSaliency, resume: StepState | None = None) -> Outcome:
    return run_steps(steps(params, resume))


def maps_of(outcome: Outcome) -> dict[str, Any]:
    return dict(np.load(io.BytesIO(outcome.files["maps"].data)))


def test_every_method_gives_a_map_in_colors_and_over_the_picture() -> None:
    outcome = run(make_params(methods=ALL))
    maps = maps_of(outcome)
    assert list(maps) == ALL == [row["method"] for row in outcome.result["methods"]]
    for name in ALL:
        assert maps[name].shape == (24, 24) and maps[name].dtype == np.float32
        assert np.isfinite(maps[name]).all() and np.ptp(maps[name]) > 0
        assert outcome.images[name].shape == outcome.images[f"{name}_overlay"].shape == (1, 3, 24, 24)
    assert next(iter(outcome.images)) == "image"
    for each in outcome.images.values():
        assert each.isfinite().all() and each.min() >= 0 and each.max() <= 1 and not each.requires_grad


def test_the_view_is_the_picture_as_it_is_classified() -> None:
    outcome = run(make_params(methods=["gradient"]))
    assert torch.equal(outcome.images["view"], as_input(picture(), 24))
    probabilities = NETWORK.logits(as_input(picture(), 24))[0].softmax(0)
    assert outcome.result["index"] == int(probabilities.argmax())
    assert outcome.result["probability"] == pytest.approx(float(probabilities.max()))
    assert outcome.result["top"][0]["class"] == outcome.result["class"]


def test_another_class_has_another_map() -> None:
    maps = []
    for place, target in enumerate(NETWORK.classes):
        outcome = run(make_params(methods=["gradient"], target=target))
        assert (outcome.result["class"], outcome.result["index"]) == (target, place)
        maps.append(maps_of(outcome)["gradient"])
    aim = Aim(NETWORK, "logits", 4)
    assert np.array_equal(maps[4], explain(gradient(aim, as_input(picture(), 24)), 1).map.numpy())
    assert len({each.tobytes() for each in maps}) == len(maps)


def test_a_neuron_is_the_one_that_is_named_or_the_strongest() -> None:
    view = as_input(picture(), 24)
    maps = NETWORK.features(view, ("relu2",))["relu2"][0]
    named = run(make_params(methods=["gradient"], layer="relu2", channel=3, position=[2, 5]))
    assert named.result["neuron"] == {
        "layer": "relu2",
        "channel": 3,
        "position": [2, 5],
        "activation": pytest.approx(float(maps[3, 2, 5])),
    }
    there = run(make_params(methods=["gradient"], layer="relu2", channel=3)).result["neuron"]
    assert there["activation"] == pytest.approx(float(maps[3].max()))
    anywhere = run(make_params(methods=["gradient"], layer="relu2")).result["neuron"]
    assert anywhere["activation"] == pytest.approx(float(maps.max()))
    at = run(make_params(methods=["gradient"], layer="relu2", position=[2, 5])).result["neuron"]
    assert at["activation"] == pytest.approx(float(maps[:, 2, 5].max()))
    unit = run(make_params(methods=["gradient", "grad_cam"], layer="logits", channel=2)).result["neuron"]
    assert (unit["position"], unit["channel"]) == (None, 2)


def test_the_gradient_of_a_neuron_lies_in_its_receptive_field() -> None:
    outcome = run(make_params(methods=["gradient"], layer="conv2", channel=1, position=[6, 3]))
    rows, columns = np.nonzero(maps_of(outcome)["gradient"])
    # conv2 sees 8 px (3 by 3 means of 2 by 2 of 3 by 3), from 2 * place - 3 on.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (9, 16, 3, 10)


def test_a_silent_neuron_is_said_to_be() -> None:
    view = as_input(picture(), 24)
    y, x = (NETWORK.features(view, ("relu2",))["relu2"][0, 0] == 0).nonzero()[0].tolist()
    outcome = run(make_params(methods=["gradient"], layer="relu2", channel=0, position=[y, x]))
    assert outcome.result["neuron"]["activation"] == 0 and not maps_of(outcome)["gradient"].any()


def test_what_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="12 rows and 12 columns") as caught:
        run(make_params(methods=["gradient"], layer="relu2", channel=0, position=[12, 0]))
    assert caught.value.field == "position"
    with pytest.raises(InputError, match="needs 4 px") as caught:
        run(make_params(methods=["gradient"]).model_copy(update={"size": 3}))
    assert caught.value.field == "size"
    little = Compute(torch.device("cpu"), picture_bytes=10_000)
    with pytest.raises(InputError, match="largest size that fits") as caught:
        run_steps(saliency(make_params(), Inputs.of({"image": [picture()]}), NETWORK, little))
    assert caught.value.field == "size"


@pytest.mark.parametrize("baseline", ["black", "mean", "white", "blurred"])
def test_integrated_gradients_start_at_each_baseline(baseline: str) -> None:
    (row,) = run(make_params(methods=["integrated_gradients"], baseline=baseline)).result["methods"]
    assert row["attributed"] == pytest.approx(row["score_difference"], abs=0.1)
    assert row["completeness_error"] >= 0


@pytest.mark.medium
def test_a_job_resumes_bit_for_bit_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.understanding.explanations.SAMPLE_PIXELS", 3 * 24**2)
    several = ["gradient", "smooth_grad", "integrated_gradients", "smooth_grad_cam", "score_cam"]
    params = make_params(methods=several)
    states: list[bytes] = []
    totals: list[tuple[int, int]] = []

    def keep(step: Step) -> None:
        totals.append((step.done, step.total))
        states.append(to_bytes(step.state()))

    whole = run_steps(steps(params), keep)
    # One, then 5 noisy copies, 6 nodes, 5 copies and 8 channels, three at a time.
    assert totals == [(place, 10) for place in range(1, 11)]
    for state in states:
        again = run(params, from_bytes(state))
        assert again.result == whole.result
        assert all(torch.equal(again.images[name], each) for name, each in whole.images.items())


def untouched(network: Network) -> bool:
    """Whether a network has no hooks, gradients or flags, and ReLUs no rule."""
    modules, parameters = list(network.modules()), list(network.parameters())
    hooks = [len(each._forward_hooks) + len(each._backward_hooks) for each in modules]
    return (
        not any(hooks)
        and not any(each.training for each in modules)
        and not any(each.requires_grad or each.grad is not None for each in parameters)
        and relu._rule.get() is None
        and torch.is_grad_enabled()
    )


@pytest.mark.medium
def test_nothing_is_left_behind_by_success_error_and_cancel() -> None:
    network = make_classifier()
    weights = {name: each.clone() for name, each in network.stack.state_dict().items()}
    run_steps(steps(make_params(methods=ALL), network=network))
    assert untouched(network)
    with pytest.raises(InputError):
        run_steps(steps(make_params(layer="relu2", position=[99, 0], methods=ALL[:5]), network=network))
    assert untouched(network)
    for count in range(1, 8):
        running = steps(make_params(methods=ALL), network=network)
        for _ in range(count):
            next(running)
            # Not even between steps, where another job might run.
            assert untouched(network)
        running.close()
        assert untouched(network)
    assert all(torch.equal(each, weights[name]) for name, each in network.stack.state_dict().items())


def test_an_error_within_a_pass_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make_classifier()

    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(torch.autograd, "grad", fail)
    for name in ALL[:7]:
        with pytest.raises(MemoryError):
            run_steps(steps(make_params(methods=[name]), network=network))
        assert untouched(network)


def shuffled(network: Network, seed: int) -> Network:
    """A network whose weights are in another order, each tensor's among themselves."""
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: each.flatten()[torch.randperm(each.numel(), generator=generator)].view_as(each)
        for name, each in network.stack.state_dict().items()
    }
    return network.with_weights(weights)


def rank_correlation(one: Tensor, other: Tensor) -> float:
    ranks = torch.stack([each.flatten().argsort().argsort().double() for each in (one, other)])
    return float(torch.corrcoef(ranks)[0, 1])


@pytest.mark.medium
def test_maps_depend_on_what_the_network_has_learned() -> None:
    """The randomization test of Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018."""
    trained = load_network("palette")
    random = shuffled(trained, 1)
    names = ("leopard", "butterfly", "planet", "spiral")
    found: dict[str, list[float]] = {"gradient": [], "grad_cam": []}
    for name in names:
        view = as_input(draw_class([CLASSES.index(name)], [3], 128), 96)
        index = trained.classes.index(name)
        aims = [Aim(network, "logits", index) for network in (trained, random)]
        for method, maps in {
            "gradient": [explain(gradient(aim, view), 1).map for aim in aims],
            "grad_cam": [explain(grad_cam(aim, view, "relu5_4"), 1).map for aim in aims],
        }.items():
            found[method].append(rank_correlation(*maps))
    for correlations in found.values():
        assert max(map(abs, correlations)) < 0.35


def test_the_colors_of_a_small_field_are_not_cut_off() -> None:
    small = torch.zeros(100, 100)
    small[40:44, 40:44] = torch.arange(1, 17).view(4, 4)
    images = draw(torch.zeros(1, 3, 100, 100), {"gradient": Explanation(small, "x")}, EXPLAINED, "tiny")
    # The 99th percentile of the values that are not 0, rather than of all.
    assert torch.allclose(images["gradient"], colorize(small, Scale(0, 15.85)), atol=0.01)
    nothing = draw(
        torch.zeros(1, 3, 9, 9), {"gradient": Explanation(torch.zeros(9, 9), "x")}, EXPLAINED, "tiny"
    )
    assert nothing["image"].isfinite().all()


@pytest.mark.parametrize("count", range(1, 9))
def test_figures_have_a_place_for_every_method(count: int) -> None:
    found = {name: Explanation(torch.rand(32, 32), "x") for name in ALL[:count]}
    image = draw(torch.rand(1, 3, 32, 32), found, EXPLAINED, "tiny")["image"]
    assert image.isfinite().all() and image.shape[3] > 256 * 2
