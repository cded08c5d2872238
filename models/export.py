"""``python -m models.export NAME FILE [FOLDER]`` writes a shipped network as one file: weights and card.

FOLDER has the weights that were downloaded or imported. The HTTP service, which must not import torch, runs
this as a separate process.
"""

import sys
from pathlib import Path

from models.cards import describe
from models.imagenet import PUBLISHED, WeightsMissing
from models.network_files import DamagedWeights, save_weights
from models.registry import ENTRIES, load_network


def export(name: str, path: Path, folder: Path | None = None) -> None:
    """Write the weights of a shipped network as safetensors, with its card in the metadata.

    Raises KeyError, WeightsMissing, DamagedWeights.
    """
    network = load_network(name, folder=folder)
    entry = PUBLISHED.get(name) or ENTRIES[name]
    save_weights(path, network.stack.state_dict(), describe(network, entry))


if __name__ == "__main__":
    name, path, *folder = sys.argv[1:]
    try:
        export(name, Path(path), *map(Path, folder))
    except (WeightsMissing, DamagedWeights) as error:
        sys.exit(str(error))
