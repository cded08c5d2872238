"""What was computed of a picture, kept in memory for the jobs that follow: many share a style or a content.

Keyed by all that the numbers depend on, so that a job gets the same, bit for bit, with it and without.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

import torch
from torch import Tensor

from models.network import Network

T = TypeVar("T")

# Of all targets of losses that are kept on a device.
TARGET_BYTES = 256 << 20
# Targets of a picture that are larger are not kept: with a few of them there would be room for nothing else.
LARGEST_TARGET = TARGET_BYTES // 8


class Kept(Generic[T]):
    """The values used last, of so many bytes at most. Nobody may change them."""

    def __init__(self, most_bytes: int, largest: int, size: Callable[[T], float]) -> None:
        """``size`` is that of a value in bytes; values above ``largest`` bytes are not kept."""
        self._most, self._largest, self._size = most_bytes, largest, size
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._made: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self.bytes = 0.0

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, made if it is not there; by one thread, for which others wait."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._made.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            try:
                value = make()
                self._keep(key, value)
            finally:
                with self._lock:
                    self._made.pop(key, None)
        return value

    def _keep(self, key: Hashable, value: T) -> None:
        size = self._size(value)
        with self._lock:
            if size <= self._largest and key not in self._values:
                self._values[key] = value
                self.bytes += size
                while self.bytes > self._most:
                    self.bytes -= self._size(self._values.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._values.clear()
            self.bytes = 0.0


def bytes_of(tensors: Mapping[str, Tensor]) -> int:
    """Memory of tensors: a view keeps what it is part of."""
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors.values())


TARGETS: Kept[Mapping[str, Tensor]] = Kept(TARGET_BYTES, LARGEST_TARGET, bytes_of)
"""Targets of losses by layer."""


def target_key(network: Network, picture: Tensor, *rest: Hashable) -> Hashable:
    """What stands for a network, a picture (1, 3, H, W) and all else that their targets depend on."""
    data = picture.detach().cpu().contiguous().flatten().numpy()
    digest = hashlib.blake2b(data.data, digest_size=16).digest()
    # With another pooling a network has the same weights.
    modules: tuple[Hashable, ...] = tuple(map(str, network.stack.values()))
    modules += tuple(tuple(each.flatten().tolist()) for each in (network.mean, network.std))
    computed = network.device, network.dtype, torch.get_num_threads()
    return network.sha256, network.view, modules, computed, digest, tuple(picture.shape), picture.dtype, *rest
