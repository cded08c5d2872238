"""What a network's layers cost: multiply-adds, and numbers to keep for a gradient.

Counted while the real modules run, without values, on the meta device.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from models.network import Network
from models.relu import ReLU

# Side of the picture of a network that takes any size, in pixels.
USUAL_SIDE = 224

META = torch.device("meta")


@dataclass(frozen=True)
class Cost:
    """The cost of one layer for one picture.

    ``multiply_adds`` are those of convolutions and fully connected layers, without biases; ``numbers`` count
    what is written to memory of its own, so not what a ReLU overwrites; ``shape`` is that of the output
    without the batch, (channels, h, w) or (channels,).
    """

    multiply_adds: int
    numbers: int
    shape: tuple[int, ...]


def layer_costs(
    network: Network, height: int, width: int, layers: Collection[str] | None = None
) -> dict[str, Cost]:
    """The cost of each layer for a picture of ``height`` by ``width`` px, to the deepest of ``layers``."""
    costs: dict[str, Cost] = {}
    missing = set(network.stack if layers is None else layers)
    x = torch.empty(1, 3, height, width, device=META, dtype=network.dtype)
    for name, module in network.stack.items():
        if not missing:
            break
        weights = {key: torch.empty_like(weight, device=META) for key, weight in module.state_dict().items()}
        with torch.no_grad(), _Counter() as counter:
            x = functional_call(module, weights, (x,), {"inplace": True} if isinstance(module, ReLU) else {})
        costs[name] = Cost(counter.multiply_adds, counter.numbers, tuple(x.shape[1:]))
        missing.discard(name)
    return costs


def multiply_adds(network: Network) -> int:
    """Multiply-adds of the whole network for a picture of the size that it classifies, or USUAL_SIDE."""
    side = network.input_size or USUAL_SIDE
    return sum(cost.multiply_adds for cost in layer_costs(network, side, side).values())


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what the operators in its context do."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.multiply_adds = 0
        self.numbers = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        given = _storages((args, kwargs))
        self.numbers += sum(size for key, size in _storages(made).items() if key not in given)
        if func is torch.ops.aten.convolution.default:
            self.multiply_adds += made.numel() * args[1][0].numel()
        elif func in (torch.ops.aten.addmm.default, torch.ops.aten.mm.default):
            self.multiply_adds += made.numel() * args[-2].shape[-1]
        return made


def _storages(tree: Any) -> dict[int, int]:
    """The memory of the tensors in nested values, each once, with how many numbers it holds."""
    tensors = [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
    return {each.untyped_storage()._cdata: each.numel() for each in tensors}
