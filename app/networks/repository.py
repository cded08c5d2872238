"""The SQL statements about networks that were imported or trained here."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.database.engine import now, read, write
from app.database.ids import derived_id, new_id
from app.networks.card import NetworkCard
from app.networks.errors import NameTaken, UnknownNetwork
from app.networks.tables import networks

Origin = Literal["imported", "trained"]


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


def add_network(engine: Engine, new: NewNetwork) -> StoredNetwork:
    """Write the row of a network. Raises NameTaken."""
    try:
        with write(engine) as connection:
            return insert_network(connection, new)
    except IntegrityError:
        raise NameTaken(new.card.name) from None


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
    query = select(networks).where((networks.c.name == name) | (networks.c.sha256 == (sha256 or "")))
    order = (networks.c.sha256 != (sha256 or ""), networks.c.name != name, networks.c.id)
    with read(engine) as connection:
        row = connection.execute(query.order_by(*order).limit(1)).mappings().first()
    return None if row is None else _of_row(row)


def list_networks(engine: Engine) -> list[StoredNetwork]:
    """All networks by name."""
    with read(engine) as connection:
        rows = connection.execute(select(networks).order_by(networks.c.name)).mappings()
        return [_of_row(row) for row in rows]


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


def delete_network(engine: Engine, network_id: str) -> None:
    """Remove the row of a network; its weights are the caller's."""
    with write(engine) as connection:
        connection.execute(delete(networks).where(networks.c.id == network_id))


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
    values = dict(row)
    card = {**values.pop("card"), "name": values.pop("name"), "sha256": row["sha256"]}
    return StoredNetwork(card=NetworkCard.model_validate(card), **values)
