"""What the API answers with, and takes, of networks."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.http.timestamps import timestamp
from app.networks.card import NetworkCard
from app.networks.repository import StoredNetwork


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


class NetworkChange(BaseModel):
    """What can be changed of a network."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="1 to 64 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit.")
