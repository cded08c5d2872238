"""A training of every architecture ends in a network that its card and weights build."""

import pytest
import torch

from models.registry import build_network
from tests.support.learning import colored, inputs_of, members_of, resolved, run_training

# One for each builder, with what makes it small: params, side, batch norm.
NARROW = [
    *(("linear", {}, 8, False), ("mlp", {"width": 9}, 8, False), ("cnn", {"width": 4, "units": 9}, 8, True)),
    *(("lenet", {}, 16, True), ("lenet_1998", {}, 32, False), ("alexnet", {"width": 1 / 16}, 63, True)),
    *(("alexnet_2012", {"width": 1 / 16}, 67, False), ("zfnet", {"width": 1 / 16}, 47, False)),
    *(("vgg_c", {"width": 1 / 16}, 32, True), ("vgg_a_lrn", {"width": 1 / 16}, 32, False)),
    *(("googlenet", {}, 15, True), ("resnet18", {"width": 1 / 16}, 32, True)),
    *(("resnet20", {"width": 1 / 4}, 8, True), ("plain20", {"width": 1 / 4}, 8, True)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "own", "size", "norms"), NARROW)
def test_it_becomes_a_network(name: str, own: dict[str, float], size: int, norms: bool) -> None:
    # 17 pictures to learn from: the last batch has one.
    members = members_of(colored(21), ["train"] * 17 + ["validation"] * 4)
    params = resolved(
        architecture=name, architecture_params=own, size=size, batch_norm=norms, epochs=1, learning_rate=1e-3
    )
    outcome = run_training(params, inputs_of(members))
    assert outcome.network is not None
    card = outcome.network.card
    network = build_network(card, outcome.network.weights)
    assert card.input_size == size
    assert network.sha256 == card.sha256
    logits = network.logits(torch.rand(2, 3, size, size))
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()
    assert (card.trained_parameters is None) == (not norms)
