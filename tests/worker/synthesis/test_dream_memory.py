"""What a dream takes of the memory: of a process of its own, since a peak never comes down again."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import resource
import torch
from app.networks.catalogue import SHIPPED
from app.kinds.deep_dream import DeepDreamParams
from models.registry import load_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import run_steps
from worker.synthesis.deep_dream import deep_dream

params = DeepDreamParams(image="i", size=4000, octaves=2, steps=1).resolve(SHIPPED)
compute = Compute(torch.device("cpu"), torch.float32)
network = load_network(params.network).prepared(compute.device, compute.dtype)
picture = torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(1))
outcome = run_steps(deep_dream(params, Inputs.of({"image": [picture]}), network, compute))
assert outcome.images["image"].shape == (1, 3, 3000, 4000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


# In float32: a tile takes as much in bfloat16, whose pictures are float32 anyway.
def test_twelve_megapixels_take_less_than_four_gigabytes() -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 4e9
