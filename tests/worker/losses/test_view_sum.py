"""Losses of several views of a picture: their sum, in tiles, and of several pictures together."""

from collections.abc import Sequence

import pytest
import torch

from models.network import Network
from models.views import VIEWS
from tests.support.loss_sums import make_loss_sum, rand
from worker.losses.loss_sum import LossSum
from worker.losses.view_sum import ViewSum
from worker.optim.tiling.tiles import BUDGET

CONTENT, STYLE = {"relu2": 0.5}, {"relu1": 1.0, "relu3": 3.0}
SIZE = 61, 83


def of_views(
    network: Network, views: Sequence[str], seed: int = 1, tv: float = 0.2, budget: int = BUDGET
) -> list[LossSum]:
    """A sum for each view, of which the first one has the total variation."""
    content, style = rand(*SIZE, seed), rand(40, 30, seed + 1)
    return [
        make_loss_sum(
            network.of_view(view), content, [style], CONTENT, STYLE, 0.0 if place else tv, budget=budget
        )
        for place, view in enumerate(views)
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_the_losses_of_a_view_are_those_of_pictures_in_it(exact_network: Network, view: str) -> None:
    seen = VIEWS[view]
    content, style, picture = (rand(*SIZE, seed) for seed in (1, 2, 3))
    leaf = picture.clone().requires_grad_()
    expected = make_loss_sum(exact_network, seen(content), [seen(style)], CONTENT, STYLE)(seen(picture))
    (gradient,) = torch.autograd.grad(seen(leaf), leaf, expected.gradient)

    found = make_loss_sum(exact_network.of_view(view), content, [style], CONTENT, STYLE)(picture)

    torch.testing.assert_close(found.total, expected.total, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.gradient, gradient, rtol=1e-10, atol=1e-15)


def test_the_sum_has_the_terms_of_all_views(exact_network: Network) -> None:
    views = of_views(exact_network, ["picture", "negative", "rotated"])
    picture = rand(*SIZE, 5)
    each = [view(picture) for view in views]
    names = ["content.relu2", "style.relu1", "style.relu3", "tv"]

    whole = ViewSum(views)
    found = whole(picture)

    assert [*found.terms] == names
    for name in names:
        expected = sum(float(one.terms[name]) for one in each if name in one.terms)
        assert float(found.terms[name]) == pytest.approx(expected, rel=1e-12)
    assert float(found.total) == pytest.approx(sum(float(term) for term in found.terms.values()), rel=1e-12)
    torch.testing.assert_close(found.gradient, torch.stack([one.gradient for one in each]).sum(0))
    assert whole.magnitude == pytest.approx(sum(view.magnitude for view in views))


def test_tiles_change_nothing(exact_network: Network) -> None:
    picture = rand(*SIZE, 5)
    names = ["picture", "rotated_negative"]
    whole, tiled = (ViewSum(of_views(exact_network, names, budget=budget)) for budget in (BUDGET, 400_000))
    assert len(whole.tiling.tiles) == 1 < len(tiled.tiling.tiles)
    assert whole.shared is not None and tiled.shared is None

    expected, found = whole(picture), tiled(picture)

    torch.testing.assert_close(found.total, expected.total, rtol=1e-10, atol=0)
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=1e-8, atol=1e-14)


def test_several_pictures_together_are_as_one_by_one(exact_network: Network) -> None:
    pictures = [rand(*SIZE, seed) for seed in (5, 6, 7)]
    losses = [ViewSum(of_views(exact_network, ["picture", "negative"], seed)) for seed in (1, 2, 3)]
    assert len({loss.shared for loss in losses}) == 1
    other = ViewSum(of_views(exact_network, ["picture", "rotated"]))
    assert other.shared != losses[0].shared

    together = losses[0].evaluate_together(losses, pictures)

    for loss, picture, found in zip(losses, pictures, together, strict=True):
        alone = loss(picture)
        torch.testing.assert_close(found.total, alone.total, rtol=1e-10, atol=0)
        torch.testing.assert_close(found.gradient, alone.gradient, rtol=1e-8, atol=1e-14)
        assert [*found.terms] == [*alone.terms]
