"""What a descent gives up where memory runs out, rung by rung: the size of tiles, float32, the history.

A picture in smaller tiles is the same up to rounding; activations in bfloat16 are rounded more coarsely; with
a shorter history the loss falls more slowly. So they come in this order.
"""

import logging
import traceback
from dataclasses import replace
from typing import Any

import torch

from app.kinds.work import LEAST_TILE_BYTES, Spending
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.steps import StepState

log = logging.getLogger(__name__)

# What torch raises without a class of its own says one of these: on the CPU, where the system decides which;
# on MPS; on CUDA beside torch's own allocator; and in its libraries, such as CUBLAS_STATUS_ALLOC_FAILED.
_WITHOUT_CLASS = (
    "not enough memory",
    "can't allocate memory",
    "MPS backend out of memory",
    "CUDA error: out of memory",
    "_ALLOC_FAILED",
    "_ALLOCATION_FAILED",
)
# All that oneDNN says: whole messages, since longer ones are about something else.
_OF_ONEDNN = ("could not create a primitive", "could not create a memory object")
# Under this name the rungs are in the values of a state.
_VALUE = "reductions"


def is_out_of_memory(error: Exception) -> bool:
    """Whether a computation found too little memory, on whatever device."""
    if isinstance(error, RuntimeError):
        text = str(error)
        if text in _OF_ONEDNN or any(words in text for words in _WITHOUT_CLASS):
            return True
    return isinstance(error, MemoryError | torch.OutOfMemoryError)


class Ladder:
    """The rungs of one run, which a run that is resumed goes on from.

    ``spending`` is that of the present rung, and ``network`` computes in its dtype. ``reductions`` are the
    rungs that were taken, as JSON, each with the step after which it was.
    """

    def __init__(
        self, network: Network, compute: Compute, resume: StepState | None = None, *, step: int = 0
    ) -> None:
        """Begin, or go on after ``step`` steps, with what ``compute`` may take and ``resume`` had left."""
        self.network = network
        self.spending = before = Spending()
        self.reductions: list[dict[str, Any]] = []
        if resume is not None and resume.values.get(_VALUE):
            self.reductions = list(resume.values[_VALUE])
            last = self.reductions[-1]
            before = Spending(last["tile_bytes"], last["history"])
            self._stand(before, getattr(torch, last["dtype"]))
        now = compute.spending
        within = Spending(min(before.tile_bytes, now.tile_bytes), min(before.history, now.history))
        if within != before:
            # This worker has less memory than the one before.
            self._stand(within, self.network.dtype)
            self._note(step)
        self._may_round = compute.may_round and self.network.dtype == torch.float32

    def lower(self, error: Exception, step: int, *, tile: int | None = None, history: int = 0) -> None:
        """Go down a rung after an error in the step that follows ``step``.

        Raises it again if it is not about memory, or no rung is left.

        ``tile`` are the bytes of the largest tile that was evaluated; 0 if there can be none that is smaller,
        None if the error came from an optimizer, which has ``history`` pairs.
        """
        if not is_out_of_memory(error):
            raise error
        # What it kept of what was computed is free now.
        traceback.clear_frames(error.__traceback__)
        tile_bytes = min(tile or 0, self.spending.tile_bytes) // 2
        if tile_bytes >= LEAST_TILE_BYTES:
            self._stand(replace(self.spending, tile_bytes=tile_bytes), self.network.dtype)
        elif tile is not None and self._may_round:
            self._may_round = False
            # Tiles of as many pixels then take half the memory.
            halved = replace(self.spending, tile_bytes=self.spending.tile_bytes // 2)
            self._stand(halved, torch.bfloat16)
        elif history > 1:
            self._stand(replace(self.spending, history=history // 2), self.network.dtype)
        else:
            raise error
        self._note(step)
        log.warning("memory ran out after step %d, which is taken again with %s", step, self.reductions[-1])

    @property
    def values(self) -> dict[str, Any]:
        """What a state, a result and a recipe say of the rungs: nothing if none was taken."""
        return {_VALUE: [*self.reductions]} if self.reductions else {}

    @property
    def dtype(self) -> str:
        """The name of the dtype of activations."""
        return str(self.network.dtype).removeprefix("torch.")

    def _stand(self, spending: Spending, dtype: torch.dtype) -> None:
        self.spending = spending
        if self.network.dtype != dtype:
            self.network = self.network.prepared(self.network.device, dtype)

    def _note(self, step: int) -> None:
        spending = self.spending
        rung = {"tile_bytes": spending.tile_bytes, "dtype": self.dtype, "history": spending.history}
        self.reductions.append({"step": step, **rung})
