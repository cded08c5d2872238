"""The registry, and the torch-free cards made from it."""

import json
from pathlib import Path

import pytest
import torch

from app.networks import LayerCard, NetworkCard, get_card, list_cards
from models.cards import FOLDER, builders, write_cards
from models.imagenet import PUBLISHED, skeleton
from models.registry import ENTRIES, load_network, network_names


def test_every_network_has_its_card() -> None:
    assert network_names() == [*ENTRIES, *PUBLISHED]
    assert sorted(card.name for card in list_cards()) == sorted(network_names())


@pytest.mark.medium
@pytest.mark.parametrize("name", network_names())
def test_the_card_tells_what_the_network_is(name: str) -> None:
    card = get_card(name)
    if name in PUBLISHED:
        network, published = skeleton(name), PUBLISHED[name]
        assert card.sha256 is None and card.download is not None
        assert (card.download.file, card.download.bytes) == (published.file, published.bytes)
    else:
        network = load_network(name)
        assert (card.sha256, card.download) == (network.sha256, None)
    assert (card.name, card.source) == (network.name, network.source)
    assert (tuple(card.classes), card.input_size) == (network.classes, network.input_size)
    assert card.layers == [LayerCard(**vars(layer)) for layer in network.layers]
    assert card.parameters == sum(p.numel() for p in network.parameters())
    torch.testing.assert_close(torch.tensor(card.mean), network.mean.flatten(), rtol=0, atol=0)
    torch.testing.assert_close(torch.tensor(card.std), network.std.flatten(), rtol=0, atol=0)
    assert card.title
    assert card.summary.endswith(".")


@pytest.mark.medium
def test_the_committed_cards_are_those_that_are_generated(tmp_path: Path) -> None:
    write_cards(tmp_path)
    made = [NetworkCard.model_validate_json(path.read_bytes()) for path in sorted(tmp_path.iterdir())]
    assert made == list_cards()


def test_the_committed_builders_are_those_that_there_are() -> None:
    committed = json.loads((FOLDER.parent / "builders.json").read_bytes())
    assert committed == builders()
    assert committed["vgg"]["required"] == ["depth"] and "features" in committed["linear"]["optional"]


def test_unknown_names_are_answered_with_those_there() -> None:
    with pytest.raises(KeyError, match=r"'vgg99'.*vgg19-random"):
        load_network("vgg99")
    with pytest.raises(ValueError, match="'average' or 'max', not 'l2'"):
        load_network("vgg19-random", "l2")


def test_pooling_on_the_same_weights() -> None:
    usual, other = load_network("vgg19-random"), load_network("vgg19-random", "max")
    assert load_network("vgg19-random") is usual
    assert type(other.stack.pool1) is torch.nn.MaxPool2d
    assert other.stack.conv5_4.weight is usual.stack.conv5_4.weight
