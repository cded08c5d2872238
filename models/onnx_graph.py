"""Networks as ONNX models, written node by node from the named stack.

The graph is as readable as the stack, and does not depend on the version of torch: its exporters need further
packages, and trace with a picture of one size. Needs the package onnx.
"""

import json
import math
import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from models.activations import Maxout, ScaledTanh
from models.architectures.ensemble import Ensemble
from models.architectures.lenet import (
    RED_GREEN_BLUE,
    Luminance,
    RadialBasis,
    SparseConv,
    Subsampling,
    class_codes,
)
from models.architectures.resnet import PaddedShortcut
from models.architectures.vgg import PooledLinear
from models.geometry import Block, GlobalAverage, is_whole, window_of
from models.network import Network
from models.operations import BlockTracer
from models.relu import ReLU

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

# Of 2022 and 2023: every runtime in use reads them.
OPSET = 18
IR_VERSION = 9

INPUT = "pictures"
OUTPUTS = ("logits", "probabilities")

Attribute = int | float | Sequence[int]


class NotExportable(ValueError):
    """A network that cannot be written as ONNX; the message is a sentence."""


def to_onnx(network: Network, side: int | None, notes: Mapping[str, str]) -> bytes:
    """A network on the CPU that classifies, as an ONNX model with ``notes`` in its metadata.

    The input ``pictures`` is (N, 3, side, side), or (N, 3, H, W) without a side, RGB in [0, 1]; normalisation
    is part of the model. Outputs are ``logits`` and ``probabilities``, (N, classes): their softmax, at the
    temperature that was measured. Raises NotExportable.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph()
    x = graph.add("Sub", INPUT, graph.constant(_array(network.mean)))
    x = graph.add("Div", x, graph.constant(_array(network.std)))
    logits = graph.stack(network.stack, x, side)
    graph.nodes.append(helper.make_node("Identity", [logits], [OUTPUTS[0]]))
    if network.temperature is not None:
        logits = graph.add("Div", logits, graph.constant(np.float32(network.temperature)))
    graph.nodes.append(helper.make_node("Softmax", [logits], [OUTPUTS[1]], axis=1))
    shape: list[str | int | None] = ["N", 3, "H", "W"] if side is None else ["N", 3, side, side]
    classes = network.layers[-1].channels
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            network.name,
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", classes]) for name in OUTPUTS],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="impasto",
    )
    helper.set_model_props(model, dict(notes))
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def notes_of(network: Network) -> dict[str, str]:
    """What a model tells of its network: texts, and JSON of all that is none."""
    return {
        "name": network.name,
        "source": network.source,
        "sha256": network.sha256,
        "labels": json.dumps(network.classes, ensure_ascii=False),
        "mean": json.dumps(_array(network.mean).flatten().tolist()),
        "std": json.dumps(_array(network.std).flatten().tolist()),
        "input_size": json.dumps(network.input_size),
        "temperature": json.dumps(network.temperature),
        "energy_threshold": json.dumps(network.energy_threshold),
    }


class NeedsSize(NotExportable):
    """A network that takes pictures of one size, and was not told which."""


class _Graph:
    """Nodes in the order that they are computed, and their constants. A value is known by its name."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._count = 0

    def add(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        """Add a node of one output; the name of that."""
        from onnx import helper

        output = self._name()
        node = helper.make_node(op, list(inputs), [output])
        node.attribute.extend(helper.make_attribute(*each) for each in attributes.items())
        self.nodes.append(node)
        return output

    def constant(self, values: NDArray[np.generic] | np.generic) -> str:
        """Add a constant; its name."""
        from onnx import numpy_helper

        name = self._name()
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def stack(self, stack: nn.ModuleDict, x: str, side: int | None) -> str:
        """Add named layers in turn; ``side`` is that of the maps they are given (None: any)."""
        for name, module in stack.items():
            try:
                x = self.module(module, x, side)
            except NotExportable as error:
                raise type(error)(f"Layer {name!r}: {error}") from None
            window = window_of(module)
            if is_whole(module):
                side = None
            elif side is not None and window is not None:
                side = window.output_side(side)
        return x

    def module(self, module: nn.Module, x: str, side: int | None = None) -> str:
        """Add a module. Raises NotExportable."""
        match module:
            case nn.Dropout() | nn.Identity():
                return x
            case ReLU(ceiling=None):
                return self.add("Relu", x)
            case ReLU(ceiling=float(ceiling)):
                return self.add("Clip", x, *(self.constant(np.float32(each)) for each in (0, ceiling)))
            case nn.Sigmoid():
                return self.add("Sigmoid", x)
            case nn.Tanh():
                return self.add("Tanh", x)
            case nn.LeakyReLU():
                return self.add("LeakyRelu", x, alpha=module.negative_slope)
            case nn.ELU():
                return self.add("Elu", x, alpha=module.alpha)
            case ScaledTanh():
                inner = self.add("Tanh", self.add("Mul", x, self.constant(np.float32(2 / 3))))
                return self.add("Mul", inner, self.constant(np.float32(1.7159)))
            case Maxout():
                return self.add("Max", *(self._slice(x, 1, p, module.pieces) for p in range(module.pieces)))
            case nn.LocalResponseNorm():
                sizes = {"size": module.size, "alpha": module.alpha, "beta": module.beta, "bias": module.k}
                return self.add("LRN", x, **sizes)
            case nn.Conv2d():
                return self._conv(module, x)
            case nn.MaxPool2d():
                return self.add("MaxPool", x, **_pool(module), ceil_mode=int(module.ceil_mode))
            case nn.AvgPool2d():
                return self._average_pool(module, x)
            case nn.LPPool2d() if module.norm_type == 2:
                return self.add("LpPool", x, p=2, **_pool(module), ceil_mode=int(module.ceil_mode))
            case GlobalAverage():
                return self.add("Flatten", self.add("GlobalAveragePool", x))
            case PooledLinear():
                return self._linear(module, self.add("Flatten", self._grid(module.grid, x, side)))
            case nn.Linear():
                return self._linear(module, x)
            case Luminance():
                weights = np.array(RED_GREEN_BLUE, np.float32).reshape(1, 3, 1, 1)
                return self.add("Conv", x, self.constant(weights))
            case Subsampling():
                weight = module.weight.detach().view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
                given = (x, *self._tensors(weight, module.bias))
                return self.add("Conv", *given, kernel_shape=[2, 2], strides=[2, 2], group=len(weight))
            case SparseConv():
                return self._sparse_conv(module, x)
            case RadialBasis():
                codes = self.constant(class_codes(module.channels, module.units)[None])
                apart = self.add("Sub", self.add("Unsqueeze", x, self._axis(1)), codes)
                squares = self.add("Mul", apart, apart)
                distances = self.add("ReduceSum", squares, self._axis(2), keepdims=0)
                return self.add("Mul", distances, self.constant(np.float32(-0.5)))
            case PaddedShortcut():
                return self._padded_shortcut(module, x)
            case Ensemble():
                return self._ensemble(module, x, side)
            case Block():
                return self._block(module, x)
            case _:
                raise NotExportable(f"a {type(module).__name__} has no counterpart in ONNX here.")

    def _tensors(self, *tensors: Tensor | None) -> list[str]:
        return [self.constant(_array(tensor)) for tensor in tensors if tensor is not None]

    def _axis(self, axis: int) -> str:
        return self.constant(np.array([axis], np.int64))

    def _slice(self, x: str, axis: int, start: int, step: int) -> str:
        """Every ``step``-th entry along an axis."""
        ends = (start, np.iinfo(np.int64).max, axis, step)
        return self.add("Slice", x, *(self._axis(int(each)) for each in ends))

    def _conv(self, module: nn.Conv2d, x: str) -> str:
        window = window_of(module)
        if window is None or module.padding_mode != "zeros":
            raise NotExportable(f"padding {module.padding_mode!r} is not written.")
        return self.add(
            "Conv",
            x,
            *self._tensors(module.weight, module.bias),
            kernel_shape=module.kernel_size,
            strides=module.stride,
            pads=[window.padding] * 2 + [window.after] * 2,
            group=module.groups,
        )

    def _average_pool(self, module: nn.AvgPool2d, x: str) -> str:
        sizes = _pool(module)
        own = {"ceil_mode": int(module.ceil_mode), "count_include_pad": int(module.count_include_pad)}
        mean = self.add("AveragePool", x, **sizes, **own)
        if module.divisor_override is None:
            return mean
        factor = math.prod(sizes["kernel_shape"]) / module.divisor_override
        return self.add("Mul", mean, self.constant(np.float32(factor)))

    def _grid(self, grid: int, x: str, side: int | None) -> str:
        """Maps averaged to ``grid`` positions a side, as torch's adaptive pooling does."""
        if side == grid:
            return x
        if grid == 1:
            return self.add("GlobalAveragePool", x)
        if side is None:
            raise NeedsSize("it takes pictures of one size.")
        # Along one side it is a product with a matrix: the means of the unit vectors.
        means = _array(F.adaptive_avg_pool1d(torch.eye(side), grid))
        return self.add("MatMul", self.constant(means.T), self.add("MatMul", x, self.constant(means)))

    def _linear(self, module: nn.Linear, x: str) -> str:
        return self.add("Gemm", x, *self._tensors(module.weight, module.bias), transB=1)

    def _sparse_conv(self, module: SparseConv, x: str) -> str:
        """One convolution of all maps, with weights of zero where a map does not see another."""
        maps = cast(Sequence[nn.Conv2d], module.maps)
        channels = 1 + max(max(seen) for seen in module.sources)
        weight = torch.zeros(len(maps), channels, *maps[0].kernel_size)
        for place, (conv, seen) in enumerate(zip(maps, module.sources, strict=True)):
            weight[place, seen] = conv.weight[0].detach()
        biases = [conv.bias for conv in maps if conv.bias is not None]
        return self.add("Conv", x, *self._tensors(weight, torch.cat(biases)))

    def _padded_shortcut(self, module: PaddedShortcut, x: str) -> str:
        kept = self._slice(self._slice(x, 2, 0, module.stride), 3, 0, module.stride)
        pads = [0, 0, 0, 0, 0, module.channels - module.in_channels, 0, 0]
        return self.add("Pad", kept, self.constant(np.array(pads, np.int64)))

    def _ensemble(self, module: Ensemble, x: str, side: int | None) -> str:
        logarithms = [
            self.add(
                "Unsqueeze",
                self.add("LogSoftmax", self.stack(cast(nn.ModuleDict, member), x, side), axis=1),
                self._axis(0),
            )
            for member in module.members
        ]
        joined = self.add("Concat", *logarithms, axis=0)
        summed = self.add("ReduceLogSumExp", joined, self._axis(0), keepdims=0)
        return self.add("Sub", summed, self.constant(np.float32(math.log(len(logarithms)))))

    def _block(self, block: Block, x: str) -> str:
        """Add the modules and functions of a block."""
        values: dict[fx.Node, str] = {}
        for node in BlockTracer().trace(block).nodes:
            match node.op:
                case "placeholder":
                    values[node] = x
                case "output":
                    return values[node.args[0]]
                case "call_module":
                    values[node] = self.module(block.get_submodule(str(node.target)), values[node.args[0]])
                case "call_function":
                    values[node] = self._function(node, values)
                case _:
                    raise NotExportable(f"{node.name} of a {type(block).__name__} is not written.")
        raise NotExportable("it has no output.")

    def _function(self, node: fx.Node, values: Mapping[fx.Node, str]) -> str:
        match node.args:
            case [[*parts], 1] if node.target is torch.cat:
                return self.add("Concat", *(values[cast(fx.Node, each)] for each in parts), axis=1)
            case [fx.Node() as one, fx.Node() as other] if node.target in (operator.add, torch.add):
                return self.add("Add", values[one], values[other])
            case [fx.Node() as one, int(size)] if node.target is F.max_pool2d:
                sides: dict[str, Any] = dict(node.kwargs)
                return self.module(nn.MaxPool2d(size, **sides), values[one])
            case _:
                raise NotExportable(f"the function {node.name} is not written.")


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().to("cpu", torch.float32).contiguous().numpy()
    return array


def _pool(module: nn.MaxPool2d | nn.AvgPool2d | nn.LPPool2d) -> dict[str, list[int]]:
    window = window_of(module)
    if window is None:
        raise NotExportable("a pool without a window is not written.")
    return {
        "kernel_shape": [window.size] * 2,
        "strides": [window.stride] * 2,
        "pads": [window.padding] * 2 + [window.after] * 2,
    }
