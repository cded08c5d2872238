"""Independent optimizers for the samples of a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from worker.contract.steps import State
from worker.optim.optimizers.base import Optimizer, under_prefix, with_prefix


class PerSample:
    """An optimizer for each sample of a batch, so that no sample influences another."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        """One optimizer for each sample, in order."""
        self.optimizers = optimizers

    def step(self, variables: Tensor, gradient: Tensor) -> Tensor:
        """The next batch (N, ...), from this one and the loss's gradient at it (same shapes)."""
        samples = zip(self.optimizers, torch.split(variables, 1), torch.split(gradient, 1), strict=True)
        return torch.cat([optimizer.step(each, slope) for optimizer, each, slope in samples])

    def restart(self, damping: float) -> None:
        """Restart each."""
        for optimizer in self.optimizers:
            optimizer.restart(damping)

    def state(self) -> State:
        """All that :meth:`restore` needs."""
        states = [optimizer.state() for optimizer in self.optimizers]
        tensors: dict[str, Tensor] = {}
        for index, state in enumerate(states):
            tensors |= with_prefix(f"{index}.", state.tensors)
        return State(tensors, {"samples": [state.values for state in states]})

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        samples = zip(self.optimizers, state.values["samples"], strict=True)
        for index, (optimizer, values) in enumerate(samples):
            optimizer.restore(State(under_prefix(f"{index}.", state.tensors), values))
