"""Muon for matrices, Adam for all other parameters.

Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024): momentum, orthogonalized by
Newton-Schulz iteration, so that all directions of a layer learn at the same speed.
"""

from collections.abc import Iterable
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


# The learning rate of Adam's part, of Muon's: that of palette.
ADAM_SHARE = 0.1


class Muon(torch.optim.Optimizer):
    """Muon and Adam in one optimizer: of each param group, ``muon`` says which, and ``lr`` is its rate.

    A step changes a matrix of m rows by about ``lr`` times the square root of m, in the Frobenius norm: that
    of one with He's initialization is the square root of 2 m. ``weight_decay`` is decoupled.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], momentum: float = 0.9) -> None:
        """Of Muon's groups, those that are ``rescaled`` keep the norm that :func:`muon_step` gives them."""
        super().__init__(groups, {"momentum": momentum, "weight_decay": 0.0, "rescaled": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            rate = group["lr"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if group["weight_decay"] > 0:
                    parameter.mul_(1 - rate * group["weight_decay"])
                if group["muon"]:
                    momentum, rescaled = group["momentum"], group["rescaled"]
                    muon_step(parameter, parameter.grad, state, rate, momentum, rescaled=rescaled)
                else:
                    adam_step(parameter, parameter.grad, state, rate)


class NormedMuon(Muon):
    """Muon for a model with a norm behind each convolution, Adam for what is no convolution.

    The norm makes the network invariant to the scale of the weights, so that each step can rescale them;
    ``rate`` is then the relative change of a convolution in a step.
    """

    def __init__(self, model: nn.Module, rate: float, momentum: float = 0.9) -> None:
        """Optimize the parameters of ``model``; ``rate`` is the learning rate of the convolutions."""
        convolutions = [module.weight for module in model.modules() if isinstance(module, nn.Conv2d)]
        chosen = {id(weight) for weight in convolutions}
        others = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
        groups = [
            {"params": convolutions, "lr": rate, "muon": True, "rescaled": True},
            {"params": others, "lr": ADAM_RATE, "muon": False},
        ]
        super().__init__(groups, momentum)


def orthogonalize(matrix: Tensor) -> Tensor:
    """The matrix (m, n) with all singular values near 1, in float32.

    Computed in bfloat16 on a GPU; in float32 on a CPU, since many have no arithmetic of bfloat16, and those
    multiply it a hundred times slower.
    """
    a, b, c = COEFFICIENTS
    x = matrix.float() if matrix.device.type == "cpu" else matrix.bfloat16()
    x = x / (x.norm() + 1e-7)
    wide: Tensor = x if x.shape[0] <= x.shape[1] else x.T
    for _ in range(ITERATIONS):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return (wide if x.shape[0] <= x.shape[1] else wide.T).float()


def muon_step(
    weight: Tensor,
    gradient: Tensor,
    state: dict[str, Any],
    rate: float,
    momentum: float,
    *,
    rescaled: bool,
) -> None:
    """One step of a weight (m, ...), with Nesterov's momentum.

    A weight that is ``rescaled`` has a Frobenius norm of the square root of m before the step. Other weights
    change by as much if they are tall as if they are wide.
    """
    if not state:
        state["momentum"] = torch.zeros_like(weight)
    state["momentum"].mul_(momentum).add_(gradient)
    ahead = gradient.add(state["momentum"], alpha=momentum).flatten(1)
    scale = 1.0
    if rescaled:
        weight.mul_(len(weight) ** 0.5 / weight.norm())
    else:
        scale = max(1.0, ahead.shape[0] / ahead.shape[1]) ** 0.5
    weight.add_(orthogonalize(ahead).view_as(weight), alpha=-rate * scale)


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
