"""How many jobs are computed together: as many as are of use, fit into the memory, and end soon."""

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from app.jobs.claims import STACK_LIMIT
from worker.contract.compute import Compute
from worker.optim.together import LARGEST_ON_ONE_THREAD, LARGEST_ON_THREADS

T = TypeVar("T", int, float)

# Of a stack, so that the last of it does not wait long for the first, and a kill costs little.
STACK_SECONDS = 10.0
# More would take so long to begin that a cancel of one had to wait.
LARGEST_STACK = 32

# Memory of a picture beside its activations, whose passes are bounded: ten pairs of L-BFGS, the best picture,
# the gradient, and the features of the content.
BYTES_PER_PIXEL = 500

# Keys of stacks that are remembered.
MOST_KEYS = 1000


class Stackable(Protocol):
    """What is known of a job before it is computed: a row, or an entry of a batch on the command line."""

    @property
    def stack_key(self) -> str | None:
        """What it shares with those that it can be computed together with."""

    @property
    def lane(self) -> str:
        """Its lane."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Its resolved params."""


class StackSizes:
    """What a worker has learnt of stacks, by their key: how long a job takes, and how many were too many."""

    def __init__(self, compute: Compute) -> None:
        """``compute`` says with what, and in how much memory, that of all pictures of a stack."""
        self._largest = math.inf
        if compute.device.type == "cpu":
            # Larger pictures would together only end later.
            self._largest = LARGEST_ON_THREADS if compute.threads > 1 else LARGEST_ON_ONE_THREAD
        self._memory = compute.picture_bytes
        self._seconds: OrderedDict[str, float] = OrderedDict()
        self._most: OrderedDict[str, int] = OrderedDict()

    def limit(self, job: Stackable) -> int:
        """How many jobs may be claimed together, of which ``job`` is the first."""
        if job.stack_key is None:
            return 1
        most = self._most.get(job.stack_key, LARGEST_STACK)
        if job.lane == "short":
            return min(STACK_LIMIT, most)
        pixels = int(job.params.get("size", 1)) ** 2
        if pixels > self._largest:
            return 1
        # The first of its key runs alone, and shows how long one takes.
        seconds = self._seconds.get(job.stack_key, STACK_SECONDS)
        soon = int(STACK_SECONDS / max(seconds, 1e-3))
        return max(1, min(most, soon, self._memory // (BYTES_PER_PIXEL * pixels)))

    def learn(self, job: Stackable, seconds: float) -> None:
        """Remember the seconds that a job took, alone or as its share of a stack."""
        if job.stack_key is not None:
            _keep(self._seconds, job.stack_key, seconds)

    def shrink(self, job: Stackable, size: int) -> None:
        """Remember that a stack of ``size`` did not work."""
        if job.stack_key is not None:
            _keep(self._most, job.stack_key, max(1, size // 2))


def _keep(kept: OrderedDict[str, T], key: str, value: T) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MOST_KEYS:
        kept.popitem(last=False)
