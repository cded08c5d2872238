"""The memory that a job takes in a process of its own: ``python -m tests.support.job_memory JSON``.

The JSON has ``kind``, ``params`` and ``sides``: width and height of the pictures of each param. Prints the
bytes that were taken beyond the network, and those that were predicted beyond a worker with it.
"""

import json
import re
import sys
from functools import partial
from pathlib import Path

import torch

from app.jobs.admission import memory_of
from app.jobs.history import worker_bytes
from app.kinds import KINDS
from app.kinds.work import NUMBER
from app.networks.catalogue import SHIPPED, get_card
from models.registry import load_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Source
from worker.contract.steps import run_steps
from worker.media.pictures import Picture
from worker.runtime.functions import steps_of
from worker.runtime.heap import return_large_pieces


def noise(width: int, height: int, seed: int) -> Picture:
    return Picture(torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)))


def kilobytes(name: str) -> int:
    (found,) = re.findall(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found)


def main() -> None:
    return_large_pieces()
    torch.set_num_threads(1)
    case = json.loads(sys.argv[1])
    params = KINDS[case["kind"]].params.model_validate(case["params"]).resolve(SHIPPED)
    need = params.network_need()
    assert need is not None
    card, where = get_card(need.name), Compute(torch.device("cpu"), torch.float32)
    network = load_network(need.name).prepared(where.device, where.dtype)
    sources = {
        name: [
            Source(f"{name} {seed}", partial(noise, *case["sides"][name], seed))
            for seed in range(len(references))
        ]
        for name, references in params.pictures().items()
    }
    width, height = case["sides"][next(iter(sources))]
    predicted = memory_of(params, [card], min(width, height) / max(width, height))
    before = kilobytes("VmRSS")
    # 5: count the peak anew (proc_pid_clear_refs(5)).
    Path("/proc/self/clear_refs").write_text("5")
    run_steps(steps_of(params, Inputs(sources), network, where), lambda _: None)
    taken = 1024 * (kilobytes("VmHWM") - before)
    print(json.dumps([taken, predicted - worker_bytes() - NUMBER * card.parameters]))


if __name__ == "__main__":
    main()
