"""Files of networks of every architecture are taken, and refused where their shapes do not fit their card."""

import io

import pytest
import torch
from safetensors.torch import save

from app.networks.card import NetworkCard
from app.networks.errors import UnusableFile
from app.networks.uploads import check_weights, read_card
from models.registry import build_network
from tests.support.architectures import NAMES, small_network


def file_of(card: NetworkCard, weights: dict[str, torch.Tensor]) -> bytes:
    return save(weights, {"impasto": card.model_dump_json()})


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_read_as_it_was_written(name: str) -> None:
    network, card = small_network(name)
    data = file_of(card, dict(network.stack.state_dict()))
    header, found = read_card(io.BytesIO(data), len(data))
    assert found == card
    check_weights(io.BytesIO(data), header, card)
    built = build_network(found, network.stack.state_dict())
    assert built.sha256 == card.sha256
    assert built.layers == network.layers


@pytest.mark.parametrize("inputs", [5, 0])
def test_a_filter_sees_a_share_of_the_channels(inputs: int) -> None:
    network, card = small_network("alexnet_2012")
    weights = dict(network.stack.state_dict())
    # conv2 has 16 filters in two groups, each of which sees 3 of 6 channels.
    assert weights["conv2.weight"].shape == (16, 3, 5, 5)
    weights["conv2.weight"] = torch.zeros(16, inputs, 5, 5)
    parameters = sum(weight.numel() for weight in weights.values())
    data = file_of(card.model_copy(update={"parameters": parameters}), weights)
    with pytest.raises(UnusableFile, match=r"conv2\.weight.*begins with \[16, 6\]"):
        read_card(io.BytesIO(data), len(data))
