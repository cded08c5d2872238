"""The networks that a job may name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Engine, inspect

from app.database.engine import make_engine
from app.networks import repository
from app.networks.card import NetworkCard
from app.networks.tables import networks
from app.settings import DATABASE_FILE, Settings

CARDS = Path(__file__).with_name("cards")

# The network of a job that names none.
DEFAULT_NETWORK = "palette"
# That of a job that is about what is in a photograph.
DEFAULT_CLASSIFIER = "efficientnet_lite0"


@dataclass(frozen=True)
class Catalogue:
    """The shipped cards, and those of the networks in a database if there is one.

    A shipped network's name never changes, and belongs to no other.
    """

    engine: Engine | None = None

    def find(self, name: str, sha256: str | None = None) -> NetworkCard | None:
        """The card of the network with these weights, or else with this name; None if there is none."""
        if self.engine is None or is_shipped(name):
            return _cards().get(name)
        stored = repository.find_network(self.engine, name, sha256)
        return None if stored is None else stored.card

    def present_names(self, used: Mapping[str, str | None]) -> dict[str, str]:
        """What networks are called now that were used under some names, from the hashes of their weights."""
        found = {name: None if sha256 is None else self.find(name, sha256) for name, sha256 in used.items()}
        return {name: card.name for name, card in found.items() if card is not None}

    def names(self) -> list[str]:
        """The names of the shipped networks, then of those in the database."""
        stored = [] if self.engine is None else repository.list_networks(self.engine)
        return [*_cards(), *(network.card.name for network in stored)]


@dataclass(frozen=True)
class CachedCatalogue(Catalogue):
    """A catalogue that looks for each network once, for as long as a request or a part of a batch takes."""

    _found: dict[tuple[str, str | None], NetworkCard | None] = field(default_factory=dict)

    def find(self, name: str, sha256: str | None = None) -> NetworkCard | None:
        """The card of the network with these weights, or else with this name; None if there is none."""
        key = (name, sha256)
        if key not in self._found:
            self._found[key] = super().find(name, sha256)
        return self._found[key]


SHIPPED = Catalogue()


@contextmanager
def local_engine(settings: Settings) -> Iterator[Engine | None]:
    """The database of the data folder, for commands without a service; None if it has no networks."""
    if settings.names_database or not (settings.data_dir / DATABASE_FILE).is_file():
        yield None
        return
    engine = make_engine(settings.resolved_database_url)
    try:
        yield engine if inspect(engine).has_table(networks.name) else None
    finally:
        engine.dispose()


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
