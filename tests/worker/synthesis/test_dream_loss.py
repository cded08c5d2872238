"""What a dream pursues, by hand and in tiles."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.deep_dream import DeepDreamParams
from models.network import Network
from tests.worker.conftest import drawn
from worker.optim.descent import numbers
from worker.synthesis.dream_loss import DreamLoss, Term, _most_alike, make_terms


def params(**values: Any) -> DeepDreamParams:
    """Params for the tiny network, whose layers no card knows."""
    return DeepDreamParams.model_validate({"image": "i", "network": "tiny", **values})


def by_hand(network: Network, picture: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    picture = picture.detach().requires_grad_()
    value = network.features(picture, [layer])[layer].square().mean()
    return value.detach(), torch.autograd.grad(value, picture)[0]


def test_one_tile_is_the_plain_gradient(network: Network, content: Tensor) -> None:
    found = DreamLoss(network, [Term("relu3", "relu3", 1.0)])(content)
    value, expected = by_hand(network, content, "relu3")
    assert float(found.terms["relu3"]) == pytest.approx(-float(value), rel=1e-6)
    assert torch.allclose(-found.gradient, expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))


def test_tiles_add_up_to_the_plain_gradient_down_to_the_last_row(exact_network: Network) -> None:
    # Odd sides: the last tile is a part of one, and the last row and column belong to no whole position.
    picture = drawn(91, 115, 3).double()
    terms = [Term("relu2", "relu2", 0.5), Term("relu3", "conv3", 2.0, channels=(1, 4))]
    whole = DreamLoss(exact_network, terms)
    tiled = DreamLoss(exact_network, terms, budget=1 << 19)
    assert len(tiled._tiling(*picture.shape[2:]).tiles) > 4
    found, wanted = tiled(picture), whole(picture)
    gradient, expected = found.gradient, wanted.gradient
    assert numbers(found.terms) == pytest.approx(numbers(wanted.terms), rel=1e-10)
    assert torch.allclose(gradient, expected, rtol=1e-8, atol=1e-10 * float(expected.abs().max()))
    assert gradient[..., -3:, :].abs().amax() > 0 and gradient[..., -3:].abs().amax() > 0


def test_a_guide_in_tiles_too(exact_network: Network, style: Tensor) -> None:
    picture = drawn(91, 115, 3).double()
    given = params(layers={"relu2": 1.0}, guide="g")
    terms = make_terms(given, exact_network, picture, style.double())
    terms = [
        Term(each.name, each.layer, each.weight, guide=each.guide.double())
        for each in terms
        if each.guide is not None
    ]
    gradient = DreamLoss(exact_network, terms, budget=1 << 19)(picture).gradient
    expected = DreamLoss(exact_network, terms)(picture).gradient
    assert torch.allclose(gradient, expected, rtol=1e-8, atol=1e-10 * float(expected.abs().max()))


def test_the_numbers_do_not_depend_on_the_size(network: Network) -> None:
    picture = drawn(64, 80, 1)
    objective = DreamLoss(network, [Term("relu3", "relu3", 1.0), Term("relu2", "conv2", 1.0, (3,))])
    once, often = objective.values(picture), objective.values(picture.repeat(1, 1, 3, 4))
    assert once == pytest.approx(often, rel=0.1)


def test_channels_are_looked_at_before_their_relu(network: Network, content: Tensor) -> None:
    (term,) = make_terms(params(layers={"relu2": 3.0}, channels=[5, 2]), network, content, None)
    assert (term.name, term.layer, term.channels) == ("relu2", "conv2", (5, 2))
    found = network.features(content, ["conv2"])["conv2"]
    expected = 3 * found[0, [5, 2]].mean()
    assert DreamLoss(network, [term]).values(content)["total"] == pytest.approx(float(expected), rel=1e-5)


def test_the_strongest_channels_are_those_of_the_highest_mean(network: Network, content: Tensor) -> None:
    (term,) = make_terms(params(layers={"relu3": 1.0}, strongest=3), network, content, None)
    means = network.features(content, ["relu3"])["relu3"].mean((0, 2, 3))
    assert list(term.channels) == means.argsort(descending=True)[:3].tolist()
    (every,) = make_terms(params(layers={"relu3": 1.0}, strongest=32), network, content, None)
    assert sorted(every.channels) == list(range(10))


def test_the_strongest_channels_of_a_large_picture_are_found_in_tiles(
    exact_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, given = drawn(91, 115, 3).double(), params(layers={"relu2": 1.0, "relu3": 1.0}, strongest=3)
    wanted = make_terms(given, exact_network, picture, None)
    seen, features = list[int](), exact_network.features

    def watched(part: Tensor, layers: Any) -> dict[str, Tensor]:
        seen.append(part.numel())
        return features(part, layers)

    monkeypatch.setattr(exact_network, "features", watched)

    assert make_terms(given, exact_network, picture, None, budget=1 << 19) == wanted
    assert max(seen) < picture.numel() / 2


def test_each_position_goes_towards_what_it_is_most_like(monkeypatch: pytest.MonkeyPatch) -> None:
    features = torch.tensor([[3.0, 0.0, 1.0], [0.0, 2.0, 1.0]]).view(1, 2, 1, 3)
    guide = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.9, 0.9]])
    expected = torch.tensor([[1.0, 0.0, 0.9], [0.0, 1.0, 0.9]])
    assert torch.equal(_most_alike(features, guide), expected)
    monkeypatch.setattr("worker.synthesis.dream_loss.TABLE", 3)
    assert torch.equal(_most_alike(features, guide), expected)


def test_what_has_no_gradient_is_named(network: Network, content: Tensor) -> None:
    stack = dict(network.stack.items())
    dead = nn.Conv2d(8, 10, 3, padding=1)
    dead.load_state_dict(network.stack["conv3"].state_dict())
    with torch.no_grad():
        dead.weight[4] = 0
    stack["conv3"] = dead
    broken = Network("broken", stack, mean=(0.5,) * 3, std=(0.25,) * 3, source="a test")
    terms = [Term("relu3", "conv3", 1.0, (3, 4)), Term("relu2", "relu2", 1.0)]
    assert DreamLoss(broken, terms).dead(content) == ["relu3:4"]


def test_a_guide_too_small_is_told(network: Network, content: Tensor) -> None:
    with pytest.raises(InputError, match="guide"):
        make_terms(params(layers={"relu3": 1.0}, guide="g"), network, content, drawn(3, 40, 1))
