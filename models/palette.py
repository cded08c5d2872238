"""palette: the network that ships with Impasto, trained on pictures that Impasto draws."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from models.architectures.palette import MEAN, STD, palette_stack
from models.network import Network
from models.procedural import CLASSES, DATA_VERSION, draw
from models.reference_pictures import reference_pictures
from models.rescale import gatys_factors, mean_activations, rescale
from models.trainable import Trainable, plain_weights

FILE = Path(__file__).with_name("weights") / "palette.safetensors"

# The side of the pictures that it classifies best, in pixels.
INPUT_SIZE = 128

# Measured by `impasto palette evaluate energy`. Trained with smoothed labels, it is surer than it says. The
# threshold keeps 95 % of new drawings: photographs of things are above it, but hardly ever textures, whether
# photographed or made of noise, which are like what it was trained on.
TEMPERATURE = 0.64
ENERGY_THRESHOLD = -1.82

SOURCE = "Trained by this project on pictures that it draws itself; Apache-2.0"

# The entry of the metadata that describes the weights, as JSON.
FACTS = "impasto"


def palette(path: Path = FILE) -> Network:
    """The network of a file that :func:`save_palette` wrote, float32; by default the one that is shipped."""
    facts = palette_facts(path)
    network = Network(
        "palette",
        palette_stack(len(facts["classes"])),
        mean=facts["mean"],
        std=facts["std"],
        source=SOURCE,
        classes=facts["classes"],
        input_size=facts["input_size"],
        temperature=TEMPERATURE if path == FILE else None,
        energy_threshold=ENERGY_THRESHOLD if path == FILE else None,
    )
    return network.with_weights({name: weight.float() for name, weight in load_file(path).items()})


def palette_facts(path: Path = FILE) -> dict[str, Any]:
    """The metadata of a file: classes, preprocessing, how it was trained, and measurements."""
    with safe_open(path, "pt") as file:
        facts: dict[str, Any] = json.loads(file.metadata()[FACTS])
    return facts


def folded_palette(model: Trainable, calibration: torch.Tensor) -> Network:
    """The network of a trained model: batch norms folded, mean activations of 1, float32.

    The means are taken over ``calibration`` (n, 3, H, W) in [0, 1], from :func:`calibration_pictures`.
    """
    stack = palette_stack(len(CLASSES))
    network = Network(
        "palette", stack, mean=MEAN, std=STD, source=SOURCE, classes=CLASSES, input_size=INPUT_SIZE
    )
    network = network.with_weights(plain_weights(model))
    factors = gatys_factors(mean_activations(network, calibration))
    return rescale(network, factors)


def calibration_pictures() -> torch.Tensor:
    """Pictures (n, 3, 192, 192) to measure mean activations on: drawn, and with natural statistics."""
    drawn = draw(list(range(len(CLASSES))), [2**41] * len(CLASSES), 192)
    return torch.cat([drawn, reference_pictures(count=32, side=192, seed=0)])


def save_palette(network: Network, facts: Mapping[str, Any], path: Path) -> None:
    """Write the weights as float16 safetensors, with ``facts`` and the network's own description."""
    weights = {name: weight.half().contiguous() for name, weight in network.stack.state_dict().items()}
    own = {
        "classes": list(network.classes),
        "mean": list(MEAN),
        "std": list(STD),
        "input_size": network.input_size,
        "data_version": DATA_VERSION,
    }
    partial = path.with_suffix(".partial")
    save_file(weights, partial, metadata={FACTS: json.dumps({**own, **facts})})
    # save_file makes the file private to its owner.
    partial.chmod(0o644)
    partial.replace(path)
