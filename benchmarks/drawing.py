"""How fast the procedural pictures are drawn.

    python -m benchmarks.drawing [--size 96] [--count 512] [--device cpu]

All classes take turns, in batches, as a training draws them. The first batch, which brings kernels up, is not
counted.
"""

import argparse
import time

import torch

from models.procedural import CLASSES, draw
from worker.device import choose_device


def main() -> None:
    """Read the command line, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=96, help="side of a picture in pixels")
    parser.add_argument("--count", type=int, default=512, help="pictures of each batch")
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--device", type=choose_device, default="cpu")
    args = parser.parse_args()
    seconds = []
    for batch in range(args.batches + 1):
        numbers = torch.arange(args.count) % len(CLASSES)
        start = time.perf_counter()
        draw(numbers, torch.arange(args.count) + batch * args.count, args.size, device=args.device).cpu()
        seconds.append(time.perf_counter() - start)
    middle = sorted(seconds[1:])[args.batches // 2]
    print(f"torch {torch.__version__}, {args.device}, {torch.get_num_threads()} threads")
    print(
        f"{args.count / middle:.0f} pictures a second of {args.size} px, the middle of {args.batches} batches"
    )


if __name__ == "__main__":
    main()
