"""Files of the shipped networks for export: written on first demand, and kept in the storage."""

import hashlib
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from app.networks.card import NetworkCard
from app.networks.errors import WeightsNotHere
from app.networks.weights_folder import card_here, how_to_get, local_weights
from app.settings import WeightsFolder
from app.storage import Storage

# One at a time: the largest takes a few GB of memory while it is written.
_lock = threading.Lock()


def shipped_file(storage: Storage, card: NetworkCard, weights: WeightsFolder) -> str:
    """The key of the file of a shipped network, weights and card; of each, the newest version is kept.

    Its weights may have to be computed, or put together, which needs torch, so a process of its own writes it.
    Raises WeightsNotHere, StorageFull.
    """
    here = card_here(card, weights.path)
    if here.sha256 is None:
        raise WeightsNotHere(how_to_get(card.name))
    local = local_weights(weights.path, card.name)
    version = here.model_dump_json() + ("" if local is None else local.file_sha256)
    folder = f"networks/shipped/{card.name}"
    key = f"{folder}/{hashlib.sha256(version.encode()).hexdigest()[:32]}.safetensors"
    with _lock:
        try:
            storage.size(key)
        except FileNotFoundError:
            _write(storage, key, card.name, weights.path)
            storage.delete_prefix(folder, keep=[key])
    return key


def _write(storage: Storage, key: str, name: str, weights: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "network.safetensors"
        command = [sys.executable, "-m", "models.export", name, str(path), str(weights)]
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            reason = done.stderr.strip().rpartition("\n")[2]
            raise WeightsNotHere(f"Network {name!r} cannot be exported: {reason}")
        with path.open("rb") as file:
            storage.put(key, file)
