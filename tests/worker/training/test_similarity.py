"""How similar pictures are to what a network knows: what an early and the last layer say of their labels."""

import pytest
import torch
from torch import Tensor

from worker.training import similarity
from worker.training.similarity import measure_similarity

LABELS = [f"class {number % 4}" for number in range(80)]


def codes(noise: float, seed: int = 0) -> Tensor:
    """Codes that say the label, with noise."""
    generator = torch.Generator().manual_seed(seed)
    return torch.eye(4)[torch.arange(80) % 4] + noise * torch.randn(80, 4, generator=generator)


def test_pictures_are_similar_if_the_last_layer_knows_more() -> None:
    found = measure_similarity(("early", codes(0.8)), ("last", codes(0.2)), LABELS)
    assert found is not None
    assert found.similar
    assert found.early_accuracy < 0.9 < found.last_accuracy
    assert (found.early_layer, found.last_layer) == ("early", "last")
    assert found.chance == pytest.approx(0.25)
    # A quarter of each class, five times.
    assert found.tested == 100


def test_pictures_are_different_if_the_last_layer_knows_no_more() -> None:
    for last in (codes(0.8, 1), codes(3.0, 1)):
        found = measure_similarity(("early", codes(0.8)), ("last", last), LABELS)
        assert found is not None
        assert not found.similar


def test_pictures_are_similar_if_both_layers_know_all() -> None:
    found = measure_similarity(("early", codes(0.05)), ("last", codes(0.05, 1)), LABELS)
    assert found is not None
    assert found.similar


def test_there_must_be_something_to_compare() -> None:
    assert measure_similarity(("early", codes(0.1)), ("last", codes(0.1)), ["one"] * 80) is None
    every = [str(number) for number in range(80)]
    assert measure_similarity(("early", codes(0.1)), ("last", codes(0.1)), every) is None


def test_some_pictures_stand_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "MOST", 42)
    found = measure_similarity(("early", codes(0.8)), ("last", codes(0.2)), LABELS)
    assert found is not None
    assert found.tested < 60
