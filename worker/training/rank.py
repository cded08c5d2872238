"""A further rank of a training on several devices: ``python -m worker.training.rank --device cuda:1``.

Rank 0 starts it, or ``torchrun`` does. It takes a model from rank 0, and makes each step with it, until it is
told to end, or rank 0 is gone.
"""

import argparse
import logging
import os
import signal

import torch
import torch.distributed as dist

from app.settings import Settings
from app.supervision.parent_watch import exit_with_parent
from worker.runtime.device import choose_devices
from worker.training.plan import unpack_state
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
                learner = _learner(command, world, device, backend)
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


def _learner(command: Command, world: World, device: torch.device, backend: str) -> ShareLearner:
    """What learns as rank 0 does, from its plan."""
    plan = command.plan
    if plan is None:
        raise RuntimeError("there is no plan to learn by")
    where = torch.device("cpu") if backend == "gloo" else device
    state = torch.empty(command.state_bytes, dtype=torch.uint8, device=where)
    dist.broadcast(state, 0)
    torch.set_num_threads(plan.threads)
    model = plan.model(device)
    optimizer = plan.make_optimizer(model)
    unpack_state(state.cpu().numpy().tobytes(), model, optimizer)
    return ShareLearner(model, optimizer, plan.lesson(), plan.compute(device), world)


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
