"""What happens when memory runs out: of a process of its own, whose memory is really limited."""

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SIDE = 1024
# MiB that the process may take beyond what it has after a run without a limit. How much is too little, and
# how much enough after a rung, depends on the processor, and on how full the gaps of the heap are.
LIMITS = (650, 750, 550, 700, 450)

SCRIPT = """
import json
import re
import resource
import sys
from pathlib import Path

import torch

torch.set_num_threads(1)

from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.registry import load_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import run_steps
from worker.optim import ladder
from worker.synthesis.style_transfer import style_transfer

# As suits a picture that does not take long.
ladder.LEAST_TILE_BYTES = 8 << 20
network = load_network("palette").prepared(torch.device("cpu"), torch.float32)
generator = torch.Generator().manual_seed(1)
pictures = {name: [torch.rand(1, 3, SIDE, SIDE, generator=generator)] for name in ("content", "style")}
layers = {"style_layers": {"relu1_1": 1, "relu2_1": 1}, "content_layers": {"relu2_1": 1}}
asked = StyleTransferParams(content="c", style=["s"], size=SIDE, steps=2, preset="gatys-2016", **layers)
params = asked.resolve(SHIPPED)


def paint(resume=None):
    losses, state = [], None

    def note(step):
        nonlocal state
        losses.append(step.losses()["total"])
        state = state or step.state()

    steps = style_transfer(params, Inputs.of(pictures), network, Compute(torch.device("cpu")), resume)
    made = run_steps(steps, note)
    return made.images["image"], made.result.get("reductions"), losses, state


free = paint()[2]
size = int(re.search(r"VmSize:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + (int(sys.argv[1]) << 20),) * 2)
try:
    picture, reductions, losses, state = paint()
    again, resumed, _, _ = paint(state)
    same = bool((picture == again).all())
    said = {"reductions": reductions, "resumed": resumed, "same": same, "losses": losses}
except Exception as error:
    said = {"error": str(error), "known": ladder.is_out_of_memory(error)}
print(json.dumps({"free": free, **said}))
""".replace("SIDE", str(SIDE))


def painted(limit: int) -> dict[str, Any]:
    ended = subprocess.run([sys.executable, "-c", SCRIPT, str(limit)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_a_picture_that_does_not_fit_is_painted_in_smaller_tiles_and_resumed_so() -> None:
    tried = []
    for limit in LIMITS:
        tried.append(found := painted(limit))
        if found.get("reductions") and found["resumed"] == found["reductions"]:
            break
    else:
        raise AssertionError(tried)
    # Bit for bit after it was resumed, and up to rounding what it would have been.
    assert found["same"]
    assert found["losses"] == pytest.approx(found["free"], rel=1e-4)


def test_where_nothing_helps_it_ends() -> None:
    assert painted(2)["known"]
