"""Networks ready for a device and dtype, kept for the jobs that follow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from sqlalchemy import Engine

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.networks.card import NetworkCard
from app.networks.catalogue import SHIPPED, is_shipped
from app.networks.repository import find_network
from app.networks.weights_folder import downloadable, how_to_get
from app.settings import WeightsFolder
from app.storage import Storage
from models.imagenet import WeightsMissing
from models.network import Network, Pooling
from models.network_files import DamagedWeights, parse_weights
from models.registry import CardMismatch, build_network, build_skeleton, load_network, weights_version
from worker.contract.compute import Compute

# Networks kept on the device at a time; the full VGG-19 takes 80 MB without its classifier.
KEPT_NETWORKS = 4


@dataclass(frozen=True)
class NetworkLoader:
    """Where networks come from: the package, a folder of downloaded weights, the database and its storage.

    Without a folder or a database there are only the networks that need neither.
    """

    weights: WeightsFolder | None = None
    engine: Engine | None = None
    storage: Storage | None = None

    def prepared(
        self,
        name: str,
        pooling: Pooling | None,
        compute: Compute,
        *,
        sha256: str | None = None,
        convolutions_only: bool = False,
    ) -> Network:
        """A network on a device in a dtype, kept for the next job.

        A network of the database is found by the hash of its weights if that is given, so also under another
        name. Raises InputError on ``network``.
        """
        try:
            return _prepared(self._source(name, sha256, convolutions_only), pooling, compute)
        except WeightsMissing as error:
            raise InputError("network", how_to_get(name) if name in downloadable() else str(error)) from None
        except DamagedWeights as error:
            remedy = "" if is_shipped(name) else " Import the network again."
            if name in downloadable():
                remedy = f" {how_to_get(name)}"
            raise InputError("network", f"{error}.{remedy}") from error
        except CardMismatch as error:
            raise InputError("network", f"Network {name!r} cannot be built: {error}.") from error

    def card(self, name: str, sha256: str | None = None) -> NetworkCard:
        """The card of a network, found as in :meth:`prepared`. Raises InputError on ``network``."""
        shipped = SHIPPED.find(name)
        return self._stored(name, sha256).card if shipped is None else shipped

    def skeleton(self, name: str, sha256: str | None = None) -> Network:
        """A network without weights, on the meta device, found as in :meth:`prepared`.

        Raises InputError on ``network``.
        """
        try:
            return build_skeleton(self.card(name, sha256))
        except CardMismatch as error:
            raise InputError("network", f"Network {name!r} cannot be built: {error}.") from error

    def _source(self, name: str, sha256: str | None, convolutions_only: bool) -> "_Shipped | _Stored":
        if not is_shipped(name):
            return self._stored(name, sha256)
        folder = None if self.weights is None else self.weights.path
        version = weights_version(name, folder)
        # Shipped networks are always loaded whole, so that every kind shares one copy.
        return _Shipped(name, folder, convolutions_only and version != (), version)

    def _stored(self, name: str, sha256: str | None) -> "_Stored":
        found = None if self.engine is None else find_network(self.engine, name, sha256)
        if found is None or self.storage is None:
            raise InputError("network", f"Network {name!r} is not here any more: import it, or name another.")
        if sha256 not in (None, found.sha256):
            raise InputError(
                "network",
                f"The weights of network {name!r} are not here any more; another network has its name now. "
                "Send the job again to use that one.",
            )
        return _Stored(self.storage, found.key, found.card.model_dump_json(exclude={"training"}))


@dataclass(frozen=True)
class _Shipped:
    """A shipped network; ``version`` changes when its weights are replaced."""

    name: str
    folder: Path | None
    convolutions_only: bool
    version: tuple[int, ...]

    def load(self) -> Network:
        return load_network(self.name, folder=self.folder, convolutions_only=self.convolutions_only)


@dataclass(frozen=True)
class _Stored:
    """A network of the database: the blob of its weights, and its card as JSON."""

    storage: Storage
    key: str
    card_json: str

    @property
    def card(self) -> NetworkCard:
        return NetworkCard.model_validate_json(self.card_json)

    def load(self) -> Network:
        card = self.card
        try:
            with self.storage.open(self.key) as file:
                weights = parse_weights(file.read(), card.sha256)
        except FileNotFoundError:
            raise DamagedWeights(f"The file of network {card.name!r} is gone") from None
        return build_network(card, weights)


@lru_cache(maxsize=KEPT_NETWORKS)
def _prepared(source: _Shipped | _Stored, pooling: Pooling | None, compute: Compute) -> Network:
    network = source.load()
    network = network if pooling is None else network.with_pooling(pooling)
    return network.prepared(compute.device, compute.dtype)


def compute_for(params: Params, compute: Compute) -> Compute:
    """How precisely a job of resolved params is computed: in float32 where it needs that."""
    need = params.network_need()
    return replace(compute, dtype=torch.float32) if need is not None and need.float32 else compute


def network_for(
    params: Params, compute: Compute, loader: NetworkLoader, sha256: str | None = None
) -> Network | None:
    """The network that a job of resolved params needs, ready for the device; None if it needs none.

    ``sha256`` is the hash of its weights, where the job knows it. Raises InputError if its weights are not
    here, or lack a layer that the job uses.
    """
    need = params.network_need()
    if need is None:
        return None
    if not need.weights:
        return loader.skeleton(need.name, sha256)
    where = compute_for(params, compute)
    network = loader.prepared(
        need.name,
        need.pooling,
        replace(where, dtype=torch.float32) if need.float32_weights else where,
        sha256=sha256,
        convolutions_only=_is_convolutional(need, loader.card(need.name, sha256)),
    )
    _require_layers(need, network)
    return network


def cards_for(params: Params, loader: NetworkLoader, sha256: str | None = None) -> dict[str, NetworkCard]:
    """The card of the network that a job of resolved params needs, by its name. Raises InputError."""
    need = params.network_need()
    return {} if need is None else {need.name: loader.card(need.name, sha256)}


def further_networks(
    params: Params, compute: Compute, loader: NetworkLoader, hashes: Mapping[str, str | None] | None = None
) -> dict[str, Network]:
    """The networks that a job of resolved params needs beside its own, whole, by the names in the params.

    ``hashes`` are those of their weights, where the job knows them. Raises InputError on the param that names
    one that is not here.
    """
    where = compute_for(params, compute)
    found = {}
    for name, field in params.further_networks().items():
        try:
            found[name] = loader.prepared(name, None, where, sha256=(hashes or {}).get(name))
        except InputError as error:
            raise InputError(field, error.detail) from error
    return found


def _is_convolutional(need: NetworkNeed, card: NetworkCard) -> bool:
    """Whether a job uses no layer that sees the whole picture at once."""
    if need.layers is None:
        return False
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
