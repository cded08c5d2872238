"""Optimizers by name, one for each sample of a batch."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from app.kinds.work import affordable_history, is_history_halved
from worker.contract.steps import StepState
from worker.optim.optimizers.adam import Adam, NAdam
from worker.optim.optimizers.base import Optimizer, under_prefix, with_prefix
from worker.optim.optimizers.gradient import NormalizedGradient
from worker.optim.optimizers.lbfgs import LBFGS

OptimizerName = Literal["gradient", "adam", "nadam", "lbfgs"]


class PerSample(Optimizer):
    """An optimizer for each sample of a batch, so that no sample influences another."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        """One optimizer for each sample, in order."""
        self.optimizers = optimizers

    def step(self, variables: Tensor, gradient: Tensor) -> Tensor:
        samples = zip(self.optimizers, torch.split(variables, 1), torch.split(gradient, 1), strict=True)
        return torch.cat([optimizer.step(each, slope) for optimizer, each, slope in samples])

    def restart(self, damping: float) -> None:
        for optimizer in self.optimizers:
            optimizer.restart(damping)

    def state(self) -> StepState:
        states = [optimizer.state() for optimizer in self.optimizers]
        tensors: dict[str, Tensor] = {}
        for index, state in enumerate(states):
            tensors |= with_prefix(f"{index}.", state.tensors)
        return StepState(tensors, {"samples": [state.values for state in states]})

    def restore(self, state: StepState) -> None:
        samples = zip(self.optimizers, state.values["samples"], strict=True)
        for index, (optimizer, values) in enumerate(samples):
            optimizer.restore(StepState(under_prefix(f"{index}.", state.tensors), values))


def make_optimizer(name: OptimizerName, lr: float | None, variables: Tensor, *, bounded: bool) -> Optimizer:
    """An optimizer for a batch of variables (N, ...), each on its own; clamped to [0, 1] if ``bounded``.

    ``lr`` is the usual change of a value in a step. L-BFGS ignores it: its steps follow from the curvature;
    the others raise ValueError if it is None.
    """
    if lr is None:
        if name != "lbfgs":
            raise ValueError(f"{name} needs a step size")
        lr = 0.0
    makers: dict[OptimizerName, Callable[[], Optimizer]] = {
        "gradient": lambda: NormalizedGradient(lr, bounded=bounded),
        "adam": lambda: Adam(lr, bounded=bounded),
        "nadam": lambda: NAdam(lr, bounded=bounded),
        "lbfgs": lambda: LBFGS(
            affordable_history(variables.nbytes),
            bounded=bounded,
            halved=is_history_halved(variables.nbytes),
        ),
    }
    return PerSample([makers[name]() for _ in variables])
