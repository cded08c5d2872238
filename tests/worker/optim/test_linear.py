import numpy as np
import pytest
import torch

from worker.optim.linear import LinearClassifier


def test_the_example_of_the_lecture() -> None:
    """CS231n, "Breaking linear classifiers": half the weights turn -3 into +2, and 5 % into 88 %."""
    x = torch.tensor([[2, -1, 3, -2, 2, 2, 1, -4, 5, 1]], dtype=torch.float64)
    classifier = LinearClassifier(torch.tensor([-1, -1, 1, -1, 1, -1, 1, 1, -1, 1], dtype=torch.float64))

    fooling = classifier.fool(x, 0.5)

    assert fooling[0].tolist() == [1.5, -1.5, 3.5, -2.5, 2.5, 1.5, 1.5, -3.5, 4.5, 1.5]
    assert float(classifier.score(x)) == -3
    assert float(classifier.score(fooling)) == 2
    assert float(classifier.probability(x)) == pytest.approx(0.0474, abs=5e-5)
    assert float(classifier.probability(fooling)) == pytest.approx(0.8808, abs=5e-5)


def test_the_score_rises_by_the_multiple_times_the_squares_of_the_weights() -> None:
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64)
    pictures = torch.rand(6, 3, 5, 4, generator=generator, dtype=torch.float64)
    classifier = LinearClassifier(weights, bias=0.7)

    fooling = classifier.fool(pictures, 0.02)

    assert float((fooling - pictures).abs().max()) == pytest.approx(0.02)
    rise = classifier.score(fooling) - classifier.score(pictures)
    expected = 0.02 / float(weights.abs().max()) * float(weights.square().sum())
    assert rise.tolist() == pytest.approx([expected] * 6)
    by_hand = (pictures.numpy() * weights.numpy()).sum((1, 2, 3)) + 0.7
    assert np.allclose(classifier.score(pictures).numpy(), by_hand)


@pytest.mark.medium
def test_two_colors_are_told_apart() -> None:
    generator = torch.Generator().manual_seed(2)
    noise = 0.1 * torch.randn(2, 40, 3, 4, 4, generator=generator)
    blue, red = torch.tensor([0.2, 0.4, 0.8]), torch.tensor([0.8, 0.4, 0.2])
    first, second = noise[0] + blue.view(3, 1, 1), noise[1] + red.view(3, 1, 1)

    classifier = LinearClassifier.fit(first[:30], second[:30])

    assert bool((classifier.score(first) < 0).all())
    assert bool((classifier.score(second) > 0).all())
    assert classifier.weights.shape == (3, 4, 4)
    heaviness = classifier.weights.mean((1, 2))
    assert heaviness[0] > 0 > heaviness[2]
    # The bias is one for pictures as they are, not less their mean.
    middle = (blue + red).view(1, 3, 1, 1).expand(1, 3, 4, 4) / 2
    assert abs(float(classifier.score(middle))) < 0.2 * float(classifier.score(second).mean())
    again = LinearClassifier.fit(first[:30], second[:30])
    assert torch.equal(again.weights, classifier.weights)
