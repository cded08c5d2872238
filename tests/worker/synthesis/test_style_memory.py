"""What style transfer takes of the memory: of a process of its own, since a peak never comes down again."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import resource
import torch
from app.networks.catalogue import SHIPPED
from app.kinds.style_transfer import StyleTransferParams
from models.registry import load_network
from worker.synthesis.style_transfer import style_transfer_loss

params = StyleTransferParams(content="c", style=["s"]).resolve(SHIPPED)
network = load_network(params.network).prepared(torch.device("cpu"), torch.float32)
content = torch.rand(1, 3, 3072, 4096, generator=torch.Generator().manual_seed(1))
loss = style_transfer_loss(params, network, content, [content[..., :512, :512]])
loss(content.flip(3))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


# In float32: a tile takes as much in bfloat16, whose pictures are float32 anyway.
def test_twelve_megapixels_take_less_than_three_gibibytes() -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 3 << 30
