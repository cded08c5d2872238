"""The folder of weights that were downloaded or imported, read without torch."""

import fcntl
import logging
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict

from app.networks.card import NetworkCard
from app.networks.catalogue import list_cards
from app.networks.weights_file import KEY, read_header

log = logging.getLogger(__name__)


class LocalWeights(BaseModel):
    """Weights that are here, as ``models.conversion`` wrote them."""

    model_config = ConfigDict(frozen=True)

    network: str
    layers: list[str]
    sha256: str
    file_sha256: str
    source: str


def local_weights(folder: Path, name: str) -> LocalWeights | None:
    """The weights of a network in a folder; None if it has none that can be used."""
    path = folder / f"{name}.safetensors"
    try:
        with path.open("rb") as file:
            header = read_header(file, path.stat().st_size)
            return LocalWeights.model_validate_json(header.metadata[KEY])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError) as error:
        log.warning("%s is not a file of weights written here: %s", path, error)
        return None


def card_here(card: NetworkCard, folder: Path) -> NetworkCard:
    """A card as it is with the weights that are in a folder.

    Its ``sha256`` is None as long as there are none. Weights that were imported may lack the deepest layers,
    and with them the classes.
    """
    if card.download is None:
        return card
    local = local_weights(folder, card.name)
    if local is None:
        return card
    layers = [layer for layer in card.layers if layer.name in local.layers]
    classes = card.classes if "logits" in local.layers else []
    return card.model_copy(
        update={"layers": layers, "classes": classes, "sha256": local.sha256, "source": local.source}
    )


def downloadable() -> list[str]:
    """Names of the networks whose weights are downloaded."""
    return [card.name for card in list_cards() if card.download is not None]


def how_to_get(name: str) -> str:
    """How to get the weights of a network that are not here."""
    return (
        f"Network {name!r} has not been downloaded: run `impasto weights pull {name}`, press Download on the "
        f'page, or POST {{"network": "{name}"}} to /v1/pull-weights.'
    )


def try_lock(file: IO[Any]) -> bool:
    """Lock an open file against every other process, and every other opening in this one, if it is free.

    The lock goes when the file is closed, and with the process.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
