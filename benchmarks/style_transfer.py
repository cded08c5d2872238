"""Style transfer: this engine compared with a plain restatement of neural-style-pt's loop.

    python -m benchmarks.style_transfer [--size 256] [--steps 300] [--pairs FOLDER] [--only NAME,NAME]

Everything runs in one process on the same network and pictures, in turns step by step, so that other load on
the machine slows all alike. All minimize the same objective, neural-style's without its total variation
(which the two define differently), from the same picture; it is evaluated in float32 for all, outside the
measured time. The last tables are for the default preset. Ratios are medians over pairs of a content and a
style: photographs and drawings, or those of ``--pairs``, a folder as benchmarks.style_quality takes.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.kinds.style_presets import PRESETS, Optimizer
from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.kinds.work import HISTORY, scale_sides
from app.networks.catalogue import SHIPPED
from benchmarks.style_quality.pairs import Pair, choose, drawn_pairs, listed_pairs, photograph_pairs
from models.network import Network
from models.registry import load_network
from worker.media.pictures import load_picture
from worker.optim.descent import Descent
from worker.optim.optimizers.lbfgs import LBFGS
from worker.optim.optimizers.preconditioned_lbfgs import PreconditionedLBFGS
from worker.optim.pyramids.scales import fit, resize, share_steps
from worker.runtime.device import choose_device, has_native_bfloat16
from worker.synthesis.style_transfer import style_transfer_loss, weighted_layers

PEER = "neural-style-pt restated, float32"

# Ratios to the first row, which is 1: seconds a step; the loss after the last step, and that of the picture
# clamped to [0, 1], as it is saved; seconds until the loss is within 5 % of the first one's last, and until
# the saved picture's is as low as the first row's last one.
HEADS = ("", "s a step", "loss", "saved", "s to loss", "s to saved")
WIDTHS = (46, 10, 8, 8, 20, 20)
NEAR = 1.05

# Four photographs and two drawings with drawn styles, of benchmarks.style_quality.
USUAL = "china+brushwork,china+pen,flower+strokes,flower+dots,bridge+mask,tower+planes"

# How the engine descends, with its optimizer and the longer side of its coarsest scale; None: one scale.
COARSEST = PRESETS["impasto"].coarsest
WAYS: tuple[tuple[str, Optimizer, int | None], ...] = (
    ("one scale, L-BFGS", "lbfgs", None),
    ("one scale, preconditioned", "preconditioned_lbfgs", None),
    ("coarse to fine, preconditioned", "preconditioned_lbfgs", COARSEST),
)


@dataclass
class Contestant:
    """An implementation under test: each ``next`` takes a step, and gives the picture that was evaluated.

    ``losses`` and ``saved`` are the losses, by step, of the picture and of the clamped picture.
    """

    name: str
    steps: Iterator[Tensor]
    seconds: list[float] = field(default_factory=list)
    losses: dict[int, float] = field(default_factory=dict)
    saved: dict[int, float] = field(default_factory=dict)
    picture: Tensor = field(default_factory=lambda: torch.empty(0))

    def step(self) -> None:
        """Take a step and record its time."""
        start = time.perf_counter()
        self.picture = next(self.steps)
        self.seconds.append(time.perf_counter() - start)

    def look(self, judge: Callable[[Tensor], float]) -> None:
        """Record the losses."""
        step, cut = len(self.seconds), self.picture.clamp(0, 1)
        self.losses[step] = judge(self.picture)
        self.saved[step] = self.losses[step] if torch.equal(cut, self.picture) else judge(cut)

    def seconds_to(self, losses: dict[int, float], loss: float) -> float:
        """Seconds until one of the losses was first at or below this; infinite if never."""
        steps = (step for step, seen in losses.items() if seen <= loss)
        return sum(self.seconds[: next(steps, 0)]) or math.inf


def neural_style_pt(
    network: Network, content: Tensor, style: Tensor, params: ResolvedStyleTransfer
) -> Iterator[Tensor]:
    """neural-style-pt restated from its formulas: float32, plain autograd, torch's L-BFGS with 100 pairs.

    The mean squared error of content features times 5, that of Gram matrices over their number of features
    and positions times 100, on activations as large as Caffe's, of an unbounded picture in levels of 0 to
    255.
    """

    def gram(features: Tensor) -> Tensor:
        rows = features.flatten(2)[0]
        return rows @ rows.T / rows.numel()

    content_layers, style_layers = weighted_layers(params)
    alpha, beta = params.content_weight, params.style_weight

    def caffe(picture: Tensor) -> dict[str, Tensor]:
        found = network.features(picture / 255, {**content_layers, **style_layers})
        return {name: 100 * features for name, features in found.items()}

    with torch.no_grad():
        contents = {name: found for name, found in caffe(255 * content).items() if name in content_layers}
        grams = {name: gram(found) for name, found in caffe(255 * style).items() if name in style_layers}
    picture = (255 * content).requires_grad_()
    # One iteration a call is the same as a thousand in one, since the state is kept in between.
    optimizer = torch.optim.LBFGS(
        [picture], lr=1, max_iter=1, history_size=100, tolerance_grad=-1, tolerance_change=-1
    )
    seen = content

    def closure() -> Tensor:
        nonlocal seen
        seen = picture.detach() / 255
        optimizer.zero_grad()
        found = caffe(picture)
        loss = torch.zeros(())
        for name, target in contents.items():
            loss = loss + alpha * content_layers[name] * F.mse_loss(found[name], target)
        for name, target in grams.items():
            loss = loss + beta * style_layers[name] * F.mse_loss(gram(found[name]), target)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    while True:
        optimizer.step(closure)  # type: ignore[no-untyped-call]
        yield seen


def ours(
    network: Network,
    content: Tensor,
    style: Tensor,
    params: ResolvedStyleTransfer,
    size: int,
    steps: int,
    coarsest: int | None,
) -> Iterator[Tensor]:
    """This engine: its objective, its optimizer and its scales."""
    sides = scale_sides(size, coarsest)
    picture, before = content, None
    for side, share in zip(sides, share_steps(steps, len(sides)), strict=True):
        goal = resize(content, *fit(content, side))
        painting = resize(style, *fit(style, side))
        objective = style_transfer_loss(params, network, goal, [painting])
        if params.optimizer == "preconditioned_lbfgs":
            before = PreconditionedLBFGS(HISTORY, like=before)
        descent = Descent(resize(picture, *fit(content, side)), before or LBFGS(), objective.magnitude)
        for _ in range(share):
            descent.step(objective)
            picture = descent.best
            yield picture


def race(contestants: list[Contestant], steps: int, every: int, judge: Callable[[Tensor], float]) -> None:
    """Take ``steps`` steps of all in turns; every few steps evaluate the losses, untimed."""
    for step in range(1, steps + 1):
        for contestant in contestants:
            contestant.step()
            if step % every == 0 or step == steps:
                contestant.look(judge)


def contestants_of(
    pair: Pair, networks: Sequence[Network], params: ResolvedStyleTransfer, args: argparse.Namespace
) -> list[Contestant]:
    """What is compared on a pair, after its race: the peer, unless the preset has views, and this engine."""
    content, style = (load_picture(file, "pairs").rgb.to(args.device) for file in (pair.content, pair.style))
    goal, painting = resize(content, *fit(content, args.size)), resize(style, *fit(style, args.size))
    exact = networks[0]
    final = style_transfer_loss(params, exact, goal, [painting])

    def judge(picture: Tensor) -> float:
        return float(final(resize(picture, *goal.shape[-2:])).total)

    found = []
    ways = WAYS[-1:]
    if len(params.views) == 1:
        found.append(Contestant(PEER, neural_style_pt(exact, goal, painting, params)))
        ways = WAYS
    for name, optimizer, coarsest in ways:
        for network in networks:
            dtype = str(network.dtype).removeprefix("torch.")
            own = params.model_copy(update={"optimizer": optimizer})
            steps = ours(network, content, style, own, args.size, args.steps, coarsest)
            found.append(Contestant(f"{dtype}, {name}", steps))
    race(found, args.steps, args.every, judge)
    return found


def compare(title: str, args: argparse.Namespace, params: ResolvedStyleTransfer, pairs: list[Pair]) -> None:
    """Compare float32 and bfloat16 in each way; print a table for each pair, and the medians."""
    network = load_network(args.network, args.pooling)
    networks = [network.prepared(args.device, dtype) for dtype in (torch.float32, torch.bfloat16)]
    print(f"\n{title}: {args.steps} steps at {args.size} px; ratios to the first row", flush=True)
    tables: dict[str, list[list[float]]] = {}
    for pair in pairs:
        found = contestants_of(pair, networks, params, args)
        rows = {each.name: ratios(each, found[0]) for each in found}
        first = found[0]
        print(f"\n{pair.name}: first row {sum(first.seconds) / args.steps:.4g} s a step", flush=True)
        _print_table(rows)
        for name, row in rows.items():
            tables.setdefault(name, []).append(row)
    if len(pairs) > 1:
        print(f"\nmedians of {len(pairs)} pairs, and in how many a loss was reached")
        _print_table(
            {name: [median(column) for column in zip(*rows, strict=True)] for name, rows in tables.items()},
            {
                name: [sum(map(math.isfinite, column)) for column in zip(*rows, strict=True)]
                for name, rows in tables.items()
            },
        )


def ratios(row: Contestant, first: Contestant) -> list[float]:
    """The columns of HEADS but the name; infinite where a loss was never reached."""
    last = len(first.seconds)
    near, as_saved = NEAR * first.losses[last], first.saved[last]
    return [
        sum(row.seconds) / sum(first.seconds),
        row.losses[last] / first.losses[last],
        row.saved[last] / first.saved[last],
        row.seconds_to(row.losses, near) / first.seconds_to(first.losses, near),
        row.seconds_to(row.saved, as_saved) / first.seconds_to(first.saved, as_saved),
    ]


def _print_table(rows: dict[str, list[float]], reached: dict[str, list[int]] | None = None) -> None:
    print("".join(f"{head:>{width}}" for head, width in zip(HEADS, WIDTHS, strict=True)))
    for name, numbers in rows.items():
        cells = [name, *(f"{number:.3f}" if math.isfinite(number) else "never" for number in numbers)]
        if reached is not None:
            # A loss to be reached may be missed; the other columns are always there.
            cells[4:] = [
                f"{cell} ({count})" for cell, count in zip(cells[4:], reached[name][3:], strict=True)
            ]
        print("".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)), flush=True)


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="longer side in pixels")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--every", type=int, default=5, help="steps between looks at the loss")
    parser.add_argument("--pairs", type=Path, help="a folder with a pairs.txt; else photographs and drawings")
    parser.add_argument("--only", help="names of pairs, with commas")
    parser.add_argument("--network", default="vgg19-random")
    parser.add_argument("--pooling", choices=("average", "max"), default="average")
    parser.add_argument("--device", type=choose_device, default="auto")
    parser.add_argument("--threads", type=int, help="threads of torch; else every core")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.device}, {torch.get_num_threads()} threads, {args.network}")
    print(f"bfloat16 in hardware: {has_native_bfloat16(args.device)}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            pairs = _pairs(args, Path(folder))
        except InputError as error:
            parser.error(f"--{error.field}: {error.detail}")
        asked = {"content": "c", "style": ["s"], "size": args.size}
        plain = StyleTransferParams.model_validate({**asked, "preset": "neural-style", "tv_weight": 0.0})
        compare("neural-style's objective", args, plain.resolve(SHIPPED), pairs)
        own = StyleTransferParams.model_validate(asked)
        compare("the preset impasto", args, own.resolve(SHIPPED), pairs)


def _pairs(args: argparse.Namespace, folder: Path) -> list[Pair]:
    """The pairs of a command line; files that are drawn are written to a folder. Raises InputError."""
    if args.pairs is not None:
        return choose(listed_pairs(args.pairs), args.only)
    return choose([*photograph_pairs(folder), *drawn_pairs(folder)], args.only or USUAL)


if __name__ == "__main__":
    main()
