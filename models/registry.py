"""The networks by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from models.network import Network, Pooling
from models.random_vgg import vgg19_random


@dataclass(frozen=True)
class Entry:
    """A network that can be loaded, and what a person who chooses one reads about it."""

    title: str
    summary: str
    load: Callable[[], Network]


ENTRIES: dict[str, Entry] = {
    "vgg19-random": Entry(
        title="VGG-19, random weights",
        summary="VGG-19's convolutions at half width, never trained: carries texture and color only.",
        load=vgg19_random,
    ),
}


def network_names() -> list[str]:
    """Names of the networks that can be loaded."""
    return list(ENTRIES)


def load_network(name: str, pooling: Pooling | None = None) -> Network:
    """The network of that name, float32 on the CPU, with its own pooling or the one asked for.

    Its weights are shared by everyone in this process who loads it; ``Network.prepared`` makes a copy.
    Raises KeyError for an unknown name, ValueError for an unknown pooling.
    """
    if name not in ENTRIES:
        raise KeyError(f"there is no network {name!r}; there are {', '.join(ENTRIES)}")
    network = _load(name)
    return network if pooling is None else network.with_pooling(pooling)


@lru_cache
def _load(name: str) -> Network:
    return ENTRIES[name].load()
