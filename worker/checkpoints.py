"""A generator's state as one safetensors file: its tensors, and its values as JSON in the header."""

import json
from typing import IO

from safetensors.torch import load, save

from worker.steps import State

VALUES = "impasto_values"


def to_bytes(state: State) -> bytes:
    """A state as bytes. Bit-exact for every dtype of torch that safetensors knows."""
    return save(state.tensors, metadata={VALUES: json.dumps(state.values)})


def from_bytes(data: bytes) -> State:
    """The state that :func:`to_bytes` wrote. Raises ValueError on anything else."""
    header_size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + header_size])
    values = header.get("__metadata__", {}).get(VALUES)
    if values is None:
        raise ValueError("no checkpoint of ours: its header holds no values")
    return State(tensors=load(data), values=json.loads(values))


def read(file: IO[bytes]) -> State:
    """The state in an open file."""
    return from_bytes(file.read())
