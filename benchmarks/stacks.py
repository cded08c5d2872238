"""Jobs that are computed together, compared with the same jobs one by one.

    python -m benchmarks.stacks [--contents 20] [--styles 10] [--size 128] [--steps 20] [--threads 2]
    python -m benchmarks.stacks --passes [--threads 2]

A worker in this process paints a matrix of pictures in styles with `palette`, on SQLite with a temporary data
folder: each style first one job after the other with nothing kept between them, then as a batch, in turns, so
that other load on the machine slows both alike. Printed are seconds a job and the ratio, by the clock and by
the processor's time, which other load changes less. With ``--passes`` it is evaluations of the loss alone:
milliseconds a picture of 1, 2, 4 and 8 together, in turns.
"""

import argparse
import logging
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from app.database.migrations import upgrade
from app.jobs import repository
from app.jobs.job import Job
from app.jobs.preparing import Preparer
from app.jobs.states import State
from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from app.settings import Settings
from tests.support.strange_pictures import noise
from tests.support.worker_context import add_picture
from worker.contract.compute import Compute
from worker.networks.loading import NetworkLoader
from worker.optim.kept import TARGETS
from worker.optim.together import Wanted, evaluate_all
from worker.runtime.context import WorkerContext, make_context
from worker.runtime.device import choose_dtype
from worker.runtime.inputs import DECODED
from worker.runtime.run_job import run_next
from worker.runtime.warm_up import warm_up
from worker.synthesis.style_transfer import style_transfer_loss

PHOTOGRAPH, PAINTING = (1024, 768), (900, 1100)
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
ROUNDS = 5


@dataclass
class Times:
    """Seconds by the clock and of the processor, of jobs."""

    clock: float = 0.0
    processor: float = 0.0
    jobs: int = 0

    def add(self, began: tuple[float, float], jobs: int) -> None:
        """Count what has passed since ``began``."""
        clock, processor = now()
        self.clock += clock - began[0]
        self.processor += processor - began[1]
        self.jobs += jobs


def now() -> tuple[float, float]:
    """The clock, and the processor's time of this process."""
    return time.perf_counter(), time.process_time()


def drain(context: WorkerContext, times: Times, queued: Sequence[Job], *, keep: bool) -> list[Job]:
    """Run all jobs that wait; without ``keep`` nothing is left of one for the next."""
    began = now()
    stop = threading.Event()
    while run_next(context, ["long"], stop):
        if not keep:
            TARGETS.clear()
            DECODED.clear()
    times.add(began, len(queued))
    ended = [repository.get_job(context.engine, job.id) for job in queued]
    assert all(job.state is State.SUCCEEDED for job in ended)
    return ended


def matrix(options: argparse.Namespace) -> None:
    """Paint the matrix, a style at a time, one by one and together."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), threads=options.threads)
        upgrade(settings.resolved_database_url)
        context = make_context(settings, "benchmark", "cpu")
        warm_up(context.networks, context.compute)
        preparer = Preparer(context.engine, settings)

        def queue(style: str, batch_id: str | None) -> list[Job]:
            given = {"style": [style], "size": options.size, "steps": options.steps}
            checked = [
                preparer.check_one(preparer.parse("style_transfer", {"content": content, **given}))
                for content in contents
            ]
            return [
                repository.create_job(context.engine, preparer.new_job(each, batch_id=batch_id))[0]
                for each in checked
            ]

        contents = [add_picture(context, noise(seed=n, size=PHOTOGRAPH)) for n in range(options.contents)]
        styles = [add_picture(context, noise(seed=999 - n, size=PAINTING)) for n in range(options.styles)]
        alone, together, sizes = Times(), Times(), []
        drain(context, Times(), queue(styles[0], None)[:1], keep=False)
        for style in styles:
            drain(context, alone, queue(style, None), keep=False)
            ended = drain(context, together, queue(style, "batch"), keep=True)
            sizes += [job.result["recipe"]["stack_size"] for job in ended if job.result is not None]
        context.engine.dispose()
    dtype = str(context.compute.dtype).removeprefix("torch.")
    print(
        f"{options.contents} contents x {options.styles} styles at {options.size} px, {options.steps} steps, "
        f"{options.threads} threads, {dtype}"
    )
    for name, times in (("one by one", alone), ("together", together)):
        clock, processor = times.clock / times.jobs, times.processor / times.jobs
        print(f"  {name:12} {clock:7.3f} s a job, {processor:7.3f} s of the processor")
    clock, processor = together.clock / alone.clock, together.processor / alone.processor
    print(f"  {'ratio':12} {clock:7.2f}          {processor:7.2f}   (largest stack {max(sizes)})")


def passes(options: argparse.Namespace) -> None:
    """Time evaluations of the losses of several pictures together."""
    torch.set_num_threads(options.threads)
    device = torch.device("cpu")
    network = NetworkLoader().prepared("palette", "average", Compute(device, choose_dtype(device, "auto")))
    params = StyleTransferParams.model_validate({"content": "c", "style": ["s"]}).resolve(SHIPPED)
    counts = (1, 2, 4, 8)
    print(f"milliseconds a picture, {options.threads} threads, {network.dtype}")
    for side in (96, 128, 181, 256, 362):
        content, style, *pictures = torch.rand(2 + max(counts), 1, 3, side, side)
        loss = style_transfer_loss(params, network, content, [style])
        wanted = [Wanted(loss, picture) for picture in pictures]
        best = dict.fromkeys(counts, float("inf"))
        for _ in range(ROUNDS):
            for count in counts:
                began = time.perf_counter()
                evaluate_all(wanted[:count])
                best[count] = min(best[count], (time.perf_counter() - began) / count)
        row = "  ".join(
            f"{count}: {1e3 * best[count]:7.1f} ({best[count] / best[1]:.2f})" for count in counts
        )
        print(f"  {side} px  {row}", flush=True)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contents", type=int, default=20)
    parser.add_argument("--styles", type=int, default=10)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--passes", action="store_true", help="measure evaluations alone")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    (passes if options.passes else matrix)(options)


if __name__ == "__main__":
    main()
