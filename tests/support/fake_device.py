"""A device that computes nothing: torch's ``meta``, with reads that answer 1 instead of failing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental import _config
from torch.utils._pytree import tree_leaves

from tests.support.operators import Operators

DEVICE = torch.device("meta")
COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class FakeDevice(Operators):
    """Fails when an operator gets tensors of two devices, or makes float64 on the device, as MPS would.

    On ``meta`` alone neither is an error. What is read from the device, a number or a copy, is 1, and nothing
    there is found nonzero. Tensors without dimensions count as numbers, which every device takes from the
    CPU. ``copied`` counts the bytes of what was copied to the CPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copied = 0

    def run(self, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What an operator comes to."""
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if func is torch.ops.aten._local_scalar_dense.default and given[0].device == DEVICE:
            return torch.ones((), dtype=given[0].dtype).item()
        if func is torch.ops.aten.nonzero.default and given[0].device == DEVICE:
            return torch.empty(0, given[0].dim(), dtype=torch.int64, device=DEVICE)
        if func is torch.ops.aten._to_copy.default and given[0].device == DEVICE:
            dtype = kwargs.get("dtype") or given[0].dtype
            # MPS converts before it copies, so that it has to have the dtype.
            require_float32(func, [torch.empty(0, dtype=dtype, device=DEVICE)])
            if kwargs.get("device") == torch.device("cpu"):
                copy = torch.ones(given[0].shape, dtype=dtype)
                self.copied += copy.nbytes
                return copy
        if func is torch.ops.aten.copy_.default and [each.device.type for each in given] == ["cpu", "meta"]:
            self.copied += args[0].nbytes
            return args[0].fill_(1)
        devices = {each.device.type for each in given if each.dim()}
        if func not in COPIES and len(devices) > 1:
            raise AssertionError(f"{func} got tensors of {sorted(devices)}: {[each.shape for each in given]}")
        # Masks say of meta's elements that all of them are meant.
        with _config.patch(meta_nonzero_assume_all_nonzero=True):
            made = func(*args, **kwargs)
        require_float32(func, [leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)])
        return made


def require_float32(func: Callable[..., Any], tensors: Sequence[Tensor]) -> None:
    """Fail if there is float64 on the device."""
    if any(each.device == DEVICE and each.dtype == torch.float64 for each in tensors):
        raise AssertionError(f"{func} made float64 on the device, which MPS does not have")
