"""A generator's state in the storage: one safetensors file for what changes, and one file for each part.

The safetensors file has the values as JSON in its header, and beside them the keys of the parts.
"""

import json
from collections.abc import Mapping
from typing import IO

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from app.storage import Storage
from worker.contract.steps import State

VALUES = "impasto_values"
PARTS = "impasto_parts"


def save(storage: Storage, key: str, state: State, kept: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Store a state under ``key``, its new parts under keys that begin with ``prefix``; the parts' keys.

    ``kept`` are the keys of the parts that are stored already, by name.
    """
    keys = {name: kept[name] for name in state.parts if name in kept}
    for name, data in state.parts.items():
        if name not in keys:
            keys[name] = storage.put(f"{prefix}-{name}", data).key
    storage.put(key, to_bytes(state, keys))
    return keys


def load(storage: Storage, key: str) -> tuple[State, dict[str, str]]:
    """The state under a key, and the keys of its parts by name."""
    with storage.open(key) as file:
        data = file.read()
    state, keys = from_bytes(data), _part_keys(data)
    parts = {}
    for name, part_key in keys.items():
        with storage.open(part_key) as file:
            parts[name] = file.read()
    return State(state.tensors, state.values, parts), keys


def to_bytes(state: State, keys: Mapping[str, str] | None = None) -> bytes:
    """A state as bytes, with the keys of its parts in their place.

    Bit-exact for every dtype of torch that safetensors knows.
    """
    header = {VALUES: json.dumps(state.values), PARTS: json.dumps(dict(keys or {}))}
    return save_tensors(state.tensors, metadata=header)


def from_bytes(data: bytes) -> State:
    """The state, without its parts, that :func:`to_bytes` wrote. Raises ValueError on anything else."""
    values = _header(data).get(VALUES)
    if values is None:
        raise ValueError("no checkpoint of ours: its header holds no values")
    return State(tensors=load_tensors(data), values=json.loads(values))


def read(file: IO[bytes]) -> State:
    """The state, without its parts, in an open file."""
    return from_bytes(file.read())


def _part_keys(data: bytes) -> dict[str, str]:
    """The keys of the parts of a state, by name."""
    keys: dict[str, str] = json.loads(_header(data).get(PARTS, "{}"))
    return keys


def _header(data: bytes) -> dict[str, str]:
    size = int.from_bytes(data[:8], "little")
    found: dict[str, str] = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    return found
