"""The time of an evaluation in exact tiles, over that of an evaluation as a whole, per pixel.

    python -m benchmarks.tiles [--side 1024 --side 2048] [--network palette] [--precision float32]
        [--threads 2] [--rounds 5]

The objective is that of a style transfer by its defaults, without total variation, which is not tiled.
As a whole a picture of ``side`` by ``side`` pixels is evaluated. Of a picture of three by three tiles that
see as many pixels, halos included, the one in the middle is evaluated twice: it has halos on all sides, and
counts for what it owns. Both take turns; the ratio is that of the medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

import torch

from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.registry import load_network
from worker.losses.view_sum import ViewSum
from worker.optim.tiling.tiles import Tiling
from worker.runtime.device import choose_device, choose_dtype
from worker.synthesis import style_transfer as module

# Of one tile that is as large as a picture.
WHOLE = 1 << 50


def main() -> None:
    """Parse the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", type=int, action="append", help="of a tile, in pixels; 1024 and 2048")
    parser.add_argument("--network", default="palette")
    parser.add_argument("--device", type=choose_device, default="cpu")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int, help="threads of torch; else every core")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    for side in args.side or (1024, 2048):
        compare(side, args)


def compare(side: int, args: argparse.Namespace) -> None:
    """Time both for one side of tiles."""
    dtype = choose_dtype(args.device, args.precision)
    params = StyleTransferParams(content="c", style=["s"], size=4096, tv_weight=0, network=args.network)
    resolved = params.resolve(SHIPPED)
    network = load_network(args.network).prepared(args.device, dtype)
    style = noise(256, 256, args.device)

    def loss(height: int, width: int) -> module.LossSum:
        found = module.style_transfer_loss(
            resolved, network, noise(height, width, args.device), [style], budget=WHOLE
        )
        # One of its views, which take turns.
        return found.sums[0] if isinstance(found, ViewSum) else found

    whole = loss(side, side)
    halo = halo_of(whole.tiling)
    owned = side - 2 * halo
    with patch.object(module, "Tiling", middle_of_nine(owned)):
        tiled = loss(3 * owned, 3 * owned)
    (tile, _) = tiled.tiling.tiles
    assert tile.rows.sight == tile.columns.sight == side
    pictures = [noise(*each.tiling.sides, args.device) for each in (whole, tiled)]
    times: list[list[float]] = [[], []]
    for number in range(args.rounds + 1):
        for sums, picture, took in zip((whole, tiled), pictures, times, strict=True):
            seconds = timed(lambda sums=sums, picture=picture: sums(picture))  # type: ignore[misc]
            if number:
                took.append(seconds)
    per_pixel = statistics.median(times[0]) / side**2, statistics.median(times[1]) / (2 * owned**2)
    ratio = per_pixel[1] / per_pixel[0]
    print(
        f"{args.network}, {dtype}, tiles of {side} px with a halo of {halo}: {ratio:.2f} times the time "
        f"of a pixel as a whole ({1e9 * per_pixel[1]:.0f} and {1e9 * per_pixel[0]:.0f} ns)",
        flush=True,
    )


def halo_of(tiling: Tiling) -> int:
    """The halo that tiles of a network have for its layers."""
    height, width = tiling.sides
    smaller = Tiling(height, width, tiling.network, list(tiling.strides), budget=1 << 20)
    first, second = smaller.tiles[:2]
    return first.columns.seen_stop - second.columns.start


def middle_of_nine(owned: int) -> type[Tiling]:
    """Tiles that own squares of a side, of which the one in the middle stands for two of nine."""

    class Middle(Tiling):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[arg-type]
            each = (owned + 2 * halo_of(self)) ** 2 * self._bytes_per_pixel
            kwargs |= {"budget": int(each * 1.0001), "small": False}
            super().__init__(*args, **kwargs)  # type: ignore[arg-type]
            assert len(self.tiles) == 9
            self.tiles = [self.tiles[4]] * 2

    return Middle


def noise(height: int, width: int, device: torch.device | str) -> torch.Tensor:
    """A picture (1, 3, height, width) of noise."""
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height)).to(device)


def timed(action: Callable[[], object]) -> float:
    """Seconds of an action."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
