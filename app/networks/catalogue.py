"""The cards that are shipped with the package."""

from functools import lru_cache
from pathlib import Path

from app.networks.card import NetworkCard

CARDS = Path(__file__).with_name("cards")


@lru_cache
def _cards() -> dict[str, NetworkCard]:
    cards = (NetworkCard.model_validate_json(f.read_bytes()) for f in sorted(CARDS.glob("*.json")))
    return {card.name: card for card in cards}


def list_cards() -> list[NetworkCard]:
    """Every card, by name."""
    return list(_cards().values())


def get_card(name: str) -> NetworkCard:
    """The card of a network; KeyError if there is none of that name."""
    return _cards()[name]
