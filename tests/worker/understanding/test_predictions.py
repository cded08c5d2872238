"""Probabilities at a temperature, energies, and verdicts."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ComputationError
from tests.support.networks import color_network, make_classifier
from worker.understanding.predictions import Classifier, average, energy, logits_of, predict


def test_energy_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])
    assert torch.allclose(energy(logits, 1.0), -torch.tensor([math.log(2), math.log(4)]))
    # T = 2: -2 log(e^(log(3) / 2) + 1) = -2 log(sqrt(3) + 1).
    assert float(energy(logits, 2.0)[1]) == pytest.approx(-2 * math.log(math.sqrt(3) + 1))


@given(st.floats(0.1, 10), st.floats(-50, 50))
def test_energy_falls_as_all_scores_rise(temperature: float, rise: float) -> None:
    logits = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    difference = energy(logits + rise, temperature) - energy(logits, temperature)
    assert float(difference) == pytest.approx(-rise, abs=1e-9)


def test_probabilities_at_a_temperature_by_hand() -> None:
    # Logits of a red picture are 10 * (1 - 1/3) - 10 * 0.5 * 0, less the same for all: 10, 0, 0 apart.
    red = torch.zeros(1, 3, 16, 16)
    red[:, 0] = 1
    network = color_network()
    for temperature in (1.0, 5.0):
        (made,) = predict(Classifier(network, 16, temperature), [red])
        right = math.exp(10 / temperature) / (math.exp(10 / temperature) + 2)
        assert float(made.probabilities[0]) == pytest.approx(right, abs=1e-6)
        assert float(made.probabilities.sum()) == pytest.approx(1)


def test_several_views_are_a_mean_of_probabilities() -> None:
    network = make_classifier()
    views = torch.rand(4, 3, 24, 24)
    (made,) = predict(Classifier(network, 24, 1.0), [views])
    each = predict(Classifier(network, 24, 1.0), list(views.split(1)))
    assert torch.allclose(made.probabilities, average(each), atol=1e-6)
    assert made.energy == pytest.approx(sum(one.energy for one in each) / 4, abs=1e-5)


def test_a_batch_is_what_each_is_alone() -> None:
    network = make_classifier()
    pictures = torch.rand(19, 3, 24, 24)
    alone = torch.cat([logits_of(network, picture[None]) for picture in pictures])
    assert torch.allclose(logits_of(network, pictures), alone, atol=1e-5)


def test_a_verdict_needs_a_threshold_at_the_same_temperature() -> None:
    network = make_classifier()
    network.temperature, network.energy_threshold = 2.0, -1.0
    assert Classifier(network, 24, 2.0).threshold == -1.0
    assert Classifier(network, 24, 1.0).threshold is None
    (made,) = predict(Classifier(network, 24, 2.0), [torch.rand(1, 3, 24, 24)])
    assert made.verdict(None) is None
    assert made.verdict(made.energy + 1) == "one of its classes"
    assert made.verdict(made.energy - 1) == "none of its classes"


def test_scores_that_are_no_numbers_are_an_error() -> None:
    with pytest.raises(ComputationError, match="colors"):
        predict(Classifier(color_network(), 16, 1.0), [torch.full((1, 3, 16, 16), torch.nan)])
