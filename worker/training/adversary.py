"""One-step attacks for adversarial training.

Wong, Rice, Kolter, "Fast is better than free: revisiting adversarial training" (ICLR 2020), algorithm 3, with
the L2 norm: a random start in the ball, one step somewhat longer than the radius, and back into the ball.
The features of such networks are closer to human perception (Engstrom et al., "Adversarial robustness as a
prior for learned representations", 2019): pictures optimized with them have fewer specks and halos.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from worker.optim.attacks import Ball, l2_norms

# The length of the step in radii (their alpha, section 4).
STEP = 1.25


def one_step_l2(
    pictures: Tensor, loss: Callable[[Tensor], Tensor], radius: float, generator: Generator
) -> Tensor:
    """Pictures (n, 3, H, W), each changed by at most ``radius`` to increase its loss; all in [0, 1].

    ``loss`` gives the sum or mean of the losses of a batch. The radius is the L2 norm of the difference over
    all pixels and channels.
    """
    n, dimensions = len(pictures), pictures[0].numel()
    direction = torch.randn(pictures.shape, generator=generator).to(pictures.device)
    # Uniform in the ball: a direction, and a length whose power ``dimension`` is uniform.
    length = radius * torch.rand(n, generator=generator).pow(1 / dimensions).to(pictures.device)
    start = length.view(-1, 1, 1, 1) * _unit(direction)
    moved = (pictures + start).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(moved), moved)
    change = Ball("l2", radius).project(start + STEP * radius * _unit(gradient))
    return (pictures + change).clamp(0, 1)


def _unit(pictures: Tensor) -> Tensor:
    precise = pictures.float()
    return precise / l2_norms(precise)
