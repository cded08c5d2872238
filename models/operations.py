"""A network as a list of operations on maps, those inside of its blocks included."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from models.geometry import Block, OwnLayer, Window, is_positionwise, window_of
from models.network import Network
from models.relu import ReLU

OperationKind = Literal["input", "window", "position", "concatenate", "add", "whole"]


@dataclass(frozen=True)
class Operation:
    """One operation, and the places in the list of those whose results it reads.

    ``input`` is the normalized picture; ``window`` sees a :class:`Window` of its input, padded with
    ``pad_value``; ``position`` works position by position; ``concatenate`` and ``add`` join maps of one size;
    ``whole`` may see all of its input.
    """

    name: str
    kind: OperationKind
    inputs: tuple[int, ...] = ()
    module: nn.Module | None = None
    window: Window | None = None
    pad_value: float = 0.0

    def __call__(self, inputs: Sequence[Tensor], *, overwrite: bool = False) -> Tensor:
        """The result of whole maps (N, C, h, w); ``overwrite`` allows a ReLU to overwrite its input."""
        if self.kind == "concatenate":
            return torch.cat(list(inputs), 1)
        if self.kind == "add":
            return inputs[0] + inputs[1]
        if self.module is None:
            raise TypeError(f"{self.name} computes nothing")
        (x,) = inputs
        result: Tensor = (
            self.module(x, inplace=overwrite) if isinstance(self.module, ReLU) else self.module(x)
        )
        return result


def operations_of(network: Network) -> list[Operation]:
    """The operations from the normalized picture to the last layer, in the order they are computed.

    What does nothing, such as dropout, is left out.
    """
    made = [Operation("input", "input")]
    place = 0
    for name, module in network.stack.items():
        inner = _trace(name, module, place, len(made)) if isinstance(module, Block) else None
        if inner is not None:
            made.extend(inner)
            place = len(made) - 1
        elif not _is_idle(module):
            made.append(_operation(name, module, place))
            place = len(made) - 1
    return made


def _operation(name: str, module: nn.Module, source: int) -> Operation:
    """The operation of a module that reads one result."""
    if is_positionwise(module):
        return Operation(name, "position", (source,), module)
    if _is_local(module):
        value = float("-inf") if isinstance(module, nn.MaxPool2d) else 0.0
        return Operation(name, "window", (source,), module, window_of(module), value)
    return Operation(name, "whole", (source,), module)


def _is_idle(module: nn.Module) -> bool:
    return isinstance(module, nn.Dropout | nn.Identity)


def _is_local(module: nn.Module) -> bool:
    """Whether a module is a convolution or a pool whose padding is one value everywhere."""
    if isinstance(module, nn.Conv2d):
        return module.padding_mode == "zeros" and module.dilation == (1, 1)
    if isinstance(module, nn.MaxPool2d | nn.LPPool2d):
        return True
    if isinstance(module, OwnLayer):
        return module.window is not None and not isinstance(module, Block)
    # Elsewhere the mean at the edge is over fewer values, and depends on where the edge is.
    return isinstance(module, nn.AvgPool2d) and module.padding in (0, (0, 0)) and not module.ceil_mode


class BlockTracer(fx.Tracer):
    """Finds the modules and functions in a block, whose own modules it does not look into."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Look into nothing but blocks."""
        del module_qualified_name
        return not isinstance(m, Block)


def _trace(name: str, block: Block, source: int, first: int) -> list[Operation] | None:
    """The operations of a block, whose places begin at ``first``; None if it does what has no kind here."""
    graph = BlockTracer().trace(block)
    places: dict[fx.Node, int] = {}
    made: list[Operation] = []
    for node in graph.nodes:
        if node.op == "placeholder":
            places[node] = source
        elif node.op == "output":
            # What is last is the result of the block.
            return made if places.get(node.args[0]) == first + len(made) - 1 else None
        elif node.op == "call_module":
            module, place = block.get_submodule(str(node.target)), places[node.args[0]]
            if not _is_idle(module):
                made.append(_operation(f"{name}.{node.name}", module, place))
                place = first + len(made) - 1
            places[node] = place
        else:
            joined = _joined(node)
            if joined is None:
                return None
            kind, parts = joined
            inputs = tuple(places[each] for each in parts)
            made.append(Operation(f"{name}.{node.name}", kind, inputs))
            places[node] = first + len(made) - 1
    return None


def _joined(node: fx.Node) -> tuple[OperationKind, Sequence[fx.Node]] | None:
    """What a function call joins, if it is a concatenation of channels or a sum of two maps."""
    args: tuple[Any, ...] = node.args
    if node.target is torch.cat and (args[1:] == (1,) or node.kwargs == {"dim": 1}):
        return "concatenate", args[0]
    if node.target in (operator.add, operator.iadd, torch.add) and not node.kwargs:
        return ("add", args) if all(isinstance(each, fx.Node) for each in args) else None
    return None
