"""What a dream takes of the memory: of a process of its own, since a peak never comes down again."""

import subprocess
import sys

import pytest
import torch

from worker.runtime.device import has_native_bfloat16

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
compute = Compute(torch.device("cpu"), getattr(torch, "{dtype}"))
network = load_network(params.network).prepared(compute.device, compute.dtype)
picture = torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(1))
outcome = run_steps(deep_dream(params, Inputs.of({{"image": [picture]}}), network, compute))
assert outcome.images["image"].shape == (1, 3, 3000, 4000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


# Emulated, bfloat16 takes half an hour; no worker chooses it by itself then.
DTYPES = ["float32", *["bfloat16"] * has_native_bfloat16(torch.device("cpu"))]


@pytest.mark.parametrize("dtype", DTYPES)
def test_twelve_megapixels_take_less_than_four_gigabytes(dtype: str) -> None:
    script = SCRIPT.format(dtype=dtype)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 4e9
