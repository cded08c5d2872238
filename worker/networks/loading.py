"""Networks ready for a device and dtype, kept for the jobs that follow."""

from functools import lru_cache
from pathlib import Path

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.networks import get_card
from app.networks.weights_folder import how_to_get
from app.settings import WeightsFolder
from models.imagenet import WeightsMissing
from models.network import Network, Pooling
from models.network_files import DamagedWeights
from models.registry import load_network, weights_version
from worker.contract.compute import Compute

# Networks kept on the device at a time; the full VGG-19 takes 80 MB without its classifier.
KEPT_NETWORKS = 4


def prepared_network(
    name: str,
    pooling: Pooling | None,
    compute: Compute,
    weights: WeightsFolder | None = None,
    *,
    convolutions_only: bool = False,
) -> Network:
    """A network on a device in a dtype, from the shipped weights or those in a folder; kept for the next job.

    Raises InputError on ``network``.
    """
    folder = None if weights is None else weights.path
    try:
        version = weights_version(name, folder)
        # Shipped networks are always loaded whole, so that every kind shares one copy.
        return _prepared(name, pooling, compute, folder, convolutions_only and version != (), version)
    except WeightsMissing:
        raise InputError("network", how_to_get(name)) from None
    except DamagedWeights as error:
        raise InputError("network", f"{error}. {how_to_get(name)}") from error


@lru_cache(maxsize=KEPT_NETWORKS)
def _prepared(
    name: str,
    pooling: Pooling | None,
    compute: Compute,
    folder: Path | None,
    convolutions_only: bool,
    version: tuple[int, ...],
) -> Network:
    del version  # weights that were replaced are prepared again
    network = load_network(name, pooling, folder=folder, convolutions_only=convolutions_only)
    return network.prepared(compute.device, compute.dtype)


def network_for(params: Params, compute: Compute, weights: WeightsFolder | None = None) -> Network | None:
    """The network that a job of resolved params needs, ready for the device; None if it needs none.

    Raises InputError if its weights are not here, or lack a layer that the job looks at.
    """
    need = params.network_need()
    if need is None:
        return None
    network = prepared_network(
        need.name, need.pooling, compute, weights, convolutions_only=_is_convolutional(need)
    )
    _require_layers(need, network)
    return network


def _is_convolutional(need: NetworkNeed) -> bool:
    """Whether a job looks at no layer that sees the whole picture at once."""
    if need.layers is None:
        return False
    card = get_card(need.name)
    return all(card.layer(name).receptive_field > 0 for names in need.layers.values() for name in names)


def _require_layers(need: NetworkNeed, network: Network) -> None:
    """Check that the layers are there: imported weights may lack the deepest."""
    for param, names in (need.layers or {}).items():
        for name in names:
            if name not in network.stack:
                raise InputError(
                    param,
                    f"{network.name} has no layer {name!r} here: its weights were imported from a file that "
                    f"ends before. Layers: {', '.join(network.stack)}.",
                )
