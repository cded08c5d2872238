"""Tensors as safetensors files, written and read one by one: neither takes a copy of all."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.networks.weights_file import METADATA, MalformedFile, read_header

# Bytes that are written or read at a time.
CHUNK = 1 << 22
# Of a header, whose texts may list what was computed of each member of a large set.
MAX_HEADER_BYTES = 1 << 30

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_SIZES = {name: dtype.itemsize for name, dtype in _DTYPES.items()}

# The entry of the metadata that says which tensors are others in the file, by name, as JSON.
_SAME = "impasto_same"


@dataclass(frozen=True)
class TensorFile:
    """A file of tensors, and of texts in its header, to be written: an iterable of its bytes.

    Tensors may be on any device, and share memory: what is the same is written once. Iterating anew writes
    the same, while nobody changes them.
    """

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]

    def __iter__(self) -> Iterator[bytes]:
        same = _same(self.tensors)
        # In this order all of them lie on multiples of their own size.
        own = sorted(
            (name for name in self.tensors if name not in same),
            key=lambda name: -self.tensors[name].element_size(),
        )
        header: dict[str, object] = {
            METADATA: {**self.metadata, **({_SAME: json.dumps(same)} if same else {})}
        }
        end = 0
        for name in own:
            tensor = self.tensors[name]
            start, end = end, end + tensor.nbytes
            header[name] = {
                "dtype": _NAMES[tensor.dtype],
                "shape": list(tensor.shape),
                "data_offsets": [start, end],
            }
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        yield len(text).to_bytes(8, "little") + text
        for name in own:
            # Moved, or made contiguous, one at a time.
            data = _bytes_of(self.tensors[name].detach().cpu().contiguous())
            for start in range(0, len(data), CHUNK):
                yield data[start : start + CHUNK].tobytes()


def read_metadata(file: BinaryIO) -> dict[str, str]:
    """The texts in the header of a file of tensors. Raises MalformedFile."""
    return read_header(file, file.seek(0, 2), _SIZES, MAX_HEADER_BYTES).metadata


def read_tensors(file: BinaryIO) -> dict[str, Tensor]:
    """The tensors of a file that :class:`TensorFile` wrote, on the CPU. Raises MalformedFile.

    Each is allocated as any other of torch's, since the last bits of a sum may depend on its alignment. What
    was the same when it was written is so again.
    """
    header = read_header(file, file.seek(0, 2), _SIZES, MAX_HEADER_BYTES)
    found: dict[str, Tensor] = {}
    for name, described in header.tensors.items():
        found[name] = torch.empty(described.shape, dtype=_DTYPES[described.dtype])
        data = _bytes_of(found[name]).data
        file.seek(header.start + described.data_offsets[0])
        done = 0
        while done < len(data):
            chunk = file.read(min(CHUNK, len(data) - done))
            if not chunk:
                raise MalformedFile("It ends before its last tensor.")
            data[done : done + len(chunk)] = chunk
            done += len(chunk)
    try:
        same: dict[str, str] = json.loads(header.metadata.get(_SAME, "{}"))
        return found | {name: found[other] for name, other in same.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedFile("Its header names tensors that are not there.") from error


def _bytes_of(tensor: Tensor) -> NDArray[np.uint8]:
    """The memory of a contiguous tensor."""
    found: NDArray[np.uint8] = tensor.flatten().view(torch.uint8).numpy()
    return found


def _same(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Which tensors are the same as one before, and which that is."""
    first: dict[object, str] = {}
    same = {}
    for name, tensor in tensors.items():
        if tensor.numel() == 0:
            continue
        where = tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()
        if where in first:
            same[name] = first[where]
        else:
            first[where] = name
    return same
