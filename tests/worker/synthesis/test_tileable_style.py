"""Style transfers that are tiles: they go on from each edge at the opposite one."""

from typing import Any

import pytest
import torch
from torch import Tensor

from app.kinds.style_transfer import ResolvedStyleTransfer
from models.network import Network
from tests.support.loss_sums import rand
from tests.support.style_runs import make_params as style_params
from tests.worker.conftest import drawn
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import StepState, run_steps
from worker.optim.color import to_oklab
from worker.optim.tiling.wrapping import made_periodic
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis.style_masks import Masks, load_masks
from worker.synthesis.style_transfer import style_transfer, style_transfer_loss


def make_params(**values: Any) -> ResolvedStyleTransfer:
    return style_params(**{"tileable": True, **values})


def run(
    params: ResolvedStyleTransfer,
    network: Network,
    content: Tensor,
    style: Tensor,
    resume: StepState | None = None,
) -> tuple[Tensor, list[StepState]]:
    """The result, and the state of every step."""
    states: list[StepState] = []
    inputs = Inputs.of({"content": [content], "style": [style]})
    steps = style_transfer(params, inputs, network, Compute(torch.device("cpu"), network.dtype), resume)
    outcome = run_steps(steps, lambda step: states.append(step.state()))
    return outcome.images["image"], states


def seam(picture: Tensor, dim: int) -> float:
    """The mean absolute difference across the seam, relative to that of two columns on either side."""
    side = picture.shape[dim]
    rolled = picture.roll(side // 2, dim).diff(dim=dim).abs().mean(tuple({0, 1, 2, 3} - {dim}))
    place = side // 2 - 1
    beside = torch.cat([rolled[place - 2 : place], rolled[place + 1 : place + 3]])
    return float(rolled[place] / beside.mean())


@pytest.mark.medium
@pytest.mark.parametrize("values", [{}, {"preset": "crowson-2021"}, {"color": "content"}, {"init": "noise"}])
def test_there_is_no_seam(network: Network, content: Tensor, style: Tensor, values: dict[str, Any]) -> None:
    params = make_params(**values)
    tile, _ = run(params, network, content, style)
    plain, _ = run(params.model_copy(update={"tileable": False}), network, content, style)

    for dim in (2, 3):
        # Of so small a picture any line may stand out a little.
        assert seam(tile, dim) < 1.45
    # Without it there is one to be seen.
    assert max(seam(plain, dim) for dim in (2, 3)) > 1.6


@pytest.mark.medium
@pytest.mark.parametrize("after", [2, 6, 7])
def test_resume_gives_the_same_picture(network: Network, content: Tensor, style: Tensor, after: int) -> None:
    whole, states = run(make_params(), network, content, style)

    resumed, _ = run(make_params(), network, content, style, from_bytes(to_bytes(states[after - 1])))

    assert torch.equal(resumed, whole)


def test_colors_of_the_content_have_no_seam_either(network: Network, content: Tensor, style: Tensor) -> None:
    found, _ = run(make_params(size=60, color="content", steps=4), network, content, style)

    chroma, expected = to_oklab(found)[:, 1:], to_oklab(made_periodic(content))[:, 1:]
    # Where lightness and chroma together are outside RGB there is less of it.
    assert float((chroma - expected).abs().median()) < 1e-4


def test_what_is_protected_has_no_seam_either(network: Network, style: Tensor) -> None:
    content, keep = drawn(9, 12, 3), torch.zeros(1, 3, 9, 12)
    keep[..., 4, 5] = 1
    params = make_params(size=96, steps=1, content_mask="m")
    pictures = {"content": [content], "style": [style], "content_mask": [keep]}
    steps = style_transfer(params, Inputs.of(pictures), network, Compute(torch.device("cpu")))

    found = run_steps(steps, lambda _: None).images["image"]

    # The content is enlarged eightfold.
    for dim in (2, 3):
        assert seam(found, dim) < 1.35


def test_masks_go_on_at_the_opposite_edge() -> None:
    content, mask = rand(9, 12, 1), rand(9, 12, 2)

    def masks(roll: tuple[int, int]) -> Masks:
        pictures = {"content": [content], "content_mask": [mask.roll(roll, (2, 3))]}
        return load_masks(make_params(content_mask="m"), Inputs.of(pictures), (36, 48))

    whole, moved = masks((0, 0)), masks((3, 4))

    for sides, roll in (((36, 48), (12, 16)), ((18, 24), (6, 8))):
        ours, theirs = (each.at(*sides, torch.device("cpu")).painted for each in (whole, moved))
        assert ours is not None and theirs is not None
        assert torch.allclose(theirs, ours.roll(roll, (2, 3)), atol=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        {"preset": "impasto"},
        {"preset": "neural-style"},
        {"preset": "crowson-2021"},
        {"content_loss": "laplacian"},
    ],
)
def test_rolling_all_of_it_changes_no_loss(exact_network: Network, values: dict[str, Any]) -> None:
    params = make_params(tv_weight=0.5, **values)
    content, style, picture = rand(32, 48, 1), rand(24, 20, 2), rand(32, 48, 3)
    terms = style_transfer_loss(params, exact_network, content, [style])(picture).terms

    # By what the pools of the network, and of the Laplacian, divide.
    for roll in ((16, 0), (0, 32), (16, 16)):
        moved = [each.roll(roll, (2, 3)) for each in (content, picture)]
        found = style_transfer_loss(params, exact_network, moved[0], [style])(moved[1]).terms
        for name, term in terms.items():
            assert float(found[name]) == pytest.approx(float(term), rel=1e-10), name


@pytest.mark.medium
def test_tiles_change_nothing(exact_network: Network) -> None:
    content, style, picture = rand(40, 56, 1), rand(24, 20, 2), rand(40, 56, 3)
    whole, tiled = (
        style_transfer_loss(make_params(), exact_network, content, [style], style, budget)
        for budget in (1 << 30, 40_000)
    )
    assert len(whole.tiling.tiles) == 1 < len(tiled.tiling.tiles)

    one, other = whole(picture), tiled(picture)

    assert float(one.total) == pytest.approx(float(other.total), rel=1e-12)
    assert (one.gradient - other.gradient).norm() < 1e-12 * one.gradient.norm()
