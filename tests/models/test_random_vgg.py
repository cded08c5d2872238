"""vgg19-random: the same weights everywhere, and unit activations."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.network import Network
from models.random_vgg import FACTORS, he_vgg19, random_factors
from models.reference_pictures import reference_pictures
from models.registry import load_network
from models.rescale import mean_activations


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network("vgg19-random")


def test_he_weights() -> None:
    network = he_vgg19()
    for layer in network.layers:
        if layer.kind == "conv":
            weight = network.stack.get_parameter(f"{layer.name}.weight")
            count, fan_in = weight.numel(), weight[0].numel()
            he = (2 / fan_in) ** 0.5
            # Four standard errors: of a standard deviation 1 / sqrt(2 n), of a mean 1 / sqrt(n).
            assert abs(weight.std().item() / he - 1) < 4 / (2 * count) ** 0.5
            assert abs(weight.mean().item() / he) < 4 / count**0.5
            assert not network.stack.get_parameter(f"{layer.name}.bias").any()


def test_the_first_weight_by_hand() -> None:
    # conv1_1 has 32·3·9 weights; the words hold four 16-bit numbers each, the lowest first, and the
    # twelve numbers of a weight lie a whole layer apart.
    count = 32 * 3 * 9
    words = [int(word) for word in np.random.PCG64(19).random_raw(3 * count)]
    numbers = [(words[i * count // 4] >> 0) & 0xFFFF for i in range(12)]
    variance = 12 * (2**32 - 1) / 12
    expected = (sum(numbers) - 12 * 65535 / 2) / variance**0.5 * (2 / 27) ** 0.5
    assert he_vgg19().stack.conv1_1.weight[0, 0, 0, 0].item() == np.float32(expected)


@pytest.mark.slow
def test_the_shipped_factors_are_reproduced() -> None:
    shipped, made = load_file(FACTORS), random_factors()
    assert shipped.keys() == made.keys()
    for name, factor in made.items():
        torch.testing.assert_close(shipped[name], factor, rtol=1e-3, atol=0, msg=name)


@pytest.mark.medium
def test_activations_are_about_one_on_other_pictures(network: Network) -> None:
    means = mean_activations(network, reference_pictures(count=8, side=128, seed=1))
    assert len(means) == 16
    for name, mean in means.items():
        # A quarter of the channels are quiet, so the layer's mean is somewhat below 1.
        assert 0.6 < mean.mean() < 1.3, name
        assert 0.8 < mean[mean > 0.1].median() < 1.2, name


def test_what_it_is(network: Network) -> None:
    channels = [network.stack.get_submodule(f"conv{stage}_1").out_channels for stage in range(1, 6)]
    assert channels == [32, 64, 128, 256, 256]
    assert type(network.stack.pool1) is torch.nn.AvgPool2d
    assert network.classes == ()
    assert network.layers[-1].name == "pool5"
    assert FACTORS.stat().st_size < 16_000


def test_reference_pictures_are_seeded_and_in_range() -> None:
    pictures = reference_pictures(4, 48, seed=3)
    assert pictures.shape == (4, 3, 48, 48)
    assert pictures.dtype == torch.float32
    assert 0 <= pictures.min() < pictures.max() <= 1
    assert torch.equal(pictures, reference_pictures(4, 48, seed=3))
    assert not torch.equal(pictures, reference_pictures(4, 48, seed=4))
