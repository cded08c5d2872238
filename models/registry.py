"""The shipped networks by name, and any other from its card and weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from models.architectures import build_stack
from models.efficientnet import efficientnet_lite0
from models.imagenet import CLASSES, PUBLISHED, WeightsMissing, load_imagenet, version_of
from models.network import Network, Pooling
from models.palette import palette
from models.random_vgg import vgg19_random


@dataclass(frozen=True)
class Entry:
    """A shipped network: its title and summary, how its stack is built, and what loads it.

    ``load`` is given the folder of weights, if there is one, to keep there what it converts;
    ``has_norms`` says that each convolution was trained with a batch norm behind it, which is folded here.
    """

    title: str
    summary: str
    architecture: str
    architecture_params: dict[str, Any]
    load: Callable[[Path | None], Network]
    has_norms: bool = False


ENTRIES: dict[str, Entry] = {
    "palette": Entry(
        title="palette",
        summary="Ours: trained on 64 classes of drawn pictures; paints, dreams and names what it sees.",
        architecture="palette",
        architecture_params={"classes": 64},
        load=lambda folder: palette(),
    ),
    "vgg19-random": Entry(
        title="VGG-19, random weights",
        summary="VGG-19's convolutions at half width, never trained: carries texture and color only.",
        architecture="vgg",
        architecture_params={"depth": 19, "width": 0.5, "pooling": "average"},
        load=lambda folder: vgg19_random(),
    ),
    "efficientnet_lite0": Entry(
        title="EfficientNet-Lite0, ImageNet",
        summary="Trained on photographs, and here without a download: names 1000 classes of things.",
        architecture="efficientnet_lite0",
        architecture_params={"classes": CLASSES},
        load=efficientnet_lite0,
        has_norms=True,
    ),
}


class LayerDescription(Protocol):
    """A layer as a card describes it, with the attributes of :class:`models.network.Layer`."""

    @property
    def name(self) -> str: ...


class Description(Protocol):
    """The part of a card that is needed to build its network."""

    @property
    def name(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def architecture_params(self) -> Mapping[str, Any]: ...
    @property
    def layers(self) -> Sequence[LayerDescription]: ...
    @property
    def classes(self) -> Sequence[str]: ...
    @property
    def input_size(self) -> int | None: ...
    @property
    def temperature(self) -> float | None: ...
    @property
    def energy_threshold(self) -> float | None: ...
    @property
    def mean(self) -> Sequence[float]: ...
    @property
    def std(self) -> Sequence[float]: ...
    @property
    def source(self) -> str: ...


class CardMismatch(ValueError):
    """A card does not match the architecture that it names, or the weights."""


def build_skeleton(card: Description) -> Network:
    """The network of a card without weights, on the meta device.

    It has the layers of the card, which may end before those of its architecture. Raises CardMismatch.
    """
    try:
        whole = build_stack(card.architecture, card.architecture_params)
    except ValueError as error:
        raise CardMismatch(str(error)) from error
    names = [layer.name for layer in card.layers]
    if not names or list(whole)[: len(names)] != names:
        raise CardMismatch(f"its layers are not the first of architecture {card.architecture!r}")
    network = Network(
        card.name,
        {name: whole[name] for name in names},
        mean=card.mean,
        std=card.std,
        source=card.source,
        classes=card.classes,
        input_size=card.input_size,
        temperature=card.temperature,
        energy_threshold=card.energy_threshold,
    )
    for told, built in zip(card.layers, network.layers, strict=True):
        if vars(told) != vars(built):
            raise CardMismatch(f"in architecture {card.architecture!r} it has {built}")
    smallest = network.minimum_side(names)
    if card.input_size is not None and card.input_size < smallest:
        raise CardMismatch(f"it classifies {card.input_size} px, and its layers need {smallest} px at least")
    if card.classes and len(card.classes) != network.layers[-1].channels:
        raise CardMismatch(f"{len(card.classes)} class names for {network.layers[-1].channels} classes")
    return network


def build_network(card: Description, weights: Mapping[str, Tensor]) -> Network:
    """The network of a card on weights by name (``conv1_1.weight``), float32 on the CPU.

    It has the layers of the card, which may end before those of its architecture. Raises CardMismatch.
    """
    network = build_skeleton(card)
    needed = network.stack.state_dict()
    for name in sorted(needed.keys() | weights.keys()):
        if name not in weights or name not in needed or weights[name].shape != needed[name].shape:
            there = tuple(weights[name].shape) if name in weights else "missing"
            wanted = tuple(needed[name].shape) if name in needed else "unknown"
            raise CardMismatch(f"the tensor {name} is {there}; in the architecture it is {wanted}")
    return network.with_weights({name: weight.float() for name, weight in weights.items()})


def network_names() -> list[str]:
    """Names of the shipped networks; the weights of some must be downloaded or imported first."""
    return [*ENTRIES, *PUBLISHED]


def load_network(
    name: str,
    pooling: Pooling | None = None,
    *,
    folder: Path | None = None,
    convolutions_only: bool = False,
) -> Network:
    """The network of that name, float32 on the CPU, with its own pooling or the one asked for.

    ``folder`` has the weights that were downloaded or imported; ``convolutions_only`` leaves out the fully
    connected layers of such a network. The weights are shared by everyone in this process who loads it;
    ``Network.prepared`` makes a copy. Raises KeyError for an unknown name, ValueError for an unknown pooling,
    WeightsMissing, DamagedWeights.
    """
    if name in PUBLISHED:
        network = load_imagenet(_required(folder, name), name, convolutions_only=convolutions_only)
    elif name in ENTRIES:
        network = _load(name, folder)
    else:
        raise KeyError(f"there is no network {name!r}; there are {', '.join(network_names())}")
    return network if pooling is None else network.with_pooling(pooling)


def weights_version(name: str, folder: Path | None) -> tuple[int, ...]:
    """A value that changes when a network's weights are replaced, for caches of what was made from them.

    Raises WeightsMissing.
    """
    return version_of(_required(folder, name), name) if name in PUBLISHED else ()


def _required(folder: Path | None, name: str) -> Path:
    if folder is None:
        raise WeightsMissing(f"There is no folder to load the weights of network {name!r} from.")
    return folder


@lru_cache
def _load(name: str, folder: Path | None) -> Network:
    return ENTRIES[name].load(folder)
