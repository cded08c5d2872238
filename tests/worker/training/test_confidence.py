"""Calibration."""

import pytest
import torch

from worker.training.confidence import fit_temperature


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_classes_were_drawn_at_is_found(temperature: float) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(20_000, 4, generator=generator)
    classes = torch.multinomial((logits / temperature).softmax(1), 1, generator=generator)[:, 0]
    assert fit_temperature(logits, classes) == pytest.approx(temperature, rel=0.05)
