"""``python -m models.cards`` writes what app/networks must know without torch: cards, and architectures."""

import dataclasses
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from models.architectures import BUILDERS, FEATURES
from models.costs import multiply_adds
from models.imagenet import PUBLISHED, skeleton
from models.network import Network
from models.registry import ENTRIES, load_network, network_names

FOLDER = Path(__file__).parents[1] / "app" / "networks" / "cards"


class Origin(Protocol):
    """What a network does not know of itself: how its layers are built, and what people are told of it."""

    @property
    def title(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def architecture_params(self) -> Mapping[str, Any]: ...
    @property
    def has_norms(self) -> bool: ...


def make_card(name: str) -> dict[str, Any]:
    """The card of a shipped network as JSON. One whose weights are downloaded has no hash."""
    published = PUBLISHED.get(name)
    if published is None:
        return describe(load_network(name), ENTRIES[name])
    download = {
        "file": published.file,
        "bytes": published.bytes,
        "sha256_prefix": published.sha256_prefix,
    }
    return {**describe(skeleton(name), published), "download": download}


def describe(network: Network, origin: Origin) -> dict[str, Any]:
    """The card of a network as JSON, with the fields of ``app.networks.card.NetworkCard``.

    One without weights, on the meta device, has no
    hash.
    """
    return {
        "name": network.name,
        "title": origin.title,
        "summary": origin.summary,
        "architecture": origin.architecture,
        "architecture_params": dict(origin.architecture_params),
        "layers": [dataclasses.asdict(layer) for layer in network.layers],
        "classes": list(network.classes),
        "input_size": network.input_size,
        "temperature": network.temperature,
        "energy_threshold": network.energy_threshold,
        "mean": _decimals(network.mean),
        "std": _decimals(network.std),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "trained_parameters": _trained_parameters(network) if origin.has_norms else None,
        "multiply_adds": multiply_adds(network),
        "source": network.source,
        "sha256": None if network.device.type == "meta" else network.sha256,
    }


def _trained_parameters(network: Network) -> int:
    """The number of parameters with a batch norm behind each convolution: a scale beside each bias."""
    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return sum(each.numel() for each in network.parameters()) + sum(conv.out_channels for conv in convs)


def _decimals(numbers: Tensor) -> list[float]:
    """float32 numbers as the shortest decimals that are read as the same numbers."""
    return [float(str(number)) for number in numbers.float().cpu().flatten().numpy()]


def write_cards(folder: Path) -> None:
    """Write the card of each network to ``<name>.json`` in a folder."""
    for name in network_names():
        text = json.dumps(make_card(name), indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def builders() -> dict[str, dict[str, list[str]]]:
    """The architectures that a card may name, each with the params that it needs and those that it takes."""
    found = {}
    for name, builder in BUILDERS.items():
        params = inspect.signature(builder).parameters.values()
        required = [each.name for each in params if each.default is each.empty]
        optional = [each.name for each in params if each.default is not each.empty]
        found[name] = {"required": required, "optional": [*optional, FEATURES]}
    return found


if __name__ == "__main__":
    write_cards(FOLDER)
    (FOLDER.parent / "builders.json").write_text(json.dumps(builders(), indent=2) + "\n", encoding="utf-8")
