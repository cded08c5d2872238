"""The networks by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from models.imagenet import PUBLISHED, WeightsMissing, load_imagenet, version_of
from models.network import Network, Pooling
from models.palette import palette
from models.random_vgg import vgg19_random


@dataclass(frozen=True)
class Entry:
    """A network that can be loaded, and what a person who chooses one reads about it."""

    title: str
    summary: str
    load: Callable[[], Network]


ENTRIES: dict[str, Entry] = {
    "palette": Entry(
        title="palette",
        summary="Ours: trained on 64 classes of drawn pictures; paints, dreams and names what it sees.",
        load=palette,
    ),
    "vgg19-random": Entry(
        title="VGG-19, random weights",
        summary="VGG-19's convolutions at half width, never trained: carries texture and color only.",
        load=vgg19_random,
    ),
}


def network_names() -> list[str]:
    """Names of the networks that can be loaded, some of them once their weights are there."""
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
        network = _load(name)
    else:
        raise KeyError(f"there is no network {name!r}; there are {', '.join(network_names())}")
    return network if pooling is None else network.with_pooling(pooling)


def weights_version(name: str, folder: Path | None) -> tuple[int, ...]:
    """What changes when a network's weights are replaced, for whoever keeps what was made from them.

    Raises WeightsMissing.
    """
    return version_of(_required(folder, name), name) if name in PUBLISHED else ()


def _required(folder: Path | None, name: str) -> Path:
    if folder is None:
        raise WeightsMissing(f"There is no folder to load the weights of network {name!r} from.")
    return folder


@lru_cache
def _load(name: str) -> Network:
    return ENTRIES[name].load()
