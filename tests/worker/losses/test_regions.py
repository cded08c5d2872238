"""Losses that count in a part of a picture alone, or more in one part than in another."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from models.network import Network
from tests.support.loss_sums import rand
from tests.support.networks import make_off_grid
from worker.losses.base import AdditiveLoss, FeatureLoss
from worker.losses.choices import CONTENT_LOSSES, STYLE_LOSSES
from worker.losses.content import ContentLoss, ScaledContentLoss
from worker.losses.distance import distance_sums, squared_distance
from worker.losses.gram import GramLoss, gram_matrix, gram_sum
from worker.losses.loss_sum import LossSum
from worker.losses.moments import moment_sums, power_sums
from worker.losses.regions import Region, places_in
from worker.losses.sources import Content, Styles
from worker.optim.tiling.tiles import BUDGET, Tiling

LAYERS = {"relu1": 1.0, "conv3": 3.0}
every_style_loss = pytest.mark.parametrize("name", STYLE_LOSSES)
every_content_loss = pytest.mark.parametrize("name", CONTENT_LOSSES)


def soft(height: int, width: int) -> Tensor:
    """A mask that is 0 at the left, 1 at the right, and rises between."""
    return torch.linspace(-1, 2, width, dtype=torch.float64).clamp(0, 1).expand(1, 1, height, width)


def halves(height: int, width: int) -> Tensor:
    """A hard mask: 0 in the left half, 1 in the right."""
    return (torch.arange(width) >= width // 2).double().expand(1, 1, height, width)


def style_losses(name: str, network: Network, mask: Tensor | None, budget: int = BUDGET) -> LossSum:
    height, width = (61, 83) if mask is None else mask.shape[-2:]
    tiling = Tiling(height, width, network, LAYERS, margin=12, budget=budget)
    region = None if mask is None else Region(tiling, mask)
    styles = [rand(height, width, 9), rand(31, 70, 8)]
    source = Styles(network, styles, [2.0, 1.0], LAYERS, seed=7, margin=12, budget=budget, region=region)
    return LossSum(STYLE_LOSSES[name].losses(source), tiling)  # type: ignore[index]


def content_losses(
    name: str, network: Network, emphasis: Tensor | None, budget: int = BUDGET, kept: int = 1 << 30
) -> LossSum:
    height, width = (61, 83) if emphasis is None else emphasis.shape[-2:]
    tiling = Tiling(height, width, network, LAYERS, margin=12, budget=budget)
    source = Content(tiling, rand(height, width, 9), LAYERS, seed=7, kept=kept, emphasis=emphasis)
    return LossSum(CONTENT_LOSSES[name](source), tiling)  # type: ignore[index]


def require_same(found: LossSum, expected: LossSum, picture: Tensor, rel: float = 1e-10) -> None:
    ours, theirs = found(picture), expected(picture)
    assert ours.terms.keys() == theirs.terms.keys()
    for name, term in theirs.terms.items():
        assert float(term) > 0, name
        assert float(ours.terms[name]) == pytest.approx(float(term), rel=rel), name
    assert (ours.gradient - theirs.gradient).norm() < rel * theirs.gradient.norm()


@every_style_loss
def test_a_white_mask_is_as_none(exact_network: Network, name: str) -> None:
    white = torch.ones(1, 1, 61, 83, dtype=torch.float64)
    found, expected = (style_losses(name, exact_network, mask) for mask in (white, None))
    require_same(found, expected, rand(61, 83, 10))


@every_content_loss
def test_a_flat_map_changes_nothing(exact_network: Network, name: str) -> None:
    grey = torch.full((1, 1, 61, 83), 0.3, dtype=torch.float64)
    found, expected = (content_losses(name, exact_network, each) for each in (grey, None))
    require_same(found, expected, rand(61, 83, 10))


@every_style_loss
def test_tiles_change_nothing_within_a_mask(exact_network: Network, name: str) -> None:
    mask = soft(61, 83)
    whole, tiled = (style_losses(name, exact_network, mask, budget) for budget in (BUDGET, 400_000))
    assert len(tiled.tiling.tiles) >= 3 and len(whole.tiling.tiles) == 1
    require_same(tiled, whole, rand(61, 83, 10))


@every_content_loss
def test_tiles_change_nothing_with_a_map(exact_network: Network, name: str) -> None:
    mask = soft(61, 83)
    whole, tiled = (
        content_losses(name, exact_network, mask, budget, kept)
        for budget, kept in ((BUDGET, 1 << 30), (400_000, 0))
    )
    assert len(tiled.tiling.tiles) >= 3
    require_same(tiled, whole, rand(61, 83, 10))


@every_style_loss
def test_what_lies_outside_does_not_matter(exact_network: Network, name: str) -> None:
    """Outside by more than a receptive field."""
    mask = halves(48, 128)
    loss = style_losses(name, exact_network, mask)
    picture = rand(48, 128, 10)
    other = torch.cat([rand(48, 40, 11), picture[..., 40:]], dim=-1)

    terms, changed = loss(picture).terms, loss(other).terms
    for place, term in terms.items():
        # Colors are those of averages over areas, which the masks' halves need not meet.
        assert float(changed[place]) == pytest.approx(float(term), rel=1e-2 if "palette" in place else 1e-10)


def test_statistics_are_weighted_sums(exact_network: Network) -> None:
    features = exact_network.features(rand(20, 28, 3), ["conv2"])["conv2"]
    weights = rand(10, 14, 4)[:, :1]
    rows, w = features[0].flatten(1), weights.flatten()

    products = (rows * w) @ rows.T
    assert torch.allclose(gram_sum(features, weights), products)
    assert torch.allclose(moment_sums(features, weights), torch.cat([products, (rows @ w)[None]]))
    assert torch.allclose(power_sums(features, weights), torch.stack([rows @ w, rows.square() @ w]))
    other = rand(10, 14, 5)[:, :1].expand_as(features)
    difference = (features - other)[0].flatten(1)
    squares = (difference.square() @ w).sum()
    assert torch.allclose(squared_distance(features, other, weights), squares)
    assert torch.allclose(
        distance_sums(features, other, weights), torch.stack([squares, (difference.abs() @ w).sum()])
    )


def test_weighted_sums_in_bfloat16_are_in_float32() -> None:
    features = rand(30, 40, 1).bfloat16().contiguous(memory_format=torch.channels_last)
    weights = rand(30, 40, 2, torch.float32)[:, :1]
    for function in (gram_sum, moment_sums, power_sums):
        found = function(features, weights)
        assert found.dtype == torch.float32
        assert torch.allclose(found, function(features.float(), weights), rtol=1e-3)


@pytest.mark.parametrize(
    "function",
    [
        lambda each, weights: gram_sum(each, weights),
        lambda each, weights: moment_sums(each, weights),
        lambda each, weights: squared_distance(each, torch.zeros_like(each), weights),
    ],
)
def test_the_gradient_of_weighted_sums(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    features, weights = rand(4, 5, 1), rand(4, 5, 2)[:, :1]
    assert torch.autograd.gradcheck(lambda each: function(each, weights), features.requires_grad_())


def test_the_value_of_a_masked_gram_loss(exact_network: Network) -> None:
    mask, style, picture = soft(24, 36), rand(20, 30, 1), rand(24, 36, 2)
    tiling = Tiling(24, 36, exact_network, ["conv2"])
    source = Styles(exact_network, [style], [1.0], {"conv2": 2.0}, region=Region(tiling, mask))
    (loss,) = STYLE_LOSSES["gram"].losses(source)

    target = gram_matrix(exact_network.features(style, ["conv2"])["conv2"])
    rows = exact_network.features(picture, ["conv2"])["conv2"][0].flatten(1)
    # Positions of conv2 have 2 by 2 pixels each.
    w = mask.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2)).flatten()
    gram = (rows * w) @ rows.T / w.sum()
    expected = 2 * (gram - target).square().sum() / target.square().sum()
    assert float(LossSum([loss], tiling)(picture).total) == pytest.approx(float(expected), rel=1e-12)


def test_each_half_has_its_own_gram_matrix(exact_network: Network) -> None:
    """A picture that is one style at the left and another at the right costs nothing with their masks."""
    styles = [rand(24, 32, seed) * scale for seed, scale in ((1, 1.0), (2, 0.3))]
    both = torch.cat([*styles], dim=-1)
    tiling = Tiling(24, 64, exact_network, ["conv1"])
    right = halves(24, 64)

    for mask, own, other in ((1 - right, *styles), (right, *reversed(styles))):
        region = Region(tiling, mask)
        assert region.area == 0.5
        found, wrong = (
            GramLoss("conv1", _gram(exact_network, each), 1.0, "relative", weights=region.weights("conv1"))
            for each in (own, other)
        )
        # The column at the seam, and those at the edges of the styles, see other pixels.
        assert float(LossSum([found], tiling)(both).total) < 0.01
        assert float(LossSum([wrong], tiling)(both).total) > 0.3


def _gram(network: Network, picture: Tensor) -> Tensor:
    return gram_matrix(network.features(picture, ["conv1"])["conv1"])


def test_masks_reach_layers_as_means_over_their_pixels(exact_network: Network) -> None:
    mask = rand(21, 30, 1)[:, :1]
    tiling = Tiling(21, 30, exact_network, ["conv3"])

    assert torch.equal(tiling.reduced(mask, "relu1"), mask)
    # Of 21 rows the last is beyond the positions of stride 4.
    found = tiling.reduced(mask, "conv3")
    assert found.shape == (1, 1, 5, 7)
    assert float(found[0, 0, 4, 6]) == pytest.approx(float(mask[0, 0, 16:20, 24:28].mean()))
    last = torch.zeros_like(mask)
    last[..., 20, :] = 1
    assert bool((Region(tiling, last).weights("conv3") > 0).any())


def test_masks_reach_layers_off_the_grid() -> None:
    network, layer = make_off_grid(torch.float64), "relu2"
    tiling = Tiling(40, 56, network, [layer])
    assert not tiling.on_grid
    features = network.features(rand(40, 56, 1), [layer])[layer]

    found = tiling.reduced(torch.ones(1, 1, 40, 56, dtype=torch.float64), layer)

    assert found.shape[-2:] == features.shape[-2:]
    assert torch.equal(found, torch.ones_like(found))


@pytest.mark.parametrize("name", ["gram", "nearest_neighbors"])
def test_seamless_pictures_have_masks_off_the_grid(name: str) -> None:
    network, layers = make_off_grid(torch.float64), {"relu1": 1.0, "relu2": 1.0}
    tiling = Tiling(24, 32, network, layers, edge="wrap")
    assert not tiling.on_grid
    assert tiling.margin > 0
    mask = torch.ones(1, 1, 24, 32, dtype=torch.float64)
    source = Styles(network, [rand(20, 28, 9)], [1.0], layers, seed=7)
    picture = rand(24, 32, 1)

    whole, masked = (
        LossSum(STYLE_LOSSES[name].losses(replace(source, region=region)), tiling)  # type: ignore[index]
        for region in (None, Region(tiling, mask))
    )
    content = Content(tiling, rand(24, 32, 2), layers)
    even, mapped = (
        LossSum(CONTENT_LOSSES["features"](replace(content, emphasis=emphasis)), tiling)
        for emphasis in (None, mask / 2)
    )

    require_same(masked, whole, picture)
    require_same(mapped, even, picture)


def test_the_weights_of_content_have_a_mean_of_one(exact_network: Network) -> None:
    emphasis = soft(24, 32)
    tiling = Tiling(24, 32, exact_network, LAYERS)
    content, picture = rand(24, 32, 1), rand(24, 32, 2)
    source = Content(tiling, content, {"conv2": 3.0}, "crowson-2023", emphasis=emphasis)

    (loss,) = CONTENT_LOSSES["features"](source)

    seen, wanted = (exact_network.features(each, ["conv2"])["conv2"] for each in (picture, content))
    w = emphasis.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    assert float(source.weights("conv2").mean()) == pytest.approx(1)  # type: ignore[union-attr]
    expected = 3 * ((seen - wanted).square() * w / w.mean()).mean()
    assert float(LossSum([loss], tiling)(picture).total) == pytest.approx(float(expected), rel=1e-12)

    scaled = ScaledContentLoss("conv2", wanted, 3.0, w / w.mean())
    assert isinstance(loss, ContentLoss)
    difference = (seen - wanted) * (w / w.mean()).sqrt()
    lengths = ((seen - wanted).abs() * w / w.mean()).sum()
    expected = 3 * difference.square().sum() / lengths
    assert float(LossSum([scaled], tiling)(picture).total) == pytest.approx(float(expected), rel=1e-6)


@every_content_loss
def test_content_counts_where_the_map_is_light(exact_network: Network, name: str) -> None:
    light = halves(48, 96)
    loss = content_losses(name, exact_network, light)
    content = rand(48, 96, 9)
    changed = torch.cat([rand(48, 30, 3), content[..., 30:]], dim=-1)
    mirrored = torch.cat([content[..., :66], rand(48, 30, 3)], dim=-1)

    of_dark, of_light = (loss(each).terms for each in (changed, mirrored))
    for place, term in of_dark.items():
        if name == "self_similarity":
            # A position of the light half is compared with all.
            assert float(term) < float(of_light[place])
        else:
            assert float(term) == pytest.approx(0, abs=1e-9), place
            assert float(of_light[place]) > 0.1


def test_a_hard_mask_chooses_exactly_its_positions() -> None:
    weights = (rand(9, 13, 1)[:, :1] > 0.6).double()
    for seed in range(3):
        assert torch.equal(places_in(weights, seed), weights.flatten().nonzero()[:, 0])


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60).filter(lambda values: max(values) > 0),
    st.integers(0, 2**40),
)
@example(values=[5e-324], seed=0)
def test_places_are_in_proportion_to_weights(values: list[float], seed: int) -> None:
    weights = torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)

    places = places_in(weights, seed).tolist()

    assert places == sorted(set(places))
    assert max(1, int(sum(values) - 1e-9)) <= len(places) <= sum(values) + 1
    assert all(values[place] > 0 for place in places)
    assert {place for place, value in enumerate(values) if value == 1} <= {*places} or sum(values) < 1


def test_seeds_choose_soft_places_evenly() -> None:
    weights = torch.full((1, 1, 10, 10), 0.25, dtype=torch.float64)
    counts = torch.zeros(100)
    for seed in range(200):
        counts[places_in(weights, seed)] += 1
    assert int(counts.sum()) == 200 * 25
    assert float(counts.min()) >= 25 and float(counts.max()) <= 80


def test_a_loss_of_features_of_a_region_does_not_depend_on_its_size(exact_network: Network) -> None:
    """Twice the region with the same features is the same mean."""
    features = exact_network.features(rand(16, 16, 3), ["conv1"])["conv1"]
    loss = GramLoss("conv1", torch.eye(6, dtype=torch.float64), 1.0, "relative")
    masked = GramLoss("conv1", loss.target, 1.0, "relative", weights=halves(16, 32))
    twice = torch.cat([rand(16, 16, 4)[:, :1].expand_as(features), features], dim=-1)

    assert _value(masked, twice) == pytest.approx(_value(loss, features), rel=1e-12)


def _value(loss: FeatureLoss, features: Tensor) -> float:
    assert isinstance(loss, AdditiveLoss)
    collected = loss.statistic(features, lambda each: each)  # type: ignore[arg-type, return-value]
    return float(loss.value(collected, features[0, 0].numel()))
