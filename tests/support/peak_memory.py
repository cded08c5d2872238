"""The memory that tensors take, counted by the operators that make them."""

import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from tests.support.operators import Operators


class PeakMemory(Operators):
    """``peak`` is the most bytes that the tensors made in this context took at once.

    Views count once, and what operators take for themselves not at all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._holders: Counter[int] = Counter()

    def run(self, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What an operator comes to."""
        given = {_storage(each)[0] for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)}
        made = func(*args, **kwargs)
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                address, size = _storage(tensor)
                if address in given and not self._holders[address]:
                    continue
                self._now += 0 if self._holders[address] else size
                self._holders[address] += 1
                weakref.finalize(tensor, self._drop, address, size)
        self.peak = max(self.peak, self._now)
        return made

    def _drop(self, address: int, size: int) -> None:
        self._holders[address] -= 1
        if not self._holders[address]:
            self._now -= size


def _storage(tensor: Tensor) -> tuple[int, int]:
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.nbytes()
