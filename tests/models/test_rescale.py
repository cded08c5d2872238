"""Rescaling to unit activations changes scales, and nothing else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.network import Network
from models.rescale import gatys_factors, mean_activations, rescale


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), spread=st.floats(0, 3), pooling=st.sampled_from(["average", "max"]))
def test_only_scales_change(small: Network, picture: Tensor, seed: int, spread: float, pooling: str) -> None:
    network = small.with_pooling(pooling).prepared(torch.device("cpu"), torch.float64)
    generator = torch.Generator().manual_seed(seed)
    factors = {
        layer.name: (spread * torch.randn(layer.channels, generator=generator)).exp()
        for layer in network.layers
        if layer.kind == "conv"
    }
    before = network.features(picture, list(network.stack))
    after = rescale(network, factors).features(picture, list(network.stack))
    factor = torch.ones(1)
    for layer in network.layers:
        factor = factors.get(layer.name, factor)
        scale = factor.view(-1, 1, 1) if layer.receptive_field else 1
        torch.testing.assert_close(after[layer.name], before[layer.name] * scale, rtol=1e-9, atol=1e-9)


def test_channels_have_mean_one(small: Network, picture: Tensor) -> None:
    factors = gatys_factors(mean_activations(small, picture))
    assert len(factors) == 13
    for name, mean in mean_activations(rescale(small, factors), picture).items():
        # The factor of a live channel is one over its mean; a quiet one stays below QUIET.
        assert ((mean - 1).abs() < 1e-4).logical_or(mean < 0.1).all(), name
        assert (mean - 1).abs().min() < 1e-4, name


def test_blocks_are_rescaled_and_the_logits_stay(fires: Network, picture: Tensor) -> None:
    factors = gatys_factors(mean_activations(fires, picture))
    # The convolution that gives the logits has none.
    assert list(factors) == ["conv1", *(f"fire{place}" for place in range(2, 10))]
    rescaled = rescale(fires, factors)
    for name, mean in mean_activations(rescaled, picture).items():
        assert ((mean - 1).abs() < 1e-9).logical_or(mean < 0.1).all(), name
    torch.testing.assert_close(rescaled.logits(picture), fires.logits(picture))


def test_without_factors_nothing_changes(fires: Network, small: Network) -> None:
    assert rescale(fires, {}).sha256 == fires.sha256
    assert rescale(small, {}).sha256 == small.sha256


def test_mean_activations_are_over_pictures_and_positions(small: Network, picture: Tensor) -> None:
    means = mean_activations(small, picture)
    expected = small.features(picture, ["relu2_1"])["relu2_1"].mean(dim=(0, 2, 3))
    torch.testing.assert_close(means["conv2_1"], expected.double())


def test_the_hash_tells_the_rescaled_network_apart(small: Network, picture: Tensor) -> None:
    before = small.sha256
    rescaled = rescale(small, gatys_factors(mean_activations(small, picture)))
    assert rescaled.sha256 != before == small.sha256


def test_dead_and_spiky_channels_get_the_typical_factor() -> None:
    # Of those that fire at all the median is 2; a tenth of it is 0.2.
    means = torch.tensor([0.0, 0.001, 0.5, 2.0, 4.0, 8.0], dtype=torch.float64)
    factors = gatys_factors({"conv1_1": means})["conv1_1"]
    assert factors.tolist() == [0.5, 0.5, 2.0, 0.5, 0.25, 0.125]


def test_a_dead_layer_is_an_error() -> None:
    with pytest.raises(ValueError, match="conv3_1"):
        gatys_factors({"conv3_1": torch.zeros(4)})
