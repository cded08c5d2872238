import pytest
import torch
from torch import Tensor, nn

from models.network import Network
from worker.optim.pyramids.scales import resize
from worker.training.style_judge import Distances, StyleJudge


def make_judge() -> StyleJudge:
    """A judge whose features are the colors themselves, twice."""
    stack: dict[str, nn.Module] = {}
    for name in ("conv1", "conv2"):
        stack[name] = nn.Conv2d(3, 3, 1, bias=False)
        stack[name].weight = nn.Parameter(torch.eye(3).view(3, 3, 1, 1))
    network = Network("colors", stack, mean=(0, 0, 0), std=(1, 1, 1), source="a test")
    return StyleJudge(network, ("conv1", "conv2"), "conv2")


def flat(red: float, green: float, blue: float, height: int = 4, width: int = 6) -> Tensor:
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1).expand(1, 3, height, width).contiguous()


@pytest.mark.parametrize(
    ("picture", "distance"),
    [
        (flat(1, 0, 0), 0.0),
        (flat(0, 0, 0), 1.0),
        # Gram matrices of 0.25 and 1 in one entry.
        (flat(0.5, 0, 0), 0.75**2),
        # One entry missing, one too many.
        (flat(0, 1, 0), 2.0),
    ],
)
def test_distance_from_a_red_style(picture: Tensor, distance: float) -> None:
    assert make_judge().style_distance(picture, flat(1, 0, 0, 9, 9)) == pytest.approx(distance)


@pytest.mark.parametrize(
    ("picture", "distance"),
    [(flat(0.8, 0.6, 0), 0.0), (flat(0, 0, 0), 1.0), (flat(0.4, 0.3, 0), 0.25), (flat(0.8, 0.6, 1), 1.0)],
)
def test_distance_from_a_content(picture: Tensor, distance: float) -> None:
    assert make_judge().content_distance(picture, flat(0.8, 0.6, 0)) == pytest.approx(distance)


def test_both_are_resized_to_the_picture() -> None:
    large = torch.rand(1, 3, 24, 36, generator=torch.Generator().manual_seed(0))
    style = large.transpose(2, 3)
    judge = make_judge()
    assert judge.distances(resize(large, 12, 18), large, flat(1, 0, 0)).content == 0
    # The style keeps its aspect: 12 x 18 px in a picture that is 18 px wide.
    assert judge.distances(resize(style, 18, 12), large, style).style == pytest.approx(0, abs=1e-12)


def test_a_small_style_is_not_enlarged() -> None:
    style = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    judge = make_judge()
    picture = style.repeat(1, 1, 2, 2)
    assert judge.distances(picture, picture, style) == Distances(pytest.approx(0, abs=1e-10), 0)
