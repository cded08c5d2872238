"""What every optimizer can do, and how their states nest."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from worker.contract.steps import StepState


class Optimizer(Protocol):
    """Minimises a loss of which it sees one gradient a step. To maximise, negate the gradient."""

    @abstractmethod
    def step(self, variables: Tensor, gradient: Tensor) -> Tensor:
        """The next variables, from these and the loss's gradient at them (same shapes)."""

    @abstractmethod
    def restart(self, damping: float) -> None:
        """Forget all earlier steps, and multiply the learning rate by ``damping``."""

    @abstractmethod
    def state(self) -> StepState:
        """All that :meth:`restore` needs: tensors and JSON."""

    @abstractmethod
    def restore(self, state: StepState) -> None:
        """Go on from a :meth:`state`, bit for bit."""


class ConstantStep(Optimizer):
    """An optimizer with steps of constant length, which is all that it remembers."""

    def __init__(self, lr: float) -> None:
        self.lr = lr

    def restart(self, damping: float) -> None:
        self.lr *= damping

    def state(self) -> StepState:
        return StepState({}, {"lr": self.lr})

    def restore(self, state: StepState) -> None:
        self.lr = state.values["lr"]


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with ``prefix`` before each name: the state of a part, within that of the whole."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it: the inverse of :func:`with_prefix`."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
