"""What the C library keeps of the memory that is freed, of a process of its own."""

import subprocess
import sys

import pytest

RUN = """
import re, sys
from pathlib import Path
import torch
from worker.runtime.heap import PIECE_BYTES, return_large_pieces

def megabytes():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10

if sys.argv[1] == "bounded":
    return_large_pieces()
# The C library's own bound rises to what is freed.
torch.ones(31 << 20, dtype=torch.uint8)
before = megabytes()
pieces = [torch.ones(PIECE_BYTES + (1 << 20), dtype=torch.uint8) for _ in range(20)]
del pieces[:-1]
print(megabytes() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Only glibc has the bound.")
def test_large_pieces_go_back_to_the_system_below_others_that_are_in_use() -> None:
    kept = {
        how: int(subprocess.run([sys.executable, "-c", RUN, how], capture_output=True, check=True).stdout)
        for how in ("bounded", "unbounded")
    }
    assert kept["bounded"] < 40
    assert kept["unbounded"] > 300
