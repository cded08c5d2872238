"""Checkpoints: the state of a kind's generator in the storage.

One safetensors file holds the tensors, and in its header as JSON the format, the kind, the values and the
storage keys of the parts. Each part is a file of its own, which later checkpoints share.
"""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import BinaryIO

from app.media.magic import is_safetensors
from app.networks.weights_file import MalformedFile
from app.storage import Storage
from worker.contract.steps import StepState
from worker.runtime.tensor_files import TensorFile, read_metadata, read_tensors

# To be raised whenever a kind's state, or what is written here, changes: older checkpoints are then ignored,
# unless they can still be read. Since 3 what is the same is written once, and pairs of L-BFGS are tensors.
FORMAT = "3"
_READABLE = ("2", FORMAT)

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
    storage.put(key, file_of(state, {KIND: kind, _PARTS: json.dumps(keys)}))
    return keys


def load(storage: Storage, key: str, kind: str) -> tuple[StepState, dict[str, str]]:
    """The state under a key, and the keys of its parts by name. Raises CheckpointError."""
    with _open(storage, key) as file:
        state, header = of_kind(file, kind), _header(file)
    try:
        keys: dict[str, str] = json.loads(header[_PARTS])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"the checkpoint {key} is damaged: it names no parts") from error
    parts = {}
    for name, part_key in keys.items():
        with _open(storage, part_key) as file:
            parts[name] = file.read()
    return StepState(state.tensors, state.values, parts), keys


def of_kind(file: BinaryIO, kind: str) -> StepState:
    """The state, without its parts, in a file with the header KIND. Raises CheckpointError."""
    found = _header(file).get(KIND)
    if found != kind:
        raise CheckpointError(f"the checkpoint is of kind {found}, not {kind}")
    return read(file)


def is_state(file: BinaryIO) -> bool:
    """Whether an open file may be one of a state: it begins as safetensors do. Leaves it at its beginning."""
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(9)
    file.seek(0)
    return is_safetensors(head, size)


def file_of(state: StepState, header: Mapping[str, str] | None = None) -> TensorFile:
    """A state without its parts as a safetensors file, bit-exact, with more entries for its header."""
    metadata = {_FORMAT: FORMAT, _VALUES: json.dumps(state.values), **(header or {})}
    return TensorFile(state.tensors, metadata)


def to_bytes(state: StepState, header: Mapping[str, str] | None = None) -> bytes:
    """The bytes of :func:`file_of`."""
    return b"".join(file_of(state, header))


def from_bytes(data: bytes) -> StepState:
    """What :func:`read` makes of a file of these bytes."""
    return read(BytesIO(data))


def read(file: BinaryIO) -> StepState:
    """The state, without its parts, in a file of :func:`file_of`. Raises CheckpointError on anything else."""
    header = _header(file)
    if header.get(_FORMAT) not in _READABLE:
        raise CheckpointError(f"the checkpoint has format {header.get(_FORMAT, '1')}, not {FORMAT}")
    try:
        return StepState(tensors=read_tensors(file), values=json.loads(header[_VALUES]))
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"the checkpoint is damaged: {error}") from error


def _open(storage: Storage, key: str) -> BinaryIO:
    try:
        return storage.open(key)
    except FileNotFoundError as error:
        raise CheckpointError(f"the checkpoint's file {key} is missing") from error


def _header(file: BinaryIO) -> dict[str, str]:
    """The metadata in the header of a safetensors file; CheckpointError if it is none."""
    try:
        return read_metadata(file)
    except MalformedFile as error:
        raise CheckpointError(f"the checkpoint is damaged: {error}") from error
