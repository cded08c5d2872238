"""The memory of one evaluation of the loss of style transfer, its targets included.

    python -m benchmarks.style_memory [--width 4096] [--height 3072] [--precision auto] [--threads 2]

Peaks are those of the process, torch included, after the pictures were drawn, the loss built and evaluated.
The style is as large as the content. The dtype is the one that a worker would choose for ``--precision``.
"""

import argparse
import resource
import time

import torch

from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.registry import load_network
from worker.runtime.device import choose_device, choose_dtype
from worker.synthesis.style_transfer import style_transfer_loss


def main() -> None:
    """Parse the command line, build the loss, evaluate it, print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--height", type=int, default=3072)
    parser.add_argument("--device", type=choose_device, default="cpu")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--threads", type=int, help="threads of torch; else every core")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    dtype = choose_dtype(args.device, args.precision)
    params = StyleTransferParams(content="c", style=["s"]).resolve(SHIPPED)
    network = load_network(params.network).prepared(args.device, dtype)
    generator = torch.Generator().manual_seed(1)
    content, style = (
        torch.rand(1, 3, args.height, args.width, generator=generator).to(args.device) for _ in range(2)
    )
    print(f"{args.width}x{args.height}, {dtype}, {args.device}, {torch.get_num_threads()} threads")
    _report("pictures", 0)
    start = time.perf_counter()
    loss = style_transfer_loss(params, network, content, [style])
    _report("loss built", time.perf_counter() - start)
    start = time.perf_counter()
    loss(0.9 * content)
    _report(f"evaluated in {len(loss.tiling.tiles)} tiles", time.perf_counter() - start)


def _report(what: str, seconds: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what:>24}: peak {peak:.2f} GiB, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
