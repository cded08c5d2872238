import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from worker.optim.objectives import (
    LEAST_COSINE,
    Features,
    Objective,
    caricature,
    channel,
    direction,
    diversity,
    feature_match,
    layer_energy,
    neuron,
    one_each,
    weighted_sum,
)


def drawn(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


FEATURES = {"conv": drawn(4, 5, 3, 6), "logits": drawn(4, 7, seed=2)}
TARGET = drawn(1, 5, 3, 6, seed=3)

ALL: dict[str, Objective] = {
    "channel": channel("conv", 2),
    "neuron": neuron("conv", 1),
    "layer": layer_energy("conv"),
    "direction": direction("conv", drawn(5, seed=4)),
    "direction, aligned": direction("conv", drawn(5, seed=4), 2),
    "logit": channel("logits", 3),
    "match": feature_match("conv", TARGET),
    "caricature": caricature("conv", TARGET, 2),
    "diversity": diversity("conv", 2),
    "sum": weighted_sum([(channel("conv", 2), 0.5), (channel("logits", 1), -2.0)]),
    "each": one_each([channel("conv", 2), channel("logits", 1), layer_energy("conv"), neuron("logits", 4)]),
}
everything = pytest.mark.parametrize("objective", ALL.values(), ids=ALL.keys())


@pytest.mark.medium
@everything
def test_the_gradient_is_right(objective: Objective) -> None:
    def value(conv: Tensor, logits: Tensor) -> Tensor:
        return objective.value({"conv": conv, "logits": logits})

    inputs = tuple(FEATURES[name].clone().requires_grad_() for name in ("conv", "logits"))

    assert torch.autograd.gradcheck(value, inputs)


@everything
def test_it_looks_at_the_layers_that_it_names_and_no_others(objective: Objective) -> None:
    assert objective.value({name: FEATURES[name] for name in objective.layers}).shape == (4,)
    assert set(objective.layers) <= {"conv", "logits"}
    for name in objective.layers:
        with pytest.raises(KeyError):
            objective.value({each: FEATURES[each] for each in objective.layers if each != name})


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("diversity", "each")])
def test_a_picture_does_not_depend_on_its_batch(name: str) -> None:
    together = ALL[name].value(FEATURES)
    alone = [ALL[name].value({k: v[i : i + 1] for k, v in FEATURES.items()}) for i in range(4)]

    assert torch.allclose(together, torch.cat(alone), rtol=1e-12)


def test_values_by_hand() -> None:
    map_of = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[0.0, 4.0], [-4.0, 0.0]]]])
    features = {"a": map_of}

    def value(objective: Objective) -> float:
        return float(objective.value(features))

    assert value(channel("a", 0)) == 3
    assert value(channel("a", 1)) == 0
    assert value(neuron("a", 0)) == 6
    assert value(neuron("a", 0, (0, 1))) == 2
    assert value(neuron("a", 0, (0.9, 0.0))) == 3
    assert value(layer_energy("a")) == (1 + 4 + 9 + 36 + 16 + 16) / 8
    assert value(direction("a", torch.tensor([3.0, 4.0]))) == pytest.approx(0.6 * 3 + 0.8 * 0)
    # The positions are (1, 0), (2, 4), (3, -4) and (6, 0); the cosine of the third is below the least.
    aligned = (0.6 * 0.6 + 4.4 * 4.4 / math.sqrt(20) - 1.4 * LEAST_COSINE + 3.6 * 0.6) / 4
    assert value(direction("a", torch.tensor([3.0, 4.0]), 1)) == pytest.approx(aligned)
    assert value(feature_match("a", map_of)) == 0
    assert value(feature_match("a", 2 * map_of)) == -0.25
    assert value(feature_match("a", -map_of)) == -4
    root = math.sqrt(82 / 8)
    assert value(caricature("a", map_of)) == pytest.approx(root)
    assert value(caricature("a", 10 * map_of, 5)) == pytest.approx(root)
    assert value(caricature("a", -map_of)) == pytest.approx(-LEAST_COSINE * root)
    assert value(weighted_sum([(channel("a", 0), 2.0), (neuron("a", 0), -0.5)])) == 3


def test_fully_connected_layers_have_one_position() -> None:
    features = {"logits": torch.tensor([[1.0, 5.0], [2.0, 7.0]])}

    for objective in (channel("logits", 1), neuron("logits", 1), neuron("logits", 1, (0, 0))):
        assert objective.value(features).tolist() == [5, 7]


def test_each_picture_has_its_own_objective() -> None:
    found = ALL["each"].value(FEATURES)

    expected = [ALL["channel"], channel("logits", 1), ALL["layer"], neuron("logits", 4)]
    for place, objective in enumerate(expected):
        assert found[place] == objective.value(FEATURES)[place]


def test_diversity_compares_within_a_group() -> None:
    one, other = drawn(1, 4, 3, 3), drawn(1, 4, 3, 3, seed=2)
    # Which way a map is turned is no difference: its Gram matrix is the same.
    features = {"a": torch.cat([one, 3 * one.flip(2), one, other])}
    gram = [torch.einsum("nap,nbp->ab", x.flatten(2), x.flatten(2)).flatten() for x in (one, other)]
    cosine = torch.cosine_similarity(gram[0], gram[1], dim=0)

    found = diversity("a", 2).value(features)

    assert torch.allclose(found, -torch.stack([torch.ones(()), torch.ones(()), cosine, cosine]).double())
    of_all = diversity("a", 4).value(features)
    assert torch.allclose(of_all[3], -cosine)
    assert torch.allclose(of_all[0], -(2 + cosine) / 3)


@pytest.mark.parametrize(
    "objective", [ALL["channel"], ALL["layer"], ALL["direction"], ALL["diversity"], ALL["caricature"]]
)
def test_a_map_repeated_over_a_larger_picture_is_worth_the_same(objective: Objective) -> None:
    features: Features = {"conv": FEATURES["conv"]}
    of_larger = caricature("conv", TARGET.repeat(1, 1, 2, 3), 2)
    larger = of_larger if objective is ALL["caricature"] else objective

    assert torch.allclose(
        larger.value({"conv": FEATURES["conv"].repeat(1, 1, 2, 3)}), objective.value(features)
    )


def test_values_of_bfloat16_features_are_float32() -> None:
    features = {name: each.to(torch.bfloat16) for name, each in FEATURES.items()}
    target = TARGET.to(torch.bfloat16)
    objectives = [*ALL.values(), feature_match("conv", target), caricature("conv", target)]
    for objective in objectives[:-2]:
        assert objective.value(features).dtype in (torch.float32, torch.float64)
    for objective in objectives[-2:]:
        assert objective.value(features).dtype == torch.float32


@pytest.mark.parametrize(
    "make",
    [
        lambda: neuron("conv", 0, (0.5, 1.2)),
        lambda: diversity("conv", 1),
        lambda: weighted_sum([]),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], Objective]) -> None:
    with pytest.raises(ValueError, match=r"must be|must have|at least"):
        make()
