"""Optimizers by name."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from worker.optim.optimizers.adam import Adam, NAdam
from worker.optim.optimizers.base import Optimizer
from worker.optim.optimizers.gradient import NormalizedGradient
from worker.optim.optimizers.lbfgs import LBFGS, affordable_history
from worker.optim.optimizers.per_sample import PerSample

OptimizerName = Literal["gradient", "adam", "nadam", "lbfgs"]


def make_optimizer(name: OptimizerName, lr: float, variables: Tensor, *, bounded: bool) -> Optimizer:
    """An optimizer for a batch of variables (N, ...), each on its own; clamped to [0, 1] if ``bounded``.

    ``lr`` is the usual change of a value in a step. L-BFGS ignores it: its steps follow from the curvature.
    """
    makers: dict[OptimizerName, Callable[[], Optimizer]] = {
        "gradient": lambda: NormalizedGradient(lr, bounded=bounded),
        "adam": lambda: Adam(lr, bounded=bounded),
        "nadam": lambda: NAdam(lr, bounded=bounded),
        "lbfgs": lambda: LBFGS(affordable_history(variables), bounded=bounded),
    }
    return PerSample([makers[name]() for _ in variables])
