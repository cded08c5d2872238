"""The SQL statements about networks that were imported or trained here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine, RowMapping, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.database.engine import now, read, write
from app.database.ids import derived_id, new_id
from app.database.keys import Keyed, columns_of, find_made
from app.networks.card import NetworkCard
from app.networks.errors import NameTaken, NetworkInUse, UnknownNetwork
from app.networks.names import is_name
from app.networks.tables import networks

Origin = Literal["imported", "trained"]
# The ids of jobs that have not ended and that need the weights of a SHA-256.
Users = Callable[[Connection, str], Sequence[str]]


@dataclass(frozen=True)
class StoredNetwork:
    """A network of the database. Its weights are the blob ``key`` of the storage."""

    id: str
    sha256: str
    card: NetworkCard
    key: str
    bytes: int
    origin: Origin
    created_at: float


@dataclass(frozen=True, kw_only=True)
class NewNetwork:
    """A network whose weights, the blob ``key`` of ``bytes`` bytes, are stored, and which has no row yet."""

    id: str
    card: NetworkCard
    key: str
    bytes: int
    origin: Origin
    request: Keyed | None = None


def add_network(engine: Engine, new: NewNetwork) -> StoredNetwork:
    """Write the row of a network. Returns it, or the one that the same request made before.

    Raises NameTaken, KeyReused.
    """
    try:
        with write(engine) as connection:
            return insert_network(connection, new)
    except IntegrityError:
        earlier = find_made_network(engine, new.request)
        if earlier is None:
            raise NameTaken(new.card.name) from None
        return earlier


def find_made_network(engine: Engine, request: Keyed | None) -> StoredNetwork | None:
    """The network that the same request made before. Raises KeyReused."""
    row = find_made(engine, networks, request)
    return None if row is None else _of_row(row)


def insert_network(connection: Connection, new: NewNetwork) -> StoredNetwork:
    """Write the row of a network within a transaction. IntegrityError if its name is taken."""
    values = {
        "id": new.id,
        "name": new.card.name,
        "sha256": new.card.sha256,
        "card": new.card.model_dump(mode="json"),
        "key": new.key,
        "bytes": new.bytes,
        "origin": new.origin,
        **columns_of(new.request),
    }
    statement = insert(networks).values(**values, created_at=now()).returning(*networks.c)
    return _of_row(connection.execute(statement).mappings().one())


def list_names(connection: Connection) -> set[str]:
    """The names of all networks, within a transaction."""
    return set(connection.execute(select(networks.c.name)).scalars())


def key_of(engine: Engine, network_id: str) -> str | None:
    """The key of the weights of a network; None if no network has the id."""
    with read(engine) as connection:
        return connection.execute(select(networks.c.key).where(networks.c.id == network_id)).scalar()


def find_network(engine: Engine, name: str, sha256: str | None = None) -> StoredNetwork | None:
    """The network with these weights, or else with this name.

    Of several with the same weights, the one with the name, or else the oldest.
    """
    # What no network can be called is no text for a database, perhaps.
    wanted = name if is_name(name) else ""
    query = select(networks).where((networks.c.name == wanted) | (networks.c.sha256 == (sha256 or "")))
    order = (networks.c.sha256 != (sha256 or ""), networks.c.name != wanted, networks.c.id)
    with read(engine) as connection:
        row = connection.execute(query.order_by(*order).limit(1)).mappings().first()
    return None if row is None else _of_row(row)


def list_networks(
    engine: Engine, *, after: str = "", limit: int | None = None, sha256: str | None = None
) -> list[StoredNetwork]:
    """The networks whose names follow ``after``, by name; those with some weights, if their hash is given."""
    query = select(networks).where(networks.c.name > after).order_by(networks.c.name).limit(limit)
    if sha256 is not None:
        query = query.where(networks.c.sha256 == sha256)
    with read(engine) as connection:
        return [_of_row(row) for row in connection.execute(query).mappings()]


def total_bytes(engine: Engine) -> int:
    """What the weights of all networks take in the storage."""
    with read(engine) as connection:
        return int(connection.execute(select(func.coalesce(func.sum(networks.c.bytes), 0))).scalar_one())


def rename_network(engine: Engine, name: str, new_name: str) -> StoredNetwork:
    """Give a network another name. Raises UnknownNetwork, NameTaken."""
    statement = update(networks).where(networks.c.name == name).values(name=new_name).returning(*networks.c)
    try:
        with write(engine) as connection:
            row = connection.execute(statement).mappings().first()
    except IntegrityError:
        raise NameTaken(new_name) from None
    if row is None:
        raise UnknownNetwork(name)
    return _of_row(row)


def delete_network(engine: Engine, network: StoredNetwork, users_of: Users) -> None:
    """Remove the row of a network; its weights are the caller's.

    Raises NetworkInUse if there are jobs that need the weights, unless other networks compute the same with
    the same weights.
    """
    with write(engine) as connection:
        # Locked, so that of two with the same weights that are deleted at once one stays.
        connection.execute(_alike(network).with_for_update())
        require_deletable(connection, network, users_of)
        connection.execute(delete(networks).where(networks.c.id == network.id))


def require_deletable(connection: Connection, network: StoredNetwork, users_of: Users) -> None:
    """Raises NetworkInUse as :func:`delete_network`."""
    rows = connection.execute(_alike(network)).mappings()
    others = [each.card for each in map(_of_row, rows) if each.id != network.id]
    # Who needs the weights would find any of them; their cards may have been edited.
    if not (others and all(card.computes_as(network.card) for card in others)) and (
        users := users_of(connection, network.sha256)
    ):
        raise NetworkInUse(network.card.name, users)


def _alike(network: StoredNetwork) -> Select[Any]:
    return select(networks).where(networks.c.sha256 == network.sha256).order_by(networks.c.id)


def network_folder(network_id: str) -> str:
    """Where the files of a network lie in the storage."""
    return f"networks/{network_id}"


def new_network_key() -> tuple[str, str]:
    """A fresh id, and the key of the weights that go with it."""
    network_id = new_id()
    return network_id, f"{network_folder(network_id)}/weights.safetensors"


def network_of_job(job_id: str) -> str:
    """The id of the network that a job makes."""
    return derived_id(f"network of job {job_id}")


def _of_row(row: RowMapping) -> StoredNetwork:
    values = {name: value for name, value in row.items() if name not in ("idempotency_key", "payload_hash")}
    card = {**values.pop("card"), "name": values.pop("name"), "sha256": row["sha256"]}
    return StoredNetwork(card=NetworkCard.model_validate(card), **values)
