"""``python -m models.cards`` writes the torch-free cards of all networks to app/networks/cards."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from models.imagenet import PUBLISHED, skeleton
from models.registry import ENTRIES, load_network, network_names

FOLDER = Path(__file__).parents[1] / "app" / "networks" / "cards"


def make_card(name: str) -> dict[str, Any]:
    """The card of a network as JSON, with the fields of ``app.networks.card.NetworkCard``.

    A network whose weights are downloaded gets one without them, so with no hash.
    """
    published = PUBLISHED.get(name)
    entry = published or ENTRIES[name]
    network = skeleton(name) if published else load_network(name)
    card: dict[str, Any] = {
        "name": name,
        "title": entry.title,
        "summary": entry.summary,
        "layers": [dataclasses.asdict(layer) for layer in network.layers],
        "classes": list(network.classes),
        "input_size": network.input_size,
        "mean": _decimals(network.mean.flatten().tolist()),
        "std": _decimals(network.std.flatten().tolist()),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "source": network.source,
        "sha256": None if published else network.sha256,
    }
    if published:
        card["download"] = {
            "file": published.file,
            "bytes": published.bytes,
            "sha256_prefix": published.sha256_prefix,
        }
    return card


def _decimals(numbers: list[float]) -> list[float]:
    """float32 numbers as the decimals that they were made from."""
    return [float(f"{number:.6g}") for number in numbers]


def write_cards(folder: Path) -> None:
    """Write the card of each network to ``<name>.json`` in a folder."""
    for name in network_names():
        text = json.dumps(make_card(name), indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_cards(FOLDER)
