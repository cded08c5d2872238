"""The speed of drawing procedural pictures, as for a training: a process for each core.

    python -m benchmarks.drawing [--size 96] [--processes 2]

The first file of each process, which warms up kernels, is not counted.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from models.procedural import CLASSES
from worker.training.drawings import PER_CLASS, draw_set


def main() -> None:
    """Parse the command line, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=96, help="side of a picture in pixels")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    files = 3 * args.processes
    with tempfile.TemporaryDirectory() as folder:
        times = [
            time.perf_counter()
            for _ in draw_set(Path(folder), size=args.size, files=files, processes=args.processes)
        ]
    # The first item comes before the first file.
    seconds = times[-1] - times[args.processes]
    speed = (files - args.processes) * len(CLASSES) * PER_CLASS / seconds
    print(f"{speed:.0f} pictures a second of {args.size} px, {args.processes} processes")


if __name__ == "__main__":
    main()
