"""What the API answers with, and takes, of networks."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine

from app.http.timestamps import timestamp
from app.networks import repository
from app.networks.card import NetworkCard
from app.networks.catalogue import is_shipped, list_cards
from app.networks.names import NAME_PATTERN
from app.networks.repository import StoredNetwork
from app.networks.weights_folder import card_here


class NetworkView(NetworkCard):
    """A network, as it is here."""

    origin: Literal["shipped", "imported", "trained"]
    available: bool = Field(description="Whether its weights are here; if not, `download` says what to get.")
    created_at: datetime | None = Field(description="When it was imported or trained.")
    bytes: int | None = Field(description="Size of its file; null: it is shipped.")

    @classmethod
    def shipped(cls, card: NetworkCard) -> "NetworkView":
        """The view of a shipped network, with the layers that its weights have here."""
        return cls(
            **dict(card), origin="shipped", available=card.sha256 is not None, created_at=None, bytes=None
        )

    @classmethod
    def stored(cls, network: StoredNetwork) -> "NetworkView":
        """The view of a network of the database."""
        return cls(
            **dict(network.card),
            origin=network.origin,
            available=True,
            created_at=timestamp(network.created_at),
            bytes=network.bytes,
        )

    @property
    def brief(self) -> "NetworkView":
        """The view without what a training tells at length."""
        if self.training is None:
            return self
        short = self.training.model_copy(update={"history": [], "balance": {}, "params": {}})
        return self.model_copy(update={"training": short})


class NetworkPage(BaseModel):
    """Some networks."""

    items: list[NetworkView]
    next_cursor: str | None = Field(description="Pass as cursor for the next page; null: no more.")
    bytes: int = Field(description="What all networks that are not shipped take in the storage.")


def list_page(
    engine: Engine,
    weights: Path,
    *,
    sha256: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> NetworkPage:
    """A page of the networks: shipped ones, then others, each by name. ``cursor`` is the last name before."""
    shipped = [card_here(card, weights) for card in _shipped_after(cursor)]
    found = [card for card in shipped if sha256 in (None, card.sha256)]
    views = [NetworkView.shipped(card) for card in found[: None if limit is None else limit + 1]]
    more = None if limit is None else limit + 1 - len(views)
    after = "" if cursor is None or is_shipped(cursor) else cursor
    stored = repository.list_networks(engine, after=after, limit=more, sha256=sha256)
    views += [NetworkView.stored(network).brief for network in stored]
    shown = views[:limit]
    return NetworkPage(
        items=shown,
        next_cursor=shown[-1].name if len(views) > len(shown) else None,
        bytes=repository.total_bytes(engine),
    )


def _shipped_after(cursor: str | None) -> list[NetworkCard]:
    cards = list_cards()
    if cursor is None:
        return cards
    names = [card.name for card in cards]
    return cards[names.index(cursor) + 1 :] if cursor in names else []


class NetworkChange(BaseModel):
    """What can be changed of a network."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        description="1 to 64 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit.",
        json_schema_extra={"pattern": NAME_PATTERN},
    )
