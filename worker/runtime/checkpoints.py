"""Checkpoints: the state of a kind's generator in the storage.

One safetensors file holds the tensors, and in its header as JSON the format, the kind, the values and the
storage keys of the parts. Each part is a file of its own, which later checkpoints share.
"""

import json
from collections.abc import Mapping

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from app.storage import Storage
from worker.contract.steps import StepState

# To be raised whenever a kind's state, or what is written here, changes: older checkpoints are then ignored.
FORMAT = "2"

_FORMAT = "impasto_format"
KIND = "impasto_kind"
_VALUES = "impasto_values"
_PARTS = "impasto_parts"


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or of another format or kind."""


def save(
    storage: Storage, key: str, kind: str, state: StepState, stored: Mapping[str, str], prefix: str
) -> dict[str, str]:
    """Store a state under ``key``, and its new parts under keys that begin with ``prefix``.

    ``stored`` has the keys of the parts that are stored already, by name. Returns those of all parts.
    """
    keys = {name: stored[name] for name in state.parts if name in stored}
    for name, data in state.parts.items():
        if name not in keys:
            keys[name] = storage.put(f"{prefix}-{name}", data).key
    storage.put(key, to_bytes(state, {KIND: kind, _PARTS: json.dumps(keys)}))
    return keys


def load(storage: Storage, key: str, kind: str) -> tuple[StepState, dict[str, str]]:
    """The state under a key, and the keys of its parts by name. Raises CheckpointError."""
    data = _read(storage, key)
    state, header = of_kind(data, kind), _header(data)
    try:
        keys: dict[str, str] = json.loads(header[_PARTS])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"the checkpoint {key} is damaged: it names no parts") from error
    parts = {name: _read(storage, part_key) for name, part_key in keys.items()}
    return StepState(state.tensors, state.values, parts), keys


def of_kind(data: bytes, kind: str) -> StepState:
    """The state, without its parts, in a file with the header KIND. Raises CheckpointError."""
    found = _header(data).get(KIND)
    if found != kind:
        raise CheckpointError(f"the checkpoint is of kind {found}, not {kind}")
    return from_bytes(data)


def is_state(data: bytes) -> bool:
    """Whether a file may be one of a state: it begins as safetensors do."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data)


def to_bytes(state: StepState, header: Mapping[str, str] | None = None) -> bytes:
    """A state without its parts as a safetensors file, bit-exact, with more entries for its header."""
    metadata = {_FORMAT: FORMAT, _VALUES: json.dumps(state.values), **(header or {})}
    return save_tensors(state.tensors, metadata=metadata)


def from_bytes(data: bytes) -> StepState:
    """The state, without its parts, that :func:`to_bytes` wrote. Raises CheckpointError on anything else."""
    header = _header(data)
    if header.get(_FORMAT) != FORMAT:
        raise CheckpointError(f"the checkpoint has format {header.get(_FORMAT, '1')}, not {FORMAT}")
    try:
        return StepState(tensors=load_tensors(data), values=json.loads(header[_VALUES]))
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"the checkpoint is damaged: {error}") from error


def _read(storage: Storage, key: str) -> bytes:
    try:
        with storage.open(key) as file:
            return file.read()
    except FileNotFoundError as error:
        raise CheckpointError(f"the checkpoint's file {key} is missing") from error


def _header(data: bytes) -> dict[str, str]:
    """The metadata in the header of a safetensors file; CheckpointError if it is none."""
    size = int.from_bytes(data[:8], "little")
    try:
        header: dict[str, str] = json.loads(data[8 : 8 + size])["__metadata__"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError("the checkpoint is damaged: it has no header") from error
    return header
