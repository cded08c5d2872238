"""Safetensors files, read and written without torch.

A file is 8 bytes, the length of the header (little-endian); the header, JSON with dtype, shape and offsets of
each tensor and texts under ``__metadata__``; then the bytes of the tensors. The format is described at
https://github.com/huggingface/safetensors.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, BinaryIO, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Ours have a few kB, 20 more with the names of ImageNet's classes, and 100 with how they were trained. A
# thousand classes with long names, each also with the number of its pictures, have 1 MB.
MAX_HEADER_BYTES = 1 << 22
METADATA = "__metadata__"
KEY = "impasto"  # the entry of the metadata that is ours
CHUNK = 1 << 20  # a multiple of every item size

_DTYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_SIZES = {"F32": 4, "F16": 2, "BF16": 2}

# Python refuses to print integers of thousands of digits.
Number = Annotated[int, Field(gt=-(1 << 63), lt=1 << 63)]


class MalformedFile(ValueError):
    """A file that is not safetensors, or whose numbers cannot be weights; the message is a sentence."""


class Tensor(BaseModel):
    """A tensor of the header: its offsets count from the end of the header."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    dtype: str
    shape: tuple[Number, ...] = Field(strict=False, max_length=8)
    data_offsets: tuple[Number, Number] = Field(strict=False)

    @property
    def count(self) -> int:
        """Number of its values."""
        return math.prod(self.shape)


class Header(BaseModel):
    """The header of a file. The data begin at byte ``start`` of the file."""

    metadata: dict[str, str]
    tensors: dict[str, Tensor]
    start: int


def read_header(
    file: BinaryIO, size: int, dtypes: Mapping[str, int] = _SIZES, most: int = MAX_HEADER_BYTES
) -> Header:
    """The header, of ``most`` bytes, of an open file of ``size`` bytes.

    Raises MalformedFile unless the tensors, of ``dtypes`` (with the bytes of an item; by default floats of 16
    or 32 bits), fill the rest of the file without gaps or overlaps.
    """
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(most, size - 8):
        raise MalformedFile(f"Its first 8 bytes state a header of {length:,} bytes.")
    try:
        values = json.loads(file.read(length), parse_constant=_refuse_constant)
        if not isinstance(values, dict):
            raise MalformedFile("Its header is not a JSON object.")
        metadata = values.pop(METADATA, {})
        header = Header(metadata=metadata, tensors=values, start=8 + length)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise MalformedFile(f"Its header is wrong at {where[:200]}: {error.errors()[0]['msg']}.") from None
    except MalformedFile:
        raise
    except (ValueError, RecursionError):
        raise MalformedFile("Its header is not JSON.") from None
    _check_places(header.tensors, size - header.start, dtypes)
    return header


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedFile(f"Its header has the number {name}.")


def _check_places(tensors: dict[str, Tensor], size: int, dtypes: Mapping[str, int]) -> None:
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        if tensor.dtype not in dtypes:
            raise MalformedFile(f"Tensor {name!r} is of dtype {tensor.dtype!r}, not {', '.join(dtypes)}.")
        if any(side < 0 for side in tensor.shape):
            raise MalformedFile(f"Tensor {name!r} has the shape {list(tensor.shape)}.")
        needed = tensor.count * dtypes[tensor.dtype]
        if tensor.data_offsets != (end, end + needed):
            raise MalformedFile(
                f"Tensor {name!r} lies at {list(tensor.data_offsets)}, where {[end, end + needed]} is needed."
            )
        end += needed
    if end != size:
        raise MalformedFile(f"Its tensors take {end:,} bytes, and there are {size:,}.")


def hash_tensors(file: BinaryIO, header: Header) -> str:
    """The hash of the weights in a file, as ``models.network.hash_weights`` computes it.

    It is the SHA-256 of each name, shape and little-endian float32 bytes, sorted by name. Raises
    MalformedFile for numbers that are not finite.
    """
    import numpy as np  # slow to import, and used for uploads of weights alone

    digest = hashlib.sha256()
    for name, tensor in sorted(header.tensors.items()):
        digest.update(f"{name} {'x'.join(map(str, tensor.shape))}\n".encode())
        file.seek(header.start + tensor.data_offsets[0])
        missing = tensor.data_offsets[1] - tensor.data_offsets[0]
        while missing:
            chunk = file.read(min(CHUNK, missing))
            if not chunk:
                raise MalformedFile("It ends before its last tensor.")
            missing -= len(chunk)
            values = _as_float32(chunk, tensor.dtype)
            if not np.isfinite(values).all():
                raise MalformedFile(f"Tensor {name!r} holds numbers that are not finite.")
            digest.update(values.astype("<f4", copy=False).tobytes())
    return digest.hexdigest()


def _as_float32(data: bytes, dtype: str) -> "NDArray[np.float32]":
    import numpy as np

    values = np.frombuffer(data, _DTYPES[dtype])
    if dtype == "BF16":  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)


def with_card(file: BinaryIO, header: Header, card: str) -> tuple[int, Iterator[bytes]]:
    """An open file with ``card`` as its metadata: its number of bytes, and these in chunks.

    The file is closed after the last chunk.
    """
    tensors = {name: tensor.model_dump(mode="json") for name, tensor in header.tensors.items()}
    text = json.dumps({METADATA: {KEY: card}, **tensors}, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of 8, as the format asks for
    size = max((tensor.data_offsets[1] for tensor in header.tensors.values()), default=0)

    def chunks() -> Iterator[bytes]:
        with file:
            yield len(text).to_bytes(8, "little") + text
            file.seek(header.start)
            while chunk := file.read(CHUNK):
                yield chunk

    return 8 + len(text) + size, chunks()
