"""The folder of weights that were downloaded or imported, as far as one can look into it without torch."""

import fcntl
import json
import logging
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from app.networks.card import NetworkCard
from app.networks.catalogue import list_cards

log = logging.getLogger(__name__)

# Of a safetensors file; ours have a few kB, and 20 more with the names of ImageNet's classes.
MAX_HEADER_BYTES = 1 << 20


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
            return LocalWeights.model_validate(_about(file))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        log.warning("%s is no file of weights of ours: %s", path, error)
        return None


def _about(file: IO[bytes]) -> Any:
    """What is written in the header about the weights of an open safetensors file."""
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes")
    return json.loads(json.loads(file.read(length))["__metadata__"]["impasto"])


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
    """What to do for the weights of a network that are not here."""
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
