"""The networks that a job may name."""

from functools import lru_cache
from pathlib import Path
from typing import Protocol

from app.networks.card import NetworkCard

CARDS = Path(__file__).with_name("cards")

# The network of a job that names none.
DEFAULT_NETWORK = "palette"


class Catalogue(Protocol):
    """Cards by name: of the shipped networks, and of those that were trained or imported here."""

    def find(self, name: str) -> NetworkCard | None:
        """The card of a network; None if there is none of that name."""

    def names(self) -> list[str]:
        """The names of all networks."""


class ShippedCatalogue:
    """The cards that are shipped with the package."""

    def find(self, name: str) -> NetworkCard | None:
        """The card of a shipped network; None if there is none of that name."""
        return _cards().get(name)

    def names(self) -> list[str]:
        """The names of the shipped networks."""
        return list(_cards())


SHIPPED = ShippedCatalogue()


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
