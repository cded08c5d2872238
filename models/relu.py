"""ReLU and ReLU6 with a replaceable backward, as guided backpropagation and deconvnets need it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BackwardRule = Callable[[Tensor, Tensor], Tensor]
"""(gradient of the output, gradient of the input as it is without the rule) -> gradient of the input."""

_rule: ContextVar[BackwardRule | None] = ContextVar("relu_backward_rule", default=None)


class ReLU(nn.Module):
    """max(x, 0), or min(max(x, 0), ``ceiling``) if there is one."""

    ceiling: ClassVar[float | None] = None

    def forward(self, input: Tensor, inplace: bool = False) -> Tensor:
        """The rectified input, which may overwrite it if ``inplace``."""
        rule = _rule.get()
        if rule is not None:
            rectified: Tensor = _Rectified.apply(input, self.ceiling, rule)  # type: ignore[no-untyped-call]
            return rectified
        if self.ceiling is None:
            return F.relu(input, inplace)
        return F.hardtanh(input, 0.0, self.ceiling, inplace)


class ReLU6(ReLU):
    """min(max(x, 0), 6): Howard et al., "MobileNets", 2017, after Krizhevsky 2010."""

    ceiling = 6.0


@contextmanager
def relu_backward(rule: BackwardRule) -> Iterator[None]:
    """Within this context every :class:`ReLU`, of any network, has ``rule`` as its backward.

    The rule applies to the backward of what was computed in the context, even if it is called afterwards.
    """
    token = _rule.set(rule)
    try:
        yield
    finally:
        _rule.reset(token)


def guided(of_output: Tensor, of_input: Tensor) -> Tensor:
    """Guided backpropagation: the gradient of the input where it is positive.

    Springenberg, Dosovitskiy, Brox, Riedmiller, "Striving for simplicity: the all convolutional net", ICLR
    workshop 2015, section 3.4.
    """
    del of_output
    return of_input.clamp_min(0)


def deconvnet(of_output: Tensor, of_input: Tensor) -> Tensor:
    """The gradient of the output where it is positive, whatever the input was.

    Zeiler, Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 2.1.
    """
    del of_input
    return of_output.clamp_min(0)


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, ceiling: float | None, rule: BackwardRule) -> Tensor:
        output = input.clamp(0, ceiling)
        ctx.save_for_backward(output)
        ctx.ceiling, ctx.rule = ceiling, rule
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (output,) = ctx.saved_tensors
        passed = output > 0 if ctx.ceiling is None else (output > 0) & (output < ctx.ceiling)
        return ctx.rule(gradient, torch.where(passed, gradient, 0.0)), None, None
