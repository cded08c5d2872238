import torch
from torch import nn

from worker.training.muon import NormedMuon, orthogonalize


def test_singular_values_come_near_to_one() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((24, 40), (40, 24), (16, 16)):
        values = torch.linalg.svdvals(orthogonalize(torch.randn(shape, generator=generator)))
        assert float(values.max()) < 1.3
        assert float(values.median()) > 0.6


def test_orthogonal_directions_are_kept() -> None:
    left, _ = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))
    scaled = left @ torch.diag(torch.tensor([1.0, 1, 1, 1, 0.5, 0.5, 0.5, 0.5])) @ left.T
    turned = orthogonalize(scaled)
    found = left.T @ turned @ left
    # In bfloat16 it would be 0.01.
    assert float((found - torch.diag(found.diagonal())).abs().max()) < 1e-4
    assert 0.6 < float(found.diagonal().min()) <= float(found.diagonal().max()) < 1.2


def test_the_rate_is_the_relative_change_of_a_convolution() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False))
    weight = model[0].weight
    optimizer = NormedMuon(model, 0.1)
    weight.data.mul_(8**0.5 / weight.norm())
    before = weight.detach().clone()
    weight.grad = torch.randn_like(weight)
    optimizer.step()
    change = float((weight.detach() - before).norm() / before.norm())
    assert 0.06 < change < 0.13


def test_others_follow_adam() -> None:
    torch.manual_seed(0)
    linear, reference = nn.Linear(3, 2), nn.Linear(3, 2)
    reference.load_state_dict(linear.state_dict())
    ours, theirs = NormedMuon(linear, 0.1), torch.optim.Adam(reference.parameters(), lr=3e-3)
    for step in range(5):
        for model, optimizer in ((linear, ours), (reference, theirs)):
            optimizer.zero_grad()
            model(torch.full((4, 3), float(step))).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(linear.weight, reference.weight)
    torch.testing.assert_close(linear.bias, reference.bias)
