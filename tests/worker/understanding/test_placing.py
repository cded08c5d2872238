"""Where the maps of a layer lie over the picture."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.geometry import PaddedConv2d, Window, same_padding
from models.network import Network
from worker.understanding.placing import place


def test_on_a_grid_it_is_bilinear_enlargement() -> None:
    maps = torch.rand(2, 3, 4, 5)
    expected = F.interpolate(maps, (32, 40), mode="bilinear", align_corners=False)
    assert torch.allclose(place(maps, Window(8, 8, 0), 32, 40), expected, atol=1e-6)
    assert torch.allclose(place(maps, Window(108, 8, 50), 32, 40), expected, atol=1e-6)
    assert torch.allclose(place(maps, Window(3, 1, 1), 4, 5), maps)


@pytest.mark.parametrize("window", [Window(3, 2, 1), same_padding(3, 2), Window(3, 2, 0), same_padding(5, 2)])
def test_a_position_lies_where_its_gradient_does(window: Window) -> None:
    stack: dict[str, nn.Module] = {}
    for place_ in range(3):
        conv = PaddedConv2d(3, 3, window)
        nn.init.constant_(conv.weight, 1.0)
        stack[f"conv{place_}"] = conv
    network = Network("net", stack, mean=(0.0,) * 3, std=(1.0,) * 3, source="a test")
    seen = torch.rand(1, 3, 96, 96).requires_grad_()
    maps = network.features(seen, ("conv2",))["conv2"]
    y, x = maps.shape[2] // 2, maps.shape[3] // 2 - 1
    (found,) = torch.autograd.grad(maps[0, 0, y, x], seen)
    rows, columns = (each.double() for each in found[0, 0].nonzero(as_tuple=True))

    one = torch.zeros_like(maps[:, :1]).detach()
    one[..., y, x] = 1
    whole = network.window("conv2")
    assert whole is not None
    placed = place(one, whole, 96, 96)[0, 0].double()
    middle = [float((placed.sum(1 - axis) * torch.arange(96)).sum() / placed.sum()) for axis in (0, 1)]
    assert middle == pytest.approx([float(rows.mean()), float(columns.mean())], abs=0.01)


def test_what_lies_beyond_the_outermost_positions_is_theirs() -> None:
    placed = place(torch.tensor([[[[1.0, 3.0]]]]), Window(4, 4, 0), 4, 8)
    assert placed[0, 0, 0].tolist() == [1, 1, 1.25, 1.75, 2.25, 2.75, 3, 3]
