"""A further rank of a training on several devices: ``python -m worker.training.rank --device cuda:1``.

Rank 0 starts it, or ``torchrun`` does. It takes a model from rank 0, and makes each step with it, until it is
told to end, or rank 0 is gone.
"""

import argparse
import io
import logging
import os
import signal

import torch
import torch.distributed as dist
from torch import nn

from app.settings import Settings
from app.supervision.parent_watch import exit_with_parent
from worker.contract.compute import Compute
from worker.runtime.device import choose_devices
from worker.training.learner import Lesson
from worker.training.ranks import POLL, Command, ShareLearner, World, open_store

log = logging.getLogger("worker.training.rank")


def serve(world: World, device: torch.device) -> None:
    """Do what rank 0 says until the end."""
    world.store.set(f"ready/{world.rank}", "yes")
    backend = _next(world, "backend").decode()
    world.begin(device, backend)
    learner: ShareLearner | None = None
    number = 0
    while True:
        command = Command.model_validate_json(_next(world, f"command/{number}"))
        number += 1
        match command.order:
            case "end":
                return
            case "learn":
                model, optimizer, lesson, dtype, threads = _receive(device)
                torch.set_num_threads(threads)
                learner = ShareLearner(model, optimizer, lesson, Compute(device, dtype), world)
            case "step":
                if learner is None:
                    raise RuntimeError("there is no model to learn with")
                _step(command, learner, world, device, backend)


def _step(command: Command, learner: ShareLearner, world: World, device: torch.device, backend: str) -> None:
    where = torch.device("cpu") if backend == "gloo" else device
    size = command.sizes[world.rank]
    inputs, targets = (
        torch.empty(size, *command.shape, device=where),
        torch.empty(size, command.classes, device=where),
    )
    dist.recv(inputs, 0)
    dist.recv(targets, 0)
    learner.set_rates(command.rates)
    logits = learner.step(inputs.to(device), targets.to(device), command.shares[world.rank], command.seed)
    dist.send(logits.to(where), 0)


def _next(world: World, key: str) -> bytes:
    """The value of a key, as soon as it is there."""
    while True:
        try:
            world.store.wait([key], POLL)
        except dist.DistStoreError:
            continue
        value: bytes = world.store.get(key)
        return value


def _receive(device: torch.device) -> tuple[nn.Module, torch.optim.Optimizer, Lesson, torch.dtype, int]:
    """Model, optimizer, lesson, dtype and threads, of rank 0."""
    held: list[bytes] = [b""]
    dist.broadcast_object_list(held, 0, device=device)
    # What this program's own rank 0 has just packed.
    model, optimizer, *others = torch.load(io.BytesIO(held[0]), map_location="cpu", weights_only=False)
    model.to(device)
    for state in optimizer.state.values():
        # Counts of steps stay on the CPU.
        state |= {key: value.to(device) for key, value in state.items() if value.ndim > 0}
    return (model, optimizer, *others)


def help_rank_0(settings: Settings) -> None:
    """Serve in a process that ``torchrun`` has started, on its own device of the settings."""
    devices = choose_devices(settings, settings.device, "training")
    rank = int(os.environ["RANK"])
    serve(World(rank, len(devices), open_store(is_master=False)), devices[rank])


def main() -> None:
    """Read the environment of ``torchrun`` and the command line, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", required=True)
    device = torch.device(parser.parse_args().device)
    # Ctrl-C reaches the whole process group; rank 0 decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent()
    store = open_store(is_master=False)
    serve(World(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), store), device)


if __name__ == "__main__":
    main()
