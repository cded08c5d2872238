"""What the processes of a training on several devices have in common.

Ranks are told from each other as ``torchrun`` does it, by RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and
MASTER_PORT in their environments. Rank 0 is the process that computes the job: it alone has the pictures,
draws all random numbers of a step but those of dropout, judges, and saves. For each step it sends every other
rank a share of the batch (team.py); these do nothing but learn (rank.py).
"""

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import torch
import torch.distributed as dist
from pydantic import BaseModel
from torch import Tensor, nn
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]
from torch.nn.parallel import DistributedDataParallel

from worker.contract.compute import Compute
from worker.optim.randomness import seed_own
from worker.training.learner import Lesson, run_model
from worker.training.plan import Plan

# How long a rank waits for another in the middle of a step.
STEP_TIMEOUT = timedelta(seconds=60)
# How long a rank waits for a command at a time.
POLL = timedelta(seconds=2)


class Command(BaseModel):
    """What rank 0 asks of the others: to take a new model, to make a step, or to end.

    ``plan`` is the model's, of which the weights follow, after ``state_bytes`` of the optimizer's state.
    ``sizes`` are the pictures of each rank in a step, of ``shape``; ``shares`` the weights of their losses,
    which sum to 1; ``rates`` the learning rates of the param groups, ``seed`` that of dropout.
    """

    order: Literal["learn", "step", "end"]
    plan: Plan | None = None
    state_bytes: int = 0
    sizes: list[int] = []
    shares: list[float] = []
    shape: list[int] = []
    classes: int = 0
    rates: list[float] = []
    seed: int = 0


@dataclass(frozen=True)
class World:
    """The ranks: this one's number, how many there are, and the store by which rank 0 gives commands."""

    rank: int
    size: int
    store: Store

    def begin(self, device: torch.device, backend: str) -> None:
        """Connect this rank with the others; all have to call it."""
        if device.type == "cuda":
            torch.cuda.set_device(device)
        store = PrefixStore("group", self.store)
        dist.init_process_group(
            backend, store=store, rank=self.rank, world_size=self.size, timeout=STEP_TIMEOUT
        )


def open_store(*, is_master: bool) -> Store:
    """The store of the environment's MASTER_ADDR and MASTER_PORT."""
    address, port = os.environ.get("MASTER_ADDR", "127.0.0.1"), int(os.environ["MASTER_PORT"])
    return TCPStore(address, port, is_master=is_master, wait_for_workers=False, timeout=STEP_TIMEOUT)


def new_store() -> TCPStore:
    """A store for ranks on this machine, whose port no other machine reaches."""
    # A store opens its port to the network by itself.
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    return TCPStore(
        "127.0.0.1",
        port,
        is_master=True,
        wait_for_workers=False,
        timeout=STEP_TIMEOUT,
        master_listen_fd=listening.detach(),
    )


def stay_local() -> None:
    """Let this process and those that it starts talk to each other on this machine alone."""
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")
    for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(variable, loopback)


def backend_for(devices: Sequence[torch.device]) -> str:
    """NCCL for GPUs that are all different, gloo for all else."""
    return (
        "nccl"
        if {each.type for each in devices} == {"cuda"} and len(set(devices)) == len(devices)
        else "gloo"
    )


def shares_of(n: int, ranks: int) -> tuple[list[int], list[float]]:
    """How many of ``n`` pictures each rank learns from, and what its loss counts.

    Each has two at least, as batch norm needs; of fewer, all ranks learn from all.
    """
    if n < 2 * ranks:
        return [n] * ranks, [1 / ranks] * ranks
    sizes = [n // ranks + (rank < n % ranks) for rank in range(ranks)]
    return sizes, [size / n for size in sizes]


class ShareLearner:
    """A rank's part of each step: its share of the batch, and the mean gradient of all ranks."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        lesson: Lesson,
        compute: Compute,
        world: World,
    ) -> None:
        """All ranks begin with rank 0's weights, which this sends."""
        self._model = model
        self._optimizer = optimizer
        self._lesson = lesson
        self._compute = compute
        self._world = world
        self._parallel = DistributedDataParallel(
            model, device_ids=[compute.device] if compute.device.type == "cuda" else None
        )

    def set_rates(self, rates: Sequence[float]) -> None:
        """Set the learning rates of the param groups."""
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def step(self, inputs: Tensor, targets: Tensor, share: float, seed: int) -> Tensor:
        """Learn from this rank's share of a batch; its logits, without gradients.

        Dropout is drawn from the seed and the rank. Batch norms take mean and variance of the share; their
        running ones are rank 0's.
        """
        seed_own(seed + self._world.rank, self._compute.device)
        self._model.train()
        self._optimizer.zero_grad()
        logits = run_model(self._parallel, inputs, self._compute)
        loss = self._lesson.objective(logits, targets)
        penalty = self._lesson.penalty(self._model, targets)
        whole = loss if penalty is None else loss + penalty
        # The gradients of all ranks are summed, and divided by their number.
        (whole * (share * self._world.size)).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return logits.detach()


def end_group() -> None:
    """Leave the other ranks, if they were there."""
    if dist.is_initialized():
        with suppress(RuntimeError):
            dist.destroy_process_group()
