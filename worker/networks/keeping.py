"""Networks that are made here: their cards, and how the catalogue comes to have them."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue
from safetensors.torch import save
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from app.database.engine import write
from app.database.removal import unless_written
from app.jobs.claims import NAME_TRIES
from app.networks import repository
from app.networks.card import NetworkCard
from app.networks.repository import StoredNetwork, network_folder
from app.networks.service import under_free_name
from app.networks.training_record import TrainingRecord
from app.networks.weights_file import KEY
from app.storage import Storage
from models.cards import describe
from models.network import Network, hash_weights
from models.registry import build_network
from worker.contract.steps import NewNetwork


@dataclass(frozen=True, kw_only=True)
class Making:
    """What a network does not know of itself: how its layers are built, and what people are told of it.

    ``has_norms`` says that each convolution was trained with a batch norm behind it, which is folded.
    """

    title: str
    summary: str
    architecture: str
    architecture_params: Mapping[str, JsonValue]
    has_norms: bool = False


def new_network(network: Network, making: Making, training: TrainingRecord | None = None) -> NewNetwork:
    """A network for the outcome of a job, from one in memory, on the CPU in float32.

    Raises CardMismatch if ``making`` does not build its layers.
    """
    card = NetworkCard.model_validate({**describe(network, making), "training": training})
    weights = network.stack.state_dict()
    build_network(card, weights)
    return NewNetwork(card, weights)


def store_weights(storage: Storage, new: NewNetwork, network_id: str, name: str) -> repository.NewNetwork:
    """Write the weights of a new network to a file called ``name`` of its folder; it has no row yet.

    Raises CardMismatch if its card does not fit its weights, StorageFull.
    """
    sha256 = hash_weights(new.weights)
    count = sum(weight.numel() for weight in new.weights.values())
    card = new.card.model_copy(update={"sha256": sha256, "parameters": count, "download": None})
    build_network(card, new.weights)
    weights = {key: weight.float().contiguous() for key, weight in new.weights.items()}
    data = save(weights, {KEY: card.model_dump_json()})
    stored = storage.put(f"{network_folder(network_id)}/{name}.safetensors", data)
    return repository.NewNetwork(
        id=network_id, card=card, key=stored.key, bytes=stored.bytes, origin="trained"
    )


def keep_network(engine: Engine, storage: Storage, new: NewNetwork) -> StoredNetwork:
    """Register a new network without a job, under its name or, if that is taken, one like it."""
    network_id, _ = repository.new_network_key()
    stored = store_weights(storage, new, network_id, "weights")
    with unless_written(partial(storage.delete_prefix, network_folder(network_id))):
        for _ in range(NAME_TRIES - 1):
            # IntegrityError: another process took the name at the same moment.
            with suppress(IntegrityError):
                return _insert(engine, stored)
        return _insert(engine, stored)


def _insert(engine: Engine, stored: repository.NewNetwork) -> StoredNetwork:
    with write(engine) as connection:
        return repository.insert_network(connection, under_free_name(connection, stored))
