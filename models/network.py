"""The interface of all networks: named layers, normalisation, provenance."""

import copy
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor, nn

from models.geometry import (
    ACTIVATION_MODULES,
    GlobalAverage,
    Kind,
    OwnLayer,
    Window,
    input_side,
    is_whole,
    window_of,
)
from models.relu import ReLU
from models.views import VIEWS

Pooling = Literal["average", "max"]
POOLS: dict[Pooling, type[nn.AvgPool2d] | type[nn.MaxPool2d]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


@dataclass(frozen=True)
class Layer:
    """A named layer: one module of the stack, with its stride and receptive field.

    ``stride`` and ``receptive_field`` are in pixels of the picture. Both are 0 from the first fully connected
    layer, or mean over all positions, on: there one position sees the whole picture.
    """

    name: str
    kind: Kind
    channels: int
    stride: int
    receptive_field: int


class Network(nn.Module):
    """A stack of named layers that takes RGB pictures in [0, 1] and does its own normalisation.

    The weights are frozen and the modules are in eval mode. Networks share their weights
    (:meth:`with_pooling`, the registry's cache), so do not move one with ``to``: ask for a copy with
    :meth:`prepared`.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        stack: Mapping[str, nn.Module],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        source: str,
        classes: Sequence[str] = (),
        input_size: int | None = None,
        temperature: float | None = None,
        energy_threshold: float | None = None,
    ) -> None:
        """Wrap ``stack``, the modules by layer name from the picture to the output.

        ``mean`` and ``std`` (3 numbers each, of RGB in [0, 1]) normalise the picture; ``source`` says
        where the weights come from, and their licence; ``classes`` are the names of the outputs of
        the layer ``logits``; ``input_size`` is the side of the square it classifies, None: any;
        ``temperature`` divides the logits where their softmax is to be a probability (None: nobody has
        measured it), and a picture whose energy at it is above ``energy_threshold`` has none of the classes
        (None: no threshold was measured).
        """
        super().__init__()
        self.name = name
        self.source = source
        self.classes = tuple(classes)
        self.input_size = input_size
        self.temperature = temperature
        self.energy_threshold = energy_threshold
        self.stack = nn.ModuleDict(stack)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.layers = describe_layers(stack)
        self.view = "picture"
        self._views: dict[str, Self] = {}
        self._sha256: str | None = None
        self.requires_grad_(False)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of weights and activations."""
        return next(self.parameters()).dtype

    @property
    def sha256(self) -> str:
        """Hash of the weights: of each name, shape and little-endian float32 bytes, sorted by name.

        A copy made by :meth:`prepared` keeps the hash of what it was copied from, whatever its dtype.
        """
        if self._sha256 is None:
            self._sha256 = hash_weights(self.stack.state_dict())
        return self._sha256

    def features(self, pictures: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """The activations of the named layers, in the order of the stack.

        ``pictures`` is (N, 3, H, W), RGB in [0, 1]. It is normalised in float32 (or better), then cast
        to the network's dtype; nothing beyond the last layer asked for is computed. Activations are
        (N, channels, h, w), or (N, channels) from the first fully connected layer on.

        Raises KeyError for an unknown layer, ValueError for a picture of another shape or one that is too
        small for the layers.
        """
        self._check(pictures, layers)
        seen = pictures if self.view == "picture" else VIEWS[self.view](pictures)
        x = ((seen - self.mean) / self.std).to(self.dtype)
        return self._run(x, list(self.stack), layers, {})

    def features_from(self, layer: str, activations: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """The activations of the named layers behind ``layer``, in the order of the stack.

        ``activations`` are those of ``layer``, which may be asked for too; they are not overwritten. Raises
        KeyError for an unknown layer, ValueError for one before ``layer``.
        """
        self._require((layer, *layers))
        names = list(self.stack)
        behind = names[names.index(layer) + 1 :]
        earlier = [name for name in layers if name not in (layer, *behind)]
        if earlier:
            raise ValueError(f"layer {earlier[0]!r} of network {self.name!r} is before {layer!r}")
        # As one that was found already: a ReLU behind it may not overwrite it.
        found = self._run(
            activations.to(self.dtype), behind, {*layers} - {layer}, {layer: activations}, layer
        )
        return {name: found[name] for name in names if name in layers}

    def logits(self, pictures: Tensor) -> Tensor:
        """The scores of the classes before the softmax, (N, classes). Raises ValueError if there are none."""
        if "logits" not in self.stack:
            raise ValueError(f"network {self.name!r} cannot classify: it has no layer 'logits'")
        return self.features(pictures, ("logits",))["logits"]

    def minimum_side(self, layers: Collection[str]) -> int:
        """The smallest short side in pixels that leaves each of the layers at least one position.

        Raises KeyError for an unknown layer.
        """
        self._require(layers)
        modules = dict(self.stack.items())
        deepest = max((place for place, name in enumerate(modules) if name in layers), default=-1)
        return input_side(list(modules.values())[: deepest + 1])

    def window(self, layer: str) -> Window | None:
        """The pixels that a position of a layer sees, padding included; None: it sees the whole picture.

        Raises KeyError for an unknown layer.
        """
        self._require((layer,))
        seen = Window(1, 1, 0)
        for name, module in self.stack.items():
            if is_whole(module):
                return None
            window = window_of(module)
            seen = seen if window is None else seen.then(window)
            if name == layer:
                break
        return seen

    def pre_activation(self, layer: str) -> str:
        """The convolution, or fully connected layer, whose ReLU is ``layer``; any other layer as it is.

        For a mean over all positions of a ReLU, the layer before that ReLU: it has the same channels.
        """
        self._require((layer,))
        names = list(self.stack)
        place = names.index(layer)
        if isinstance(self.stack[layer], GlobalAverage) and place > 0 and self._is_relu(names[place - 1]):
            place -= 1
        before = self.stack[names[place - 1]] if place > 0 else None
        if self._is_relu(names[place]) and isinstance(before, nn.Conv2d | nn.Linear):
            return names[place - 1]
        return layer

    def with_pooling(self, pooling: Pooling) -> Self:
        """This network with average or max pooling, on the same weights.

        Average pooling is what Gatys, Ecker and Bethge (2016, section 2) prefer for synthesis.
        """
        stack = nn.ModuleDict({name: _repool(module, pooling) for name, module in self.stack.items()})
        network = self._like(stack)
        network._sha256 = self._sha256
        return network

    def of_view(self, view: str) -> Self:
        """This network with another ``view`` of pictures (:data:`models.views.VIEWS`), on the same weights.

        Always the same object. Raises KeyError for an unknown view, ValueError if it has a view already.
        """
        if view == self.view:
            return self
        if self.view != "picture":
            raise ValueError(f"network {self.name!r} sees the {self.view} of pictures already")
        if view not in VIEWS:
            raise KeyError(f"there is no view {view!r} of a picture; there are picture, {', '.join(VIEWS)}")
        if view not in self._views:
            network = self._like(self.stack)
            network.view, network._sha256 = view, self.sha256
            # Of two threads the first one's counts.
            self._views.setdefault(view, network)
        return self._views[view]

    def with_weights(self, weights: Mapping[str, Tensor]) -> Self:
        """This network with other weights, by name (``conv1_1.weight``); they are not copied."""
        stack = copy.deepcopy(self.stack)
        stack.load_state_dict(weights, assign=True)
        return self._like(stack)

    def prepared(self, device: torch.device, dtype: torch.dtype) -> Self:
        """A copy on ``device`` that computes in ``dtype``, with channels-last weights.

        Mean and std stay float32 (float64 for float64), so a bfloat16 network sees a picture that was
        rounded once, after its normalisation.
        """
        stack = copy.deepcopy(self.stack).to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network = self._like(stack)
        network._sha256 = self.sha256
        precise = torch.promote_types(dtype, torch.float32)
        network.mean = self.mean.to(device, precise)
        network.std = self.std.to(device, precise)
        return network

    def _run(
        self,
        x: Tensor,
        names: Sequence[str],
        layers: Collection[str],
        found: dict[str, Tensor],
        before: str = "",
    ) -> dict[str, Tensor]:
        """``found`` and the ``layers``, from what the layers of ``names`` in turn make of ``x``."""
        missing = set(layers)
        for name in names:
            if not missing:
                break
            module = self.stack[name]
            # A ReLU may overwrite its input, unless that was asked for too.
            x = module(x, inplace=before not in found) if isinstance(module, ReLU) else module(x)
            if name in missing:
                missing.remove(name)
                found[name] = x
            before = name
        return found

    def _like(self, stack: nn.ModuleDict) -> Self:
        """The same network with another stack."""
        network = type(self)(
            self.name,
            dict(stack.items()),
            mean=self.mean.flatten().tolist(),
            std=self.std.flatten().tolist(),
            source=self.source,
            classes=self.classes,
            input_size=self.input_size,
            temperature=self.temperature,
            energy_threshold=self.energy_threshold,
        )
        network.mean, network.std, network.view = self.mean, self.std, self.view
        return network

    def _is_relu(self, layer: str) -> bool:
        return isinstance(self.stack[layer], ReLU)

    def _require(self, layers: Collection[str]) -> None:
        unknown = [name for name in layers if name not in self.stack]
        if unknown:
            there = ", ".join(self.stack)
            raise KeyError(f"network {self.name!r} has no layer {unknown[0]!r}; it has {there}")

    def _check(self, pictures: Tensor, layers: Collection[str]) -> None:
        self._require(layers)
        if pictures.dim() != 4 or pictures.shape[1] != 3:
            raise ValueError(f"pictures must be (N, 3, H, W), not {tuple(pictures.shape)}")
        height, width = pictures.shape[2:]
        smallest = self.minimum_side(layers)
        if min(height, width) < smallest:
            deepest = [name for name in self.stack if name in layers][-1]
            raise ValueError(
                f"a picture of {width}×{height} px is too small for layer {deepest!r} of network "
                f"{self.name!r}: its short side must be at least {smallest} px"
            )


def hash_weights(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights by name, independent of order, device, layout and byte order."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = weights[name].detach().to("cpu", torch.float32).contiguous().numpy()
        digest.update(f"{name} {'x'.join(map(str, array.shape))}\n".encode())
        digest.update(array.astype("<f4", copy=False).tobytes())
    return digest.hexdigest()


def describe_layers(stack: Mapping[str, nn.Module]) -> tuple[Layer, ...]:
    """What is known of the layers of a stack that takes RGB, in their order.

    Raises TypeError for a module that no Network can have.
    """
    layers = []
    channels, seen = 3, Window(1, 1, 0)
    for name, module in stack.items():
        kind = _kind(name, module)
        window = window_of(module)
        channels = _channels(module, channels)
        if is_whole(module):
            seen = Window(0, 0, 0)
        if window is not None:
            seen = seen.then(window)
        layers.append(Layer(name, kind, channels, seen.stride, seen.size))
    return tuple(layers)


def _channels(module: nn.Module, before: int) -> int:
    match module:
        case nn.Conv2d():
            return module.out_channels
        case nn.Linear():
            return module.out_features
        case OwnLayer(channels=int(own)):
            return own
        case _:
            return before


def _kind(name: str, module: nn.Module) -> Kind:
    if name == "logits" and is_whole(module):
        return "logits"
    match module:
        case nn.Conv2d():
            return "conv"
        case ReLU():
            return "relu"
        case _ if isinstance(module, ACTIVATION_MODULES):
            return "activation"
        case nn.MaxPool2d() | nn.AvgPool2d() | nn.LPPool2d():
            return "pool"
        case nn.LocalResponseNorm():
            return "norm"
        case nn.Dropout():
            return "dropout"
        case nn.Linear():
            return "fc"
        case OwnLayer():
            return module.kind
        case _:
            raise TypeError(f"layer {name!r} is a {type(module).__name__}, which a Network cannot describe")


def _repool(module: nn.Module, pooling: Pooling) -> nn.Module:
    if not isinstance(module, nn.MaxPool2d | nn.AvgPool2d | nn.LPPool2d):
        return module
    if pooling not in POOLS:
        raise ValueError(f"pooling must be 'average' or 'max', not {pooling!r}")
    padding = 0 if isinstance(module, nn.LPPool2d) else module.padding
    return POOLS[pooling](module.kernel_size, module.stride, padding, ceil_mode=module.ceil_mode)
