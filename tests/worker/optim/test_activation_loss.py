from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.support.networks import make_classifier, silenced
from worker.losses.regularizers import squared_norm
from worker.optim import activation_loss as module
from worker.optim.activation_loss import ActivationLoss, seen_sides
from worker.optim.objectives import Objective, channel, diversity, one_each, weighted_sum
from worker.optim.parametrizations import Fourier, Pixels
from worker.optim.randomness import generator_at
from worker.optim.transforms import crop, in_turn, jitter, noise, pad, roll

NETWORK = make_classifier(torch.float64)
SEEDS = (7, 8, 9, 10)


def each_its_channel(part: slice) -> Objective:
    return one_each([channel("conv2", index) for index in range(*part.indices(4))])


def make_loss(**changes: object) -> ActivationLoss:
    made = ActivationLoss(
        NETWORK,
        Pixels(12, 14, noise=0.2),
        each_its_channel,
        SEEDS,
        penalties={"l2": (3, lambda pictures: squared_norm(pictures, (0.5, 0.5, 0.5)))},
        transform=in_turn([roll(3), noise(0.1)]),
        views=2,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def start(made: ActivationLoss) -> Tensor:
    return made.parametrization.start(made.seeds).double()


def test_totals_are_the_sum_of_their_terms() -> None:
    made = make_loss()
    found = made(start(made), 5)

    assert found.total.shape == (4,)
    assert found.terms.keys() == {"objective", "l2"}
    assert torch.allclose(found.total, found.terms["objective"] + found.terms["l2"])
    assert torch.allclose(found.terms["l2"], 3 * squared_norm(start(made), (0.5, 0.5, 0.5)))


@pytest.mark.parametrize("parametrization", [Pixels(7, 8, noise=0.2), Fourier(7, 8, noise=0.5)])
def test_the_gradient_is_that_of_the_sum_of_the_totals(parametrization: Pixels | Fourier) -> None:
    made = make_loss(parametrization=parametrization)
    variables = start(made)
    along = torch.randn(variables.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    found = made(variables, 3)

    small = 1e-5
    difference = (made(variables + small * along, 3).total - made(variables - small * along, 3).total).sum()
    assert float((found.gradient * along).sum()) == pytest.approx(float(difference) / (2 * small), rel=1e-5)


def test_a_batch_is_as_many_single_runs() -> None:
    made = make_loss()
    variables = start(made)
    together = made(variables, 2)
    for place in range(4):
        alone = make_loss(
            objective=lambda _, place=place: channel("conv2", place), seeds=SEEDS[place : place + 1]
        )(variables[place : place + 1], 2)

        assert torch.allclose(together.total[place], alone.total)
        assert torch.allclose(together.gradient[place : place + 1], alone.gradient, atol=1e-12)


def test_pictures_in_parts_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlike(part: slice) -> Objective:
        return weighted_sum([(each_its_channel(part), 1.0), (diversity("conv2", 2), 0.5)])

    made = make_loss(objective=unlike, group=2)
    whole = made(start(made), 1)
    monkeypatch.setattr(module, "ASCENT_PIXELS", 3 * 12 * 14)
    parts = made(start(made), 1)

    assert len(made._parts(start(made))) == 2  # of two pictures, as groups stay together
    assert torch.allclose(parts.total, whole.total)
    assert torch.allclose(parts.gradient, whole.gradient, atol=1e-12)
    assert torch.allclose(made.values(start(made))[:2], made.values(start(made)[:2]))


def test_parts_are_smaller_where_more_is_seen_of_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASCENT_PIXELS", 4 * 12 * 14)
    made = make_loss()

    assert len(made._parts(start(made))) == 1
    assert len(replace(made, transform=pad(5))._parts(start(made))) == 4


def test_the_loss_is_the_mean_over_the_views_of_a_step() -> None:
    transform = in_turn([roll(3), noise(0.1)])
    made = make_loss(penalties={}, transform=transform, views=3)
    variables = start(made)
    # What is reported of the plain picture does not depend on transforms.
    plain = make_loss(transform=None, penalties={})
    assert torch.allclose(-made.values(variables), plain(variables).total)

    for step in (1, 2):
        seen = [transform(variables, [generator_at(seed, step, view) for seed in SEEDS]) for view in range(3)]
        expected = torch.stack([plain(each).total for each in seen]).mean(0)
        assert torch.allclose(made(variables, step).total, expected)
    assert not torch.allclose(expected, plain(variables).total, rtol=1e-3)


def test_dead_units_are_found_in_spite_of_penalties() -> None:
    made = make_loss(network=silenced(silenced(NETWORK, "conv2", 1), "conv2", 3))

    assert made.dead(start(made)) == [1, 3]
    assert make_loss().dead(start(made)) == []


def test_nothing_is_left_on_the_network() -> None:
    made = make_loss()
    made(start(made), 1)

    assert not NETWORK.training
    for module_ in NETWORK.modules():
        assert not module_._forward_hooks
        assert not module_._backward_hooks
    for parameter in NETWORK.parameters():
        assert not parameter.requires_grad
        assert parameter.grad is None


def test_sides_that_are_seen() -> None:
    assert seen_sides(None, 12, 14) == (12, 14)
    assert seen_sides(in_turn([pad(3), jitter(4), crop(0.5)]), 12, 14) == (14, 16)
