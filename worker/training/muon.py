"""Muon for convolutions followed by a norm, Adam for all other parameters.

Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024): momentum, orthogonalized by
Newton-Schulz iteration, so that all directions of a layer learn at the same speed.
"""

from typing import Any

import torch
from torch import Tensor, nn

# Coefficients of the quintic iteration (Jordan et al. 2024): singular values approach 1 in few steps, and end
# between 0.7 and 1.2.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 4

ADAM_RATE = 3e-3
BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Muon(torch.optim.Optimizer):
    """Muon and Adam in one optimizer; a group's ``muon`` says which, its ``lr`` is the learning rate.

    Each step rescales the convolutions to a Frobenius norm of the square root of their number of filters. The
    norm after them makes the network invariant to that; ``lr`` is then the relative change of a layer in a
    step.
    """

    def __init__(self, model: nn.Module, rate: float, momentum: float = 0.9) -> None:
        """Optimize the parameters of ``model``; ``rate`` is the learning rate of the convolutions."""
        convolutions = [module.weight for module in model.modules() if isinstance(module, nn.Conv2d)]
        chosen = {id(weight) for weight in convolutions}
        others = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
        groups = [
            {"params": convolutions, "lr": rate, "muon": True},
            {"params": others, "lr": ADAM_RATE, "muon": False},
        ]
        super().__init__(groups, {"momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if group["muon"]:
                    muon_step(parameter, parameter.grad, state, group["lr"], group["momentum"])
                else:
                    adam_step(parameter, parameter.grad, state, group["lr"])


def orthogonalize(matrix: Tensor) -> Tensor:
    """The matrix (m, n) with all singular values near 1, in float32; computed in bfloat16."""
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16()
    x /= x.norm() + 1e-7
    wide = x if x.shape[0] <= x.shape[1] else x.T
    for _ in range(ITERATIONS):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return (wide if x.shape[0] <= x.shape[1] else wide.T).float()


def muon_step(weight: Tensor, gradient: Tensor, state: dict[str, Any], rate: float, momentum: float) -> None:
    if not state:
        state["momentum"] = torch.zeros_like(weight)
    state["momentum"].mul_(momentum).add_(gradient)
    ahead = gradient.add(state["momentum"], alpha=momentum)
    weight.mul_(len(weight) ** 0.5 / weight.norm())
    weight.add_(orthogonalize(ahead.flatten(1)).view_as(weight), alpha=-rate)


def adam_step(parameter: Tensor, gradient: Tensor, state: dict[str, Any], rate: float) -> None:
    """Adam: Kingma and Ba (ICLR 2015), algorithm 1."""
    if not state:
        state |= {"mean": torch.zeros_like(parameter), "square": torch.zeros_like(parameter)}
        state["steps"] = torch.zeros(())
    first, second = BETAS
    state["steps"] += 1
    state["mean"].lerp_(gradient, 1 - first)
    state["square"].lerp_(gradient.square(), 1 - second)
    steps = float(state["steps"])
    size = (state["square"] / (1 - second**steps)).sqrt() + EPSILON
    parameter.sub_(rate / (1 - first**steps) * state["mean"] / size)
