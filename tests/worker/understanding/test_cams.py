"""Class activation maps by hand."""

import pytest
import torch
from torch import Tensor, nn

from models.architectures.vgg import PooledLinear
from models.network import Network
from models.relu import ReLU
from tests.support.networks import make_classifier
from worker.understanding.aims import Aim
from worker.understanding.cams import cam_plus_plus_weights, grad_cam, score_cam, smooth_grad_cam
from worker.understanding.explanations import Method, explain

# Weights of the classes' scores on the means of the two maps, and of the maps on the first two colors.
SCORES = torch.tensor([[2.0, -4.0], [1.0, 8.0]])
RED = torch.tensor([[0.0, 1.0], [0.5, 0.25]])
GREEN = torch.tensor([[1.0, 0.0], [0.25, 0.0]])


def two_maps() -> Network:
    """relu1 is red and green, and each score a weighted sum of their means."""
    conv, logits = nn.Conv2d(3, 2, 1, bias=False), PooledLinear(2, 1, 2)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(2, 3).view(2, 3, 1, 1))
        logits.weight.copy_(SCORES)
        logits.bias.zero_()
    stack = {"conv1": conv, "relu1": ReLU(), "logits": logits}
    return Network("two", stack, mean=(0.0,) * 3, std=(1.0,) * 3, source="a test", classes=("a", "b"))


NETWORK = two_maps()
PICTURE = torch.stack([RED, GREEN, torch.zeros(2, 2)])[None]


@pytest.mark.parametrize("index", [0, 1])
def test_grad_cam_by_hand(index: int) -> None:
    # The score's gradient by each value of a map is the weight over the 4 positions.
    weights = SCORES[index] / 4
    expected = (weights[0] * RED + weights[1] * GREEN).clamp_min(0)
    found = explain(grad_cam(Aim(NETWORK, "logits", index), PICTURE, "relu1"), 1)
    assert torch.equal(found.map, expected)


def test_grad_cam_weighs_a_map_by_the_mean_of_its_gradients() -> None:
    # A score that has a weight for each position: its gradients are these.
    network = two_maps()
    gradients = torch.tensor([[[1.0, -2.0], [0.5, 4.5]], [[3.0, 0.0], [-1.0, 0.0]]])
    dense = PooledLinear(2, 2, 1)
    with torch.no_grad():
        dense.weight.copy_(gradients.view(1, 8))
        dense.bias.zero_()
    stack = {**{name: network.stack[name] for name in ("conv1", "relu1")}, "logits": dense}
    network = Network("dense", stack, mean=(0.0,) * 3, std=(1.0,) * 3, source="a test", classes=("a",))
    found = explain(grad_cam(Aim(network, "logits", 0), PICTURE, "relu1"), 1)
    assert torch.equal(found.map, 1.0 * RED + 0.5 * GREEN)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_smooth_grad_cam_by_hand(index: int, noise: float) -> None:
    # The gradient g is the same for every picture: each position has the share 1 / (2 + g * sum of the map).
    weights = []
    for weight, each in zip(SCORES[index] / 4, (RED, GREEN), strict=True):
        share = 1 / (2 + weight * each.sum())
        weights.append(4 * share * weight.clamp_min(0))
    expected = (weights[0] * RED + weights[1] * GREEN).clamp_min(0)
    method = smooth_grad_cam(Aim(NETWORK, "logits", index), PICTURE, "relu1", 5, noise, seed=1)
    assert torch.allclose(explain(method, 2).map, expected, atol=1e-6)


def test_positions_without_derivatives_weigh_nothing() -> None:
    zero = torch.zeros(1, 2, 3, 3)
    assert cam_plus_plus_weights(torch.rand(1, 2, 3, 3), zero, zero, zero).eq(0).all()


@pytest.mark.parametrize("index", [0, 1])
def test_score_cam_by_hand(index: int) -> None:
    # Both maps have a lowest value of 0 and a highest of 1: they are their own masks.
    seen = [torch.stack([(mask * RED).mean(), (mask * GREEN).mean()]) for mask in (RED, GREEN)]
    weights = torch.stack([SCORES[index] @ each for each in seen]).softmax(0)
    expected = weights[0] * RED + weights[1] * GREEN
    found = explain(score_cam(Aim(NETWORK, "logits", index), PICTURE, "relu1"), 1)
    assert torch.allclose(found.map, expected, atol=1e-6)


def test_flat_maps_count_for_nothing_in_score_cam() -> None:
    one = torch.stack([torch.full((2, 2), 0.5), GREEN, torch.zeros(2, 2)])[None]
    found = explain(score_cam(Aim(NETWORK, "logits", 0), one, "relu1"), 2)
    assert torch.allclose(found.map, GREEN)
    none = explain(score_cam(Aim(NETWORK, "logits", 0), torch.full((1, 3, 2, 2), 0.5), "relu1"), 2)
    assert none.map.eq(0).all()


def picture() -> Tensor:
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))


METHODS = {
    "smooth_grad_cam": lambda aim: smooth_grad_cam(aim, picture(), "relu2", 7, 0.2, seed=1),
    "score_cam": lambda aim: score_cam(aim, picture(), "relu2"),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_map_does_not_depend_on_how_many_samples_go_at_once(name: str) -> None:
    method: Method = METHODS[name](Aim(make_classifier(), "logits", 1))
    maps = [explain(method, at_once).map for at_once in (1, 2, 3, 7, 50)]
    for each in maps[1:]:
        assert torch.allclose(each, maps[0], atol=1e-6)


def test_grad_cam_takes_one_forward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    network, ran = make_classifier(), []
    for name, module in network.stack.items():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    explain(grad_cam(Aim(network, "logits", 1), picture(), "relu2"), 1)
    assert ran == list(network.stack)


def test_an_enlarged_map_stays_within_its_range_and_is_not_negative() -> None:
    for layer in ("conv1", "relu1", "pool2"):
        found = explain(grad_cam(Aim(make_classifier(), "logits", 3), picture(), layer), 1)
        assert found.map.shape == (16, 16) and found.map.min() >= 0
