"""Gradients, their means and their integrals, on networks whose gradient is known."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models.architectures.vgg import PooledLinear
from models.network import Network
from models.relu import BackwardRule, ReLU, deconvnet, guided
from tests.support.networks import make_classifier
from worker.understanding.aims import Aim
from worker.understanding.explanations import Explanation, Method, explain
from worker.understanding.gradient_maps import (
    gauss_legendre,
    gradient,
    integrated_gradients,
    noisy,
    smooth_grad,
)

SIDE = 4
STD = (0.25, 0.5, 1.0)


def linear_network() -> tuple[Network, Tensor]:
    """Three scores that are sums over all values of a 4 by 4 picture, and the second's weight of each."""
    logits = PooledLinear(3, SIDE, 3)
    with torch.no_grad():
        logits.weight.copy_(torch.randn(3, 3 * SIDE**2, generator=torch.Generator().manual_seed(1)))
        logits.bias.fill_(0.5)
    network = Network(
        "linear", {"logits": logits}, mean=(0.5, 0.4, 0.3), std=STD, source="a test", classes="abc"
    )
    return network, logits.weight[1].detach().view(3, SIDE, SIDE) / torch.tensor(STD).view(3, 1, 1)


def picture(side: int = SIDE, seed: int = 2) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


LINEAR, WEIGHTS = linear_network()
AIM = Aim(LINEAR, "logits", 1)


def test_the_gradient_of_a_linear_score_is_its_weights() -> None:
    found = explain(gradient(AIM, picture()), 1)
    assert torch.allclose(found.map, WEIGHTS.abs().amax(0), atol=1e-6)


def test_smooth_grad_of_a_linear_score_is_its_gradient_and_without_noise_that_of_any_score() -> None:
    noise = explain(smooth_grad(AIM, picture(), 7, 0.3, seed=3), 2)
    assert torch.allclose(noise.map, WEIGHTS.abs().amax(0), atol=1e-6)

    aim, seen = Aim(make_classifier(), "logits", 2), picture(16)
    silent = explain(smooth_grad(aim, seen, 5, 0.0, seed=3), 2)
    assert torch.allclose(silent.map, explain(gradient(aim, seen), 1).map, rtol=1e-5)
    loud = explain(smooth_grad(aim, seen, 5, 0.3, seed=3), 2)
    assert not torch.allclose(loud.map, silent.map, rtol=0.1)


def test_noise_is_a_share_of_the_range_and_each_sample_its_own() -> None:
    seen = 0.2 + 0.5 * (torch.arange(64 * 64 * 3).view(1, 3, 64, 64) % 2)
    some = noisy(seen, range(3, 6), 0.2, seed=1)
    assert torch.equal(some[1:2], noisy(seen, range(4, 5), 0.2, seed=1))
    assert float((some - seen).std()) == pytest.approx(0.2 * 0.5, rel=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 8))
def test_integrated_gradients_of_a_linear_score_are_exact_for_any_nodes(nodes: int, at_once: int) -> None:
    seen, baseline = picture(), picture(seed=5)
    found = explain(integrated_gradients(AIM, seen, baseline, nodes), at_once)
    assert torch.allclose(found.map, (WEIGHTS * (seen - baseline)[0]).sum(0), atol=1e-6)
    assert found.numbers["completeness_error"] < 1e-5


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("start", [0.0, 1.0])
def test_integrated_gradients_sum_to_the_difference_of_the_scores(seed: int, start: float) -> None:
    seen = picture(64, seed)
    network = make_classifier(seed=seed)
    scores = (network.logits(seen) - network.logits(torch.full_like(seen, start)))[0]
    index = int(scores.abs().argmax())
    found = explain(
        integrated_gradients(Aim(network, "logits", index), seen, torch.full_like(seen, start), 50), 8
    )
    assert found.numbers["score_difference"] == pytest.approx(float(scores[index]), rel=1e-5)
    assert found.numbers["attributed"] == pytest.approx(float(found.map.sum()), rel=1e-5)
    assert found.numbers["completeness_error"] < 1e-3


def test_a_picture_that_is_its_baseline_has_an_empty_map() -> None:
    found = explain(integrated_gradients(AIM, picture(), picture(), 3), 3)
    assert found.map.eq(0).all() and found.numbers["completeness_error"] == 0


def test_quadrature_is_exact_for_polynomials_of_twice_its_nodes() -> None:
    places, weights = gauss_legendre(3)
    for power in range(6):
        assert float((weights * places**power).sum()) == pytest.approx(1 / (power + 1), abs=1e-12)


def checkerboard_network() -> Network:
    """The sum of ReLU(x) with signs like a checkerboard's, and of ReLU(-x); x is the first color less 0.5."""
    conv, logits = nn.Conv2d(3, 2, 1, bias=False), PooledLinear(2, SIDE, 1)
    signs = 1 - 2 * ((torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 2).float()
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]).view(2, 3, 1, 1))
        logits.weight.copy_(torch.stack([signs, torch.ones_like(signs)]).view(1, -1))
        logits.bias.zero_()
    stack = {"conv1": conv, "relu1": ReLU(), "logits": logits}
    return Network("board", stack, mean=(0.5,) * 3, std=(1.0,) * 3, source="a test", classes=("one",))


# Pixels are bright (x > 0) or dark, on the white or black squares of the board. The gradient by ReLU(x) is 1
# on white squares and -1 on black ones, that by ReLU(-x) is 1, and comes back times -1.
@pytest.mark.parametrize(
    ("rule", "bright_white", "bright_black", "dark"),
    [(None, 1, -1, -1), (guided, 1, 0, -1), (deconvnet, 0, -1, None)],
)
def test_backwards_of_the_relu_by_hand(
    rule: BackwardRule | None, bright_white: float, bright_black: float, dark: float | None
) -> None:
    network = checkerboard_network()
    white = (torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 2 == 0
    seen = (torch.arange(16.0).view(1, 1, SIDE, SIDE) / 16 + 0.01).expand(1, 3, SIDE, SIDE)
    bright = seen[0, 0] > 0.5
    expected = torch.where(white, bright_white, bright_black).float()
    if dark is not None:
        expected = torch.where(bright, expected, dark)

    aim = Aim(network, "logits", 0)
    found = explain(gradient(aim, seen, rule), 1)
    assert torch.equal(found.map, expected.abs())
    if rule is not None:
        assert found.pattern is not None and torch.equal(found.pattern[0, 0], expected)


METHODS = {
    "smooth_grad": lambda aim, seen: smooth_grad(aim, seen, 9, 0.2, seed=1),
    "integrated_gradients": lambda aim, seen: integrated_gradients(aim, seen, torch.zeros_like(seen), 9),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_map_does_not_depend_on_how_many_samples_go_at_once(name: str) -> None:
    aim, seen = Aim(make_classifier(), "logits", 1), picture(16)
    method: Method = METHODS[name](aim, seen)
    maps = [explain(method, at_once).map for at_once in (1, 2, 4, 9, 50)]
    for each in maps[1:]:
        assert torch.allclose(each, maps[0], atol=1e-6)


def test_an_explanation_has_the_size_of_the_picture() -> None:
    found: Explanation = explain(gradient(Aim(make_classifier(), "logits", 1), picture(17)), 1)
    assert found.map.shape == (17, 17)
