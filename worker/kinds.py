"""How every kind of job is computed: its function, and the network that it looks with."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from torch import Tensor

from app.jobs.kinds import Params, StyleTransferParams
from models.network import Network, Pooling
from models.registry import load_network
from worker.steps import Compute, State, Steps
from worker.synthesis.style_transfer import style_transfer

# (resolved params, pictures by param, network, compute, state to go on from) -> steps
KindFunction = Callable[[Any, Mapping[str, Sequence[Tensor]], Network, Compute, State | None], Steps]

FUNCTIONS: dict[str, KindFunction] = {StyleTransferParams.kind: style_transfer}

# Networks kept on the device at a time; the full VGG-19 takes 80 MB without its classifier.
WARM_NETWORKS = 4


@lru_cache(maxsize=WARM_NETWORKS)
def warm_network(name: str, pooling: Pooling | None, compute: Compute) -> Network:
    """A network ready for a device and dtype, kept for the next job."""
    return load_network(name, pooling).prepared(compute.device, compute.dtype)


def network_for(params: Params, compute: Compute) -> Network:
    """The network that a job asks for, ready for the device."""
    match params:
        case StyleTransferParams():
            return warm_network(params.network, params.pooling, compute)
        case _:
            raise TypeError(f"no network is known for {type(params).__name__}")
