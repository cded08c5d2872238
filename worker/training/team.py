"""Training on several devices as rank 0 does it: it starts the others, and shares each batch with them."""

import atexit
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import torch
import torch.distributed as dist
from torch import Tensor, nn

from app.supervision.parent_watch import with_parent
from models.trainable import Trainable
from worker.contract.compute import Compute
from worker.runtime.failures import DeviceBroken
from worker.training.learner import Classes, Learner, Lesson, LocalLearner
from worker.training.plan import pack_state, plan_of
from worker.training.ranks import (
    Command,
    ShareLearner,
    World,
    backend_for,
    end_group,
    new_store,
    open_store,
    shares_of,
    stay_local,
)

log = logging.getLogger("worker.training.team")

# In which a rank has to start: torch and the driver of its device have to be loaded.
START_SECONDS = 180.0
LOOK_SECONDS = 0.2
# How long a process takes to end, of which the connection has ended.
DYING_SECONDS = 3.0
# How long this process has to notice by itself that a rank is lost, before it ends.
NOTICE_SECONDS = 20.0


class RanksLost(DeviceBroken):
    """Another rank of this training has ended. This process ends, too; the next goes on with the job."""


class Team:
    """The ranks beside this one, on devices of their own. They last as long as this process."""

    def __init__(self, devices: Sequence[torch.device]) -> None:
        """Start a rank on each device but the first, which is this process's; or find those of torchrun.

        Raises RanksLost if one does not start.
        """
        self.devices = tuple(devices)
        self.closed = False
        self._children: list[subprocess.Popen[bytes]] = []
        self._commands = 0
        self.world = self._join() if "RANK" in os.environ else self._start()
        self._wait_for_ranks()
        self.backend = backend_for(self.devices)
        self.world.store.set("backend", self.backend)
        self.world.begin(self.devices[0], self.backend)
        threading.Thread(target=self._watch, name="ranks", daemon=True).start()
        atexit.register(self.close)

    def order(self, command: Command) -> None:
        """Tell the other ranks what comes next."""
        self.world.store.set(f"command/{self._commands}", command.model_dump_json())
        # All have read the one before the last: each ends with an exchange.
        self.world.store.delete_key(f"command/{self._commands - 2}")
        self._commands += 1

    def lost(self, seconds: float = 0.0) -> str | None:
        """Which rank has ended and how, or does so within some seconds; None: all are there."""
        until = time.monotonic() + seconds
        while True:
            for rank, child in enumerate(self._children, start=1):
                if (code := child.poll()) is not None:
                    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                    return f"rank {rank} of the training, on {self.devices[rank]}, ended with {how}"
            if time.monotonic() >= until:
                return None
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """End the other ranks."""
        if self.closed:
            return
        if not self._children:
            with suppress(RuntimeError):
                self.order(Command(order="end"))
        self.closed = True
        for child in self._children:
            child.kill()
        for child in self._children:
            child.wait()
        end_group()

    def _join(self) -> World:
        """The ranks that torchrun has started, which may have a store of its own."""
        is_master = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
        size = int(os.environ["WORLD_SIZE"])
        if size != len(self.devices):
            raise RanksLost(f"torchrun has started {size} ranks, for {len(self.devices)} devices")
        return World(0, size, open_store(is_master=is_master))

    def _start(self) -> World:
        stay_local()
        store = new_store()
        size = len(self.devices)
        for rank, device in enumerate(self.devices[1:], start=1):
            environment = {
                **with_parent(os.environ),
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(size),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(store.port),
            }
            command = [sys.executable, "-P", "-m", "worker.training.rank", "--device", str(device)]
            child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603
            self._children.append(child)
        return World(0, size, store)

    def _wait_for_ranks(self) -> None:
        began = time.monotonic()
        keys = [f"ready/{rank}" for rank in range(1, self.world.size)]
        while not self.world.store.check(keys):
            lost = self.lost()
            if lost is None and time.monotonic() - began > START_SECONDS:
                lost = f"no rank on one of {', '.join(map(str, self.devices[1:]))} in {START_SECONDS:g} s"
            if lost is not None:
                self.close()
                raise RanksLost(lost)
            time.sleep(LOOK_SECONDS)

    def _watch(self) -> None:
        """End this process if a rank has ended and it waits for that for ever, as NCCL may."""
        while not self.closed:
            time.sleep(LOOK_SECONDS)
            lost = self.lost()
            if lost is None or self.closed:
                continue
            time.sleep(NOTICE_SECONDS)
            if not self.closed:
                log.critical("this process ends: %s", lost)
                os._exit(os.EX_UNAVAILABLE)


@contextmanager
def _together(team: Team) -> Iterator[None]:
    """What all ranks do with each other. Raises RanksLost if one has ended; whatever fails ends the team."""
    try:
        yield
    except BaseException as error:
        # The others may wait for this one in the middle of it.
        lost = team.lost(DYING_SECONDS) if isinstance(error, RuntimeError) else None
        team.close()
        if lost is not None:
            raise RanksLost(lost) from error
        raise


class TeamLearner:
    """Learns from batches of which each rank takes a share."""

    def __init__(
        self,
        model: Trainable,
        optimizer: torch.optim.Optimizer,
        lesson: Classes,
        compute: Compute,
        team: Team,
    ) -> None:
        self._optimizer = optimizer
        self._lesson = lesson
        self._team = team
        self._device = compute.device
        with _together(team):
            self._own = self._begin(model, compute)

    def _begin(self, model: Trainable, compute: Compute) -> ShareLearner:
        """Tell the others what to learn, and send them the weights."""
        team, optimizer, lesson = self._team, self._optimizer, self._lesson
        state = bytearray(pack_state(model, optimizer))
        plan = plan_of(model, optimizer, lesson, compute)
        team.order(Command(order="learn", plan=plan, state_bytes=len(state)))
        where = torch.device("cpu") if team.backend == "gloo" else compute.device
        dist.broadcast(torch.frombuffer(state, dtype=torch.uint8).to(where), 0)
        return ShareLearner(model, optimizer, lesson, compute, team.world)

    def step(self, inputs: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """See :class:`worker.training.learner.Learner`. Raises RanksLost if a rank has ended."""
        with _together(self._team):
            return self._step(inputs, targets, seed)

    def _step(self, inputs: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        team = self._team
        sizes, shares = shares_of(len(inputs), team.world.size)
        rates = [group["lr"] for group in self._optimizer.param_groups]
        shape, classes = list(inputs.shape[1:]), targets.shape[1]
        team.order(
            Command(
                order="step", sizes=sizes, shares=shares, shape=shape, classes=classes, rates=rates, seed=seed
            )
        )
        where = torch.device("cpu") if team.backend == "gloo" else self._device
        whole = sum(sizes) > len(inputs)
        for rank in range(1, team.world.size):
            begin = 0 if whole else sum(sizes[:rank])
            own = slice(begin, begin + sizes[rank])
            dist.send(inputs[own].contiguous().to(where), rank)
            dist.send(targets[own].contiguous().to(where), rank)
        logits = [self._own.step(inputs[: sizes[0]], targets[: sizes[0]], shares[0], seed)]
        for rank in range(1, team.world.size):
            theirs = torch.empty(sizes[rank], logits[0].shape[1], device=where)
            dist.recv(theirs, rank)
            logits.append(theirs.to(self._device))
        found = logits[0] if whole else torch.cat(logits)
        with torch.no_grad():
            return self._lesson.objective(found, targets), found


_team: Team | None = None


def make_learner(
    model: nn.Module, optimizer: torch.optim.Optimizer, lesson: Lesson, compute: Compute
) -> Learner:
    """What learns on the devices of ``compute``: a network on all of them, all else on the first.

    Raises RanksLost if the other ranks cannot be started.
    """
    global _team
    if not compute.partners or not isinstance(model, Trainable) or not isinstance(lesson, Classes):
        return LocalLearner(model, optimizer, lesson, compute)
    devices = (compute.device, *compute.partners)
    if _team is None or _team.closed or _team.devices != devices:
        if _team is not None:
            _team.close()
        _team = Team(devices)
    return TeamLearner(model, optimizer, lesson, compute, _team)
