"""The networks that a job may name."""

from functools import lru_cache
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from app.networks import repository
from app.networks.card import NetworkCard

CARDS = Path(__file__).with_name("cards")

# The network of a job that names none.
DEFAULT_NETWORK = "palette"


class Catalogue(Protocol):
    """Cards by name: of the shipped networks, and of those that were trained or imported here."""

    def find(self, name: str, sha256: str | None = None) -> NetworkCard | None:
        """The card of the network with these weights, or else with this name; None if there is none."""

    def names(self) -> list[str]:
        """The names of all networks."""


class ShippedCatalogue:
    """The cards that are shipped with the package."""

    def find(self, name: str, sha256: str | None = None) -> NetworkCard | None:
        """The card of a shipped network, whose name never changes; None if there is none of that name."""
        del sha256
        return _cards().get(name)

    def names(self) -> list[str]:
        """The names of the shipped networks."""
        return list(_cards())


SHIPPED = ShippedCatalogue()


class DatabaseCatalogue:
    """The shipped cards, and those of the networks in a database. A shipped name is always the shipped network's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, name: str, sha256: str | None = None) -> NetworkCard | None:
        """The card of the network with these weights, or else with this name; None if there is none."""
        stored = None if is_shipped(name) else repository.find_network(self._engine, name, sha256)
        return SHIPPED.find(name) if stored is None else stored.card

    def names(self) -> list[str]:
        """The names of the shipped networks, then of those in the database."""
        return [*SHIPPED.names(), *(each.card.name for each in repository.list_networks(self._engine))]


def is_shipped(name: str) -> bool:
    """Whether a name belongs to a shipped network."""
    return name in _cards()


@lru_cache
def _cards() -> dict[str, NetworkCard]:
    cards = (NetworkCard.model_validate_json(f.read_bytes()) for f in sorted(CARDS.glob("*.json")))
    return {card.name: card for card in cards}


def list_cards() -> list[NetworkCard]:
    """Every shipped card, by name."""
    return list(_cards().values())


def get_card(name: str) -> NetworkCard:
    """The card of a shipped network; KeyError if there is none of that name."""
    return _cards()[name]
