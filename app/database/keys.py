"""Idempotency keys: the same request with the same key again is answered as before, and does nothing.

A request that makes something leaves its key, and the hash of what it asked for, in the row that it makes;
one that only changes something leaves them in a row of ``keyed_changes``. A key is forgotten with what it is
about, and the keys of one table are apart from those of another.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    ForeignKey,
    RowMapping,
    String,
    Table,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from app.database.engine import read
from app.database.metadata import metadata
from app.errors import ServiceError

MAX_KEY = 255
Json = dict[str, Any]


def key_columns(*, index: bool = True) -> tuple[Column[str], Column[str]]:
    """The columns of a table whose rows are made by requests that may have keys.

    Keys are unique by an index, or else by a constraint, which SQLite adds to no table that there is.
    """
    key = Column("idempotency_key", String(MAX_KEY), unique=True, index=index)
    return key, Column("payload_hash", String(64))


# Requests that changed something: what it was changed to may have been changed again since.
keyed_changes = Table(
    "keyed_changes",
    metadata,
    Column("idempotency_key", String(MAX_KEY), primary_key=True),
    Column("payload_hash", String(64), nullable=False),
    # Of what was changed one is set.
    Column("job_id", String(36), ForeignKey("jobs.id", ondelete="CASCADE"), index=True),
    Column("batch_id", String(36), ForeignKey("batches.id", ondelete="CASCADE"), index=True),
    Column("dataset_id", String(36), ForeignKey("datasets.id", ondelete="CASCADE"), index=True),
    # What the request was answered with, where the row that it changed does not tell.
    Column("answer", JSON(none_as_null=True)),
)


class KeyReused(ServiceError):
    """An idempotency key came again with another request."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused"
    example = ("order-66",)

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The Idempotency-Key {key!r} was used for another request: take a new one.",
            field="Idempotency-Key",
        )


@dataclass(frozen=True)
class Keyed:
    """The key of a request, and the hash of what it asks for."""

    key: str
    payload_hash: str

    @property
    def columns(self) -> dict[str, str]:
        """The values of the columns of :func:`key_columns`."""
        return {"idempotency_key": self.key, "payload_hash": self.payload_hash}


def keyed(key: str | None, *asked: Any) -> Keyed | None:
    """The key of a request that asks for some JSON values; None without a key."""
    if key is None:
        return None
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return Keyed(key, hashlib.sha256(text.encode()).hexdigest())


def columns_of(request: Keyed | None) -> dict[str, str]:
    """The values of the columns of :func:`key_columns`: none without a key."""
    return {} if request is None else request.columns


def find_made(engine: Engine, table: Table, request: Keyed | None) -> RowMapping | None:
    """The row that the same request made before. Raises KeyReused if another one had its key."""
    if request is None:
        return None
    with read(engine) as connection:
        query = select(table).where(table.c.idempotency_key == request.key)
        row = connection.execute(query).mappings().first()
    if row is not None and row["payload_hash"] != request.payload_hash:
        raise KeyReused(request.key)
    return row


def note_change(
    connection: Connection, request: Keyed | None, subject: Mapping[str, str], answer: Json | None = None
) -> None:
    """Write down that a request changed a ``subject``, such as a ``batch_id``, in the transaction that does.

    Raises IntegrityError if the same key came at this moment.
    """
    if request is not None:
        connection.execute(insert(keyed_changes).values(**request.columns, **subject, answer=answer))


# Writes down, in the transaction of a change, that a request asked for it. Whoever refuses a change does not
# call it: the same request would be taken for one that was met.
Note = Callable[[Connection], None]


def no_note(connection: Connection) -> None:
    """The note of a request without a key."""


def change_once(
    engine: Engine, request: Keyed | None, subject: Mapping[str, str], change: Callable[[Note], object]
) -> None:
    """Make a change, unless the same request made it before.

    ``change`` calls the note that it is given in its transaction, unless it refuses. Raises KeyReused, and
    what ``change`` raises; then the key is free.
    """
    if request is None:
        change(no_note)
        return
    if find_made(engine, keyed_changes, request) is not None:
        return
    try:
        change(lambda connection: note_change(connection, request, subject))
    except IntegrityError:
        # The same request made it at this moment; or what was to be changed has just been deleted.
        find_made(engine, keyed_changes, request)
