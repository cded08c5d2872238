"""Networks that are imported, renamed, deleted and exported."""

from collections.abc import Iterator
from dataclasses import replace
from os import SEEK_END
from typing import BinaryIO

from sqlalchemy import Connection, Engine

from app.database.engine import read
from app.database.keys import Keyed
from app.database.removal import delete_files, remove, unless_written
from app.networks import repository
from app.networks.catalogue import Catalogue, get_card, is_shipped
from app.networks.errors import (
    InvalidName,
    NameReserved,
    NameTaken,
    ShippedNetwork,
    UnknownNetwork,
)
from app.networks.names import is_name, numbered
from app.networks.repository import NewNetwork, Origin, StoredNetwork, Users, network_folder
from app.networks.shipped_files import shipped_file
from app.networks.uploads import check_weights, read_card
from app.networks.weights_file import KEY, read_header, with_card
from app.settings import WeightsFolder
from app.storage import Storage


def get_stored(engine: Engine, name: str) -> StoredNetwork:
    """The network of that name in the database. Raises ShippedNetwork, UnknownNetwork."""
    if is_shipped(name):
        raise ShippedNetwork(name)
    network = repository.find_network(engine, name)
    if network is None:
        raise UnknownNetwork(name, Catalogue(engine).names())
    return network


def add_network(
    engine: Engine,
    storage: Storage,
    file: BinaryIO,
    size: int,
    *,
    name: str | None = None,
    origin: Origin = "imported",
    request: Keyed | None = None,
) -> StoredNetwork:
    """Keep the network in an open file of ``size`` bytes, by default under the name on its card.

    The same request with the same key gives the same network. Raises UnusableFile, InvalidName, NameReserved,
    NameTaken, KeyReused, StorageFull; then nothing is kept.
    """
    if earlier := repository.find_made_network(engine, request):
        return earlier
    storage.require_space(size)
    header, card = read_card(file, size)
    card = card.model_copy(update={"name": card.name if name is None else name, "download": None})
    try:
        require_free(engine, card.name)
    except NameTaken:
        # Perhaps by the same request, at this moment.
        if earlier := repository.find_made_network(engine, request):
            return earlier
        raise
    check_weights(file, header, card)
    network_id, key = repository.new_network_key()
    file.seek(0)
    stored = storage.put(key, file)
    new = NewNetwork(id=network_id, card=card, key=key, bytes=stored.bytes, origin=origin, request=request)
    with unless_written(lambda: storage.delete_prefix(network_folder(network_id))):
        network = repository.add_network(engine, new)
    if network.id != network_id:
        delete_files(lambda: storage.delete_prefix(network_folder(network_id)))
    return network


def rename(engine: Engine, name: str, new_name: str) -> StoredNetwork:
    """Give a network another name.

    Raises ShippedNetwork, UnknownNetwork, InvalidName, NameReserved, NameTaken.
    """
    if get_stored(engine, name).card.name != new_name:
        require_free(engine, new_name)
    return repository.rename_network(engine, name, new_name)


def delete(engine: Engine, storage: Storage, network: StoredNetwork, users_of: Users) -> None:
    """Remove a network. ``users_of`` gives the jobs that need weights, which find those of another name, too.

    Raises NetworkInUse if there are such jobs, unless other networks compute the same with the same weights.
    """
    # On a full disk the files go before the row does, perhaps before it can even be locked.
    with read(engine) as connection:
        repository.require_deletable(connection, network, users_of)
    remove(
        lambda: repository.delete_network(engine, network, users_of),
        lambda: storage.delete_prefix(network_folder(network.id)),
    )


def export(
    engine: Engine, storage: Storage, weights: WeightsFolder, name: str
) -> tuple[int, Iterator[bytes]]:
    """A network as one safetensors file with its card in the metadata: its number of bytes, and these.

    Raises UnknownNetwork, WeightsNotHere.
    """
    network = None if is_shipped(name) else get_stored(engine, name)
    key = shipped_file(storage, get_card(name), weights) if network is None else network.key
    file = storage.open(key)
    size = file.seek(0, SEEK_END)
    header = read_header(file, size)
    # A network may have been renamed since its file was written.
    card = header.metadata[KEY] if network is None else network.card.model_dump_json()
    return with_card(file, header, card)


def under_free_name(connection: Connection, new: NewNetwork) -> NewNetwork:
    """A network under its name or, if that is taken, one like it, to be inserted in this transaction.

    That raises IntegrityError if another transaction takes the name at the same moment.
    """
    taken = repository.list_names(connection)
    name = next(name for name in numbered(new.card.name) if name not in taken and not is_shipped(name))
    return replace(new, card=new.card.model_copy(update={"name": name}))


def require_free(engine: Engine, name: str) -> None:
    """Raises InvalidName, NameReserved, NameTaken unless a new network may have the name."""
    if not is_name(name):
        raise InvalidName(name)
    if is_shipped(name):
        raise NameReserved(name)
    if repository.find_network(engine, name) is not None:
        raise NameTaken(name)
