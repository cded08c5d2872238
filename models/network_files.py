"""Weight files: safetensors, with metadata as JSON in the header, among it the hash of the weights."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save_file
from torch import Tensor

from models.network import hash_weights

KEY = "impasto"  # the entry of the header's metadata
SUFFIX = ".safetensors"


class DamagedWeights(ValueError):
    """A file whose content has changed since it was written."""


def save_weights(path: Path, weights: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write weights and their metadata atomically. One writer at a time.

    ``about`` are JSON values, among them ``sha256``, the hash of :func:`models.network.hash_weights`.
    """
    # A folder, since safetensors leaves a temporary file of its own when it is killed.
    scratch = path.with_name(f".{path.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        written = scratch / path.name
        written.touch()
        mode = written.stat().st_mode  # from the umask; safetensors makes its file private
        contiguous = {name: weight.contiguous() for name, weight in weights.items()}
        save_file(contiguous, written, {KEY: json.dumps(about, ensure_ascii=False)})
        written.chmod(mode)
        with written.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(written, path)
    finally:
        shutil.rmtree(scratch)


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights in a file, and their metadata.

    Raises FileNotFoundError, and DamagedWeights if the file is not one of these, or has changed since.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get(KEY, "null"))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise DamagedWeights(f"{path} is damaged: {error}") from error
    if about is None:
        raise DamagedWeights(f"{path} was not written by Impasto")
    if hash_weights(weights) != about["sha256"]:
        raise DamagedWeights(f"{path} is damaged: its weights do not have the hash that it states")
    return weights, about


def parse_weights(data: bytes, sha256: str | None) -> dict[str, Tensor]:
    """The weights in the bytes of a safetensors file, which must have this hash. Raises DamagedWeights."""
    try:
        weights: dict[str, Tensor] = load(data)
    except SafetensorError as error:
        raise DamagedWeights(f"The file of weights is damaged: {error}") from error
    if hash_weights(weights) != sha256:
        raise DamagedWeights("The file of weights is damaged: it does not have the hash that the card states")
    return weights
