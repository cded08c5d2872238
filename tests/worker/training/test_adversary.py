import torch
from torch import Tensor

from worker.training.adversary import one_step_l2


def test_moves_by_the_radius_along_the_gradient_of_a_linear_loss() -> None:
    weights = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    pictures = torch.full((5, 3, 8, 8), 0.5)

    def loss(moved: Tensor) -> Tensor:
        return (moved * weights).sum()

    attacked = one_step_l2(pictures, loss, 0.1, torch.Generator().manual_seed(1))
    change = attacked - pictures
    torch.testing.assert_close(change.flatten(1).norm(dim=1), torch.full((5,), 0.1), rtol=1e-3, atol=0)
    along = (change * weights).sum((1, 2, 3)) / (0.1 * weights.norm())
    assert float(along.min()) > 0.75
    assert not attacked.requires_grad


def test_never_leaves_the_ball_or_the_range() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(16, 3, 6, 6, generator=generator).round()
    attacked = one_step_l2(pictures, lambda moved: moved.square().sum(), 0.7, generator)
    assert float((attacked - pictures).flatten(1).norm(dim=1).max()) <= 0.7 + 1e-5
    assert float(attacked.min()) >= 0
    assert float(attacked.max()) <= 1


def test_a_flat_loss_is_no_error() -> None:
    pictures = torch.full((2, 3, 4, 4), 0.5)
    attacked = one_step_l2(pictures, lambda moved: (0 * moved).sum(), 0.5, torch.Generator().manual_seed(0))
    assert bool(torch.isfinite(attacked).all())
