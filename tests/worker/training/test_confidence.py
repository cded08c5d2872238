"""Calibration."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.training.confidence import (
    expected_calibration_error,
    fit_temperature,
    probabilities,
    reliability,
    temperature_of_few,
)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_classes_were_drawn_at_is_found(temperature: float) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(20_000, 4, generator=generator)
    classes = torch.multinomial((logits / temperature).softmax(1), 1, generator=generator)[:, 0]
    assert fit_temperature(logits, classes) == pytest.approx(temperature, rel=0.05)


def test_the_calibration_error_by_hand() -> None:
    # Three with 0.9 of which two are right, one with 0.6 that is right.
    chances = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.6, 0.4]])
    bins = reliability(chances.log(), torch.tensor([0, 1, 1, 0]), 1.0)
    assert [each.count for each in bins if each.count] == [1, 3]
    assert expected_calibration_error(bins) == pytest.approx((3 * abs(2 / 3 - 0.9) + abs(1 - 0.6)) / 4)


def test_bins_are_closed_above_and_hold_every_picture() -> None:
    logits = torch.tensor([[0.0, 0.0], [50.0, -50.0]])
    bins = reliability(logits, torch.tensor([0, 0]), 1.0, bins=2)
    assert [(each.low, each.high, each.count) for each in bins] == [(0.0, 0.5, 1), (0.5, 1.0, 1)]


def test_there_is_no_calibration_error_without_pictures() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        expected_calibration_error(reliability(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), 1.0))


@given(st.floats(0.2, 5.0))
@settings(max_examples=20, deadline=None)
def test_the_order_of_classes_does_not_depend_on_the_temperature(temperature: float) -> None:
    logits = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    likely = probabilities(logits, temperature)
    assert torch.equal(likely.argmax(1), logits.argmax(1))
    torch.testing.assert_close(likely.sum(1), torch.ones(8))


@pytest.mark.parametrize(("pictures", "classes"), [(1, 2), (3, 3), (20, 5)])
def test_few_pictures_that_are_all_right_do_not_make_probabilities_certain(
    pictures: int, classes: int
) -> None:
    right = torch.arange(pictures) % classes
    logits = 4.0 * torch.nn.functional.one_hot(right, classes)
    temperature = temperature_of_few(logits, right)
    chance = probabilities(logits, temperature)[0, right[0]]
    assert float(chance) == pytest.approx((pictures + 1) / (pictures + 2), abs=1e-3)


def test_nothing_is_fitted_without_pictures() -> None:
    assert temperature_of_few(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)) == 1.0
