"""What losses are made from: targets of styles and of contents, kept for the jobs that follow."""

import pytest
import torch
from torch import Tensor

from models.network import Network
from tests.support.loss_sums import rand
from worker.losses.gram import gram_sum
from worker.losses.sources import Content, Styles
from worker.optim.kept import TARGETS
from worker.optim.tiling.tiles import Tiling

LAYERS = {"relu1": 1.0, "conv3": 3.0}
calls: list[float] = []


def scaled_means(features: Tensor, factor: float) -> Tensor:
    calls.append(factor)
    return factor * features.mean((0, 2, 3))


def test_a_function_of_each_style_is_computed_once(exact_network: Network) -> None:
    TARGETS.clear()
    calls.clear()
    styles = Styles(exact_network, [rand(9, 12, 1), rand(20, 8, 2)], [3.0, 1.0], LAYERS)

    first = styles.of_each(scaled_means, 2.0)
    again = styles.of_each(scaled_means, 2.0)
    other = styles.of_each(scaled_means, 4.0)

    # Two pictures, two layers.
    assert calls == [2.0] * 4 + [4.0] * 4
    for picture, found, same, double in zip(styles.pictures, first, again, other, strict=True):
        for layer, features in exact_network.features(picture, LAYERS).items():
            assert torch.allclose(found[layer], 2 * features.mean((0, 2, 3)))
            assert torch.equal(same[layer], found[layer])
            assert torch.allclose(double[layer], 2 * found[layer])
    assert styles.fractions == [0.75, 0.25]


def test_nothing_is_computed_without_layers(exact_network: Network) -> None:
    styles = Styles(exact_network, [rand(9, 12, 1)], [1.0], {})

    assert styles.means(gram_sum) == {}
    assert styles.of_each(scaled_means, 1.0) == [{}]
    assert Content(Tiling(9, 12, exact_network, LAYERS), rand(9, 12, 1), {}).features() == {}


@pytest.mark.parametrize("margin", [0, 4])
def test_the_edge_of_styles_is_padded_as_it_says(exact_network: Network, margin: int) -> None:
    picture = rand(16, 12, 3)
    found = {
        edge: Styles(exact_network, [picture], [1.0], LAYERS, margin=margin, edge=edge).means(gram_sum)
        for edge in ("reflect", "replicate")
    }

    padded = torch.nn.functional.pad(picture, (margin,) * 4, mode="replicate")
    # conv3 has a stride of 4.
    inner = slice(margin // 4, None if margin == 0 else -margin // 4)
    seen = exact_network.features(padded, ["conv3"])["conv3"][..., inner, inner]
    assert torch.allclose(found["replicate"]["conv3"], gram_sum(seen) / seen[0, 0].numel())
    assert torch.allclose(found["replicate"]["conv3"], found["reflect"]["conv3"]) == (margin == 0)
