import math

import pytest
import torch
from torch import Tensor

from worker.losses import self_similarity
from worker.losses.positions import chosen
from worker.losses.self_similarity import SMOOTHING, SelfSimilarityLoss


def features(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, 4, 5, generator=generator, dtype=torch.float64)


def restated(picture: Tensor, content: Tensor, places: list[int]) -> float:
    """Equation 9 with smoothed absolute values, as a mean over columns, as in the authors' code."""
    columns = []
    for maps in (picture, content):
        rows = maps[0].flatten(1).T[places].tolist()
        pairs = [
            [
                1 - sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
                for b in rows
            ]
            for a in rows
        ]
        columns.append([[pair / sum(column) for pair in column] for column in zip(*pairs, strict=True)])
    smoothing = SMOOTHING / len(places)
    differences = [x - y for a, b in zip(*columns, strict=True) for x, y in zip(a, b, strict=True)]
    return sum(math.hypot(difference, smoothing) - smoothing for difference in differences) / len(places)


@pytest.mark.parametrize("most", [7, 1000])
def test_the_loss_is_that_of_all_pairs(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(self_similarity, "MOST", most)
    picture, content, places = features(1), features(2), chosen(20, most, 3)

    loss = SelfSimilarityLoss("relu1", content[0].flatten(1).T[places], 1.5, 3)

    expected = 1.5 * restated(picture, content, places.tolist())
    # The lengths that directions are divided by are a little more.
    assert float(loss.value(picture, 20)) == pytest.approx(expected, rel=1e-5)
    assert torch.autograd.gradcheck(lambda f: loss.value(f, 20), picture.requires_grad_())


def test_what_the_features_are_does_not_count() -> None:
    content = features(2)
    loss = SelfSimilarityLoss("relu1", content[0].flatten(1).T, 1.0, 0)
    turned = torch.linalg.qr(features(3)[0, :, 0, :3]).Q @ content[0].flatten(1)

    assert float(loss.value(4 * turned.view(1, 3, 4, 5), 20)) == pytest.approx(0, abs=1e-6)


def test_features_that_are_alike_cost_about_the_weight() -> None:
    loss = SelfSimilarityLoss("relu1", features(2)[0].flatten(1).T, 1.5, 0)

    assert float(loss.value(torch.ones(1, 3, 4, 5, dtype=torch.float64), 20)) == pytest.approx(
        1.5, rel=SMOOTHING
    )
