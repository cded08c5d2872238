import pytest
import torch

from models.network import Network
from models.views import VIEWS
from tests.support.loss_sums import rand
from tests.support.networks import make_convolutions

LAYERS = ("relu1", "relu3")


@pytest.fixture(name="exact_network")
def _exact_network() -> Network:
    return make_convolutions(torch.float64)


@pytest.mark.parametrize(
    ("view", "seen"),
    [("negative", [0.8, 0.5, 0.1]), ("rotated", [0.5, 0.9, 0.2]), ("rotated_negative", [0.5, 0.1, 0.8])],
)
def test_the_views_of_a_color(view: str, seen: list[float]) -> None:
    color = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1)
    torch.testing.assert_close(VIEWS[view](color).flatten(), torch.tensor(seen))


@pytest.mark.parametrize("view", VIEWS)
def test_features_of_a_view_are_those_of_the_picture_in_it(exact_network: Network, view: str) -> None:
    picture = rand(17, 23, 1)
    network = exact_network.of_view(view)
    expected = exact_network.features(VIEWS[view](picture), LAYERS)
    for made in (network, network.prepared(network.device, network.dtype)):
        found = made.features(picture, LAYERS)
        assert all(torch.equal(found[layer], expected[layer]) for layer in LAYERS)
    assert not torch.equal(exact_network.features(picture, LAYERS)["relu1"], expected["relu1"])


def test_a_view_has_the_weights_of_its_network_and_is_made_once(exact_network: Network) -> None:
    network = exact_network.of_view("negative")
    assert network.sha256 == exact_network.sha256
    assert {*map(id, network.parameters())} == {*map(id, exact_network.parameters())}
    assert exact_network.of_view("negative") is network
    assert exact_network.of_view("picture") is exact_network
    assert exact_network.with_pooling("max").of_view("negative").view == "negative"


def test_of_a_view_there_is_no_other_view(exact_network: Network) -> None:
    network = exact_network.of_view("negative")
    assert network.of_view("negative") is network
    with pytest.raises(ValueError, match="negative"):
        network.of_view("picture")


def test_an_unknown_view_is_refused(exact_network: Network) -> None:
    with pytest.raises(KeyError, match=r"sepia.*picture, negative, rotated, rotated_negative"):
        exact_network.of_view("sepia")
