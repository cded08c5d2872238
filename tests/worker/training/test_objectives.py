import copy
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from app.kinds.training_presets import Objective as ObjectiveName
from worker.training.objectives import (
    ObjectiveSettings,
    hinge,
    logistic,
    make_objective,
    penalty,
    quadratic,
    softmax,
    squared_hinge,
    triplet,
)

# The scores of the lecture's three pictures for cat, car and frog; the pictures are of these, in this order.
SCORES = torch.tensor([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]], dtype=torch.float64)
RIGHT = torch.eye(3, dtype=torch.float64)
ALL: tuple[ObjectiveName, ...] = ("softmax", "logistic", "hinge", "squared_hinge", "quadratic", "triplet")


def random_batch(n: int = 7, classes: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, classes, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(classes, (n,), generator=generator)
    return logits, nn.functional.one_hot(labels, classes).double()


def each(objective: Callable[[Tensor, Tensor], Tensor]) -> list[float]:
    return [float(objective(SCORES[k : k + 1], RIGHT[k : k + 1])) for k in range(3)]


def test_the_hinge_losses_of_the_lecture() -> None:
    assert each(hinge) == pytest.approx([2.9, 0.0, 12.9], abs=1e-12)
    # The slide rounds the mean to 5.3.
    assert float(hinge(SCORES, RIGHT)) == pytest.approx(15.8 / 3, abs=1e-12)
    assert round(float(hinge(SCORES, RIGHT)), 4) == 5.2667


def test_the_squared_hinge_losses_of_the_lecture() -> None:
    assert each(squared_hinge) == pytest.approx([8.41, 0.0, 83.25], abs=1e-12)


def test_the_softmax_loss_of_the_lecture_is_a_natural_logarithm() -> None:
    probabilities = SCORES[0].softmax(0)
    assert [round(float(share), 4) for share in probabilities] == [0.13, 0.869, 0.001]
    loss = float(softmax(SCORES[:1], RIGHT[:1]))
    assert loss == pytest.approx(-math.log(float(probabilities[0])))
    assert round(loss, 4) == 2.0404
    # The slide prints .89, which is the decimal logarithm.
    assert round(loss / math.log(10), 4) == 0.8861


def test_the_losses_of_ten_classes_that_are_all_alike() -> None:
    targets = torch.eye(10)
    assert float(softmax(torch.zeros(10, 10), targets)) == pytest.approx(math.log(10))
    assert round(math.log(10), 4) == 2.3026
    assert float(hinge(torch.zeros(10, 10), targets)) == 9
    assert float(hinge(torch.full((10, 10), 3.0), targets, margin=2.0)) == 18
    assert float(squared_hinge(torch.zeros(10, 10), targets)) == 9
    assert float(logistic(torch.zeros(10, 10), targets)) == pytest.approx(10 * math.log(2))
    assert float(quadratic(torch.zeros(10, 10), targets)) == 0.5


@pytest.mark.parametrize("name", ALL)
def test_gradients_are_those_of_differences(name: ObjectiveName) -> None:
    logits, targets = random_batch()
    objective = make_objective(ObjectiveSettings(name, margin=0.7))
    assert torch.autograd.gradcheck(lambda scores: objective(scores, targets), (logits,))


@pytest.mark.parametrize("name", ["softmax", "logistic", "quadratic"])
def test_gradients_with_smoothed_labels_are_those_of_differences(name: ObjectiveName) -> None:
    logits, targets = random_batch()
    objective = make_objective(ObjectiveSettings(name, label_smoothing=0.1))
    assert torch.autograd.gradcheck(lambda scores: objective(scores, targets), (logits,))


@pytest.mark.parametrize("name", ["softmax", "logistic", "quadratic", "hinge", "squared_hinge"])
@settings(deadline=None)
@given(share=st.floats(0.0, 1.0))
def test_mixed_targets_weigh_what_is_mixed(name: ObjectiveName, share: float) -> None:
    """Of every objective but the quadratic one, whose minimum lies at the mixed targets."""
    logits, first = random_batch()
    second = first[torch.arange(6, -1, -1)]
    objective = make_objective(ObjectiveSettings(name))
    mixed = objective(logits, share * first + (1 - share) * second)
    apart = share * objective(logits, first) + (1 - share) * objective(logits, second)
    if name == "quadratic":
        distance = (first - second).square().sum(1).mean()
        apart = apart - share * (1 - share) * distance / 2
    torch.testing.assert_close(mixed, apart)


def test_smoothed_softmax_is_torchs_own() -> None:
    logits, targets = random_batch()
    expected = nn.functional.cross_entropy(logits, targets.argmax(1), label_smoothing=0.2)
    torch.testing.assert_close(softmax(logits, targets, smoothing=0.2), expected)


def test_smoothed_logistic_has_targets_between() -> None:
    found = logistic(torch.zeros(1, 2) + 1.0, torch.tensor([[1.0, 0.0]]), smoothing=0.2)
    by_hand = sum(-t * math.log(1 / (1 + math.exp(-1))) + (1 - t) * math.log(1 + math.e) for t in (0.9, 0.1))
    assert float(found) == pytest.approx(by_hand)


def test_labels_of_a_hinge_cannot_be_smoothed() -> None:
    with pytest.raises(ValueError, match="hinge"):
        make_objective(ObjectiveSettings("hinge", label_smoothing=0.1))


def test_triplet_is_the_mean_over_all_triplets_that_violate_the_margin() -> None:
    embeddings, targets = random_batch(9, 3)
    labels = targets.argmax(1).tolist()
    losses = []
    for anchor, a in enumerate(embeddings.detach()):
        for positive, p in enumerate(embeddings.detach()):
            for negative, n in enumerate(embeddings.detach()):
                valid = anchor != positive and labels[anchor] == labels[positive] != labels[negative]
                loss = float((a - p).square().sum() - (a - n).square().sum()) + 0.5
                if valid and loss > 0:
                    losses.append(loss)
    assert len(losses) >= 10
    assert float(triplet(embeddings.detach(), targets, margin=0.5)) == pytest.approx(
        sum(losses) / len(losses)
    )


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]], ids=["one class", "no pair"])
def test_a_batch_without_triplets_has_a_loss_of_zero(labels: list[int]) -> None:
    embeddings = torch.randn(3, 5, requires_grad=True)
    loss = triplet(embeddings, torch.eye(3)[labels])
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert embeddings.grad is not None
    assert float(embeddings.grad.abs().max()) == 0


def test_distant_classes_have_no_triplet_loss() -> None:
    embeddings = torch.tensor([[0.0, 0], [0.1, 0], [5.0, 0], [5.1, 0]])
    assert float(triplet(embeddings, torch.eye(2)[[0, 0, 1, 1]])) == 0


def test_penalties_are_of_weights_alone() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(2, 1)).double()
    nn.init.constant_(model[0].weight, -2.0)
    nn.init.constant_(model[3].weight, 3.0)
    for bias in (model[0].bias, model[3].bias, model[1].weight):
        nn.init.constant_(bias, 100.0)
    assert float(penalty(model, 0.1, 0.0)) == pytest.approx(0.1 * (2 + 3 + 3))
    assert float(penalty(model, 0.0, 0.1)) == pytest.approx(0.05 * (4 + 9 + 9))


@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.3), (0.2, 0.1)])
def test_gradients_of_penalties_are_those_of_differences(l1: float, l2: float) -> None:
    layer = nn.Linear(3, 2).double()
    penalty(layer, l1, l2).backward()  # type: ignore[no-untyped-call]
    assert layer.bias.grad is None
    for place in range(6):
        values = []
        for step in (-1e-6, 1e-6):
            moved = copy.deepcopy(layer)
            moved.weight.data.view(-1)[place] += step
            values.append(float(penalty(moved, l1, l2).detach()))
        numeric = (values[1] - values[0]) / 2e-6
        assert layer.weight.grad is not None
        assert float(layer.weight.grad.view(-1)[place]) == pytest.approx(numeric, rel=1e-6)
