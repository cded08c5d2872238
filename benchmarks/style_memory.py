"""The memory of a whole style transfer: its last two scales, with previews, checkpoints and the file.

    python -m benchmarks.style_memory [--width 4096] [--height 3072] [--precision auto] [--threads 2]
        [--steps 4] [--tiles N] [--folder FOLDER]

Peaks are those of the process, torch included; after each line they are counted anew. The style is as large
as the content. As in a worker, pictures are decoded when they are asked for; after the last step but one a
preview and a checkpoint are saved, and in the end the file. A run that is given the ``--folder`` of one
before goes on from the checkpoint that is there. The dtype is the one that a worker would choose for
``--precision``. With ``--tiles`` no more than so many tiles of a picture are evaluated: the result is of no
use, but the memory is that of all.
"""

import argparse
import re
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from app.jobs.admission import memory_of
from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.kinds.work import SPENDINGS
from app.networks.catalogue import SHIPPED, get_card
from app.storage import FolderStorage
from models.registry import load_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Source
from worker.contract.steps import Step, run_steps
from worker.losses import sources
from worker.media.pictures import Picture, encode_preview
from worker.optim.pyramids.scales import resize
from worker.optim.tiling.tiles import Tiling
from worker.runtime import checkpoints
from worker.runtime.artifacts import encode
from worker.runtime.device import choose_device, choose_dtype
from worker.synthesis import style_transfer as module
from worker.synthesis.plan import Scale, plan_scales

KIND = "style_transfer"
CHECKPOINT = "checkpoint"


class Peaks:
    """Prints the peak of each part of a run; ``largest`` is that of all, in bytes."""

    def __init__(self) -> None:
        self.largest = 0
        self._since = time.perf_counter()

    def report(self, what: str) -> None:
        """The peak since the last report, and the time."""
        status = Path("/proc/self/status").read_text()
        (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        peak, now = int(kilobytes) * 1024, time.perf_counter()
        self.largest = max(self.largest, peak)
        print(f"{what:>24}: {peak / 2**30:5.2f} GiB, {now - self._since:6.1f} s", flush=True)
        # 5: count the peak anew (proc_pid_clear_refs(5)).
        Path("/proc/self/clear_refs").write_text("5")
        self._since = now


def main() -> None:
    """Parse the command line, paint, print the peaks, and what was predicted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--height", type=int, default=3072)
    parser.add_argument("--device", type=choose_device, default="cpu")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--threads", type=int, help="threads of torch; else every core")
    parser.add_argument("--steps", type=int, default=4, help="at the last scale; 1 at the one before")
    parser.add_argument("--tiles", type=int, help="evaluate so many tiles of a picture, not all")
    parser.add_argument(
        "--folder", type=Path, help="keeps the checkpoint, and goes on from one that is there"
    )
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as scratch:
        paint(args, args.folder or Path(scratch))


def paint(args: argparse.Namespace, folder: Path) -> None:
    """Run the job, from the checkpoint in the folder if there is one."""
    dtype = choose_dtype(args.device, args.precision)
    size = max(args.width, args.height)
    params = StyleTransferParams(content="c", style=["s"], size=size, steps=args.steps + 1).resolve(SHIPPED)
    network = load_network(params.network).prepared(args.device, dtype)
    shape = min(args.width, args.height) / size
    predicted = memory_of(params, [get_card(params.network)], shape, SPENDINGS[0])
    print(f"{args.width}x{args.height}, {dtype}, {args.device}, {torch.get_num_threads()} threads")
    storage, peaks = FolderStorage(folder), Peaks()
    resume = None
    if (folder / CHECKPOINT).exists():
        resume, _ = checkpoints.load(storage, CHECKPOINT, KIND)
    # Of all scales the last two are what takes the memory, and the change from the one to the other.
    module.plan_scales = partial(_last_two, args.steps)  # type: ignore[assignment]
    if args.tiles:
        module.Tiling = partial(_Fewer, args.tiles)  # type: ignore[assignment,misc]
        sources.Tiling = partial(_Fewer, args.tiles)  # type: ignore[assignment,misc]

    def on_step(step: Step) -> None:
        peaks.report(f"step {step.done} of {step.total}")
        if step.done == step.total - 1 and step.image is not None:
            storage.put("preview", encode_preview(step.image()))
            peaks.report("preview")
            checkpoints.save(storage, CHECKPOINT, KIND, step.state(), {}, "parts")
            peaks.report("checkpoint")

    inputs = Inputs(
        {
            name: [Source("", partial(_drawn, args.height, args.width, grain))]
            for name, grain in (("content", 16), ("style", 4))
        }
    )
    peaks.report("begun" if resume is None else "checkpoint read")
    outcome = run_steps(
        module.style_transfer(params, inputs, network, Compute(args.device, dtype), resume), on_step
    )
    peaks.report("end")
    for file in encode(outcome, inputs.alpha("content"), {"kind": KIND}):
        storage.put(file.name, file.data)
    peaks.report("file")
    # Going back drops the pairs of L-BFGS, and the peak is then not that of a job.
    print(f"{'went back':>24}: {outcome.result['rollbacks']} times")
    print(f"{'all':>24}: {peaks.largest / 2**30:5.2f} GiB; predicted {predicted / 2**30:.2f} GiB")


def _last_two(steps: int, params: ResolvedStyleTransfer, *args: Any) -> list[Scale]:
    # With a step for each scale none is left out.
    plan = plan_scales(params.model_copy(update={"steps": 100}), *args)
    return [replace(scale, steps=count) for scale, count in zip(plan[-2:], (1, steps), strict=True)]


class _Fewer(Tiling):
    def __init__(self, tiles: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.tiles[max(2, tiles) :]


def _drawn(height: int, width: int, grain: int) -> Picture:
    """Noise of a grain in pixels: with another one than the content's a style has something to change."""
    generator = torch.Generator().manual_seed(grain)
    coarse = torch.rand(1, 3, max(1, height // grain), max(1, width // grain), generator=generator)
    return Picture(resize(coarse, height, width))


if __name__ == "__main__":
    main()
