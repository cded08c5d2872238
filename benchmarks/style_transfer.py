"""Style transfer: this engine compared with a plain restatement of neural-style-pt's loop.

    python -m benchmarks.style_transfer [--size 256] [--steps 200] [--content FILE --style FILE]

Everything runs in one process on the same network and pictures, in turns step by step, so that other load on
the machine slows all alike. All minimize the same objective, neural-style's without its total variation
(which the two define differently), from the same picture; it is evaluated in float32 for all, outside the
measured time. The last table is for the default preset.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from app.kinds.style_presets import PRESETS
from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.kinds.work import scale_sides
from app.networks.catalogue import SHIPPED
from models.network import Network
from models.registry import load_network
from worker.optim.descent import Descent
from worker.optim.optimizers.lbfgs import LBFGS
from worker.optim.pyramids.scales import fit, resize, share_steps
from worker.runtime.device import choose_device, has_native_bfloat16
from worker.synthesis.style_transfer import style_transfer_loss, weighted_layers

PEER = "neural-style-pt restated, float32"

# "saved" is the loss of the picture clamped to [0, 1], as it is saved; "s to" are the seconds until the loss
# is within 5 % of the first row's final one, and until the saved loss is as low as the first row's final one.
HEADS = (
    "",
    "s a step",
    "ratio",
    "loss",
    "ratio",
    "saved",
    "ratio",
    "s to loss",
    "ratio",
    "s to saved",
    "ratio",
)
WIDTHS = (34, 10, 8, 12, 8, 12, 8, 11, 8, 11, 8)
NEAR = 1.05


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
    picture = content
    for side, share in zip(sides, share_steps(steps, len(sides)), strict=True):
        goal = resize(content, *fit(content, side))
        painting = resize(style, *fit(style, side))
        objective = style_transfer_loss(params, network, goal, [painting])
        descent = Descent(resize(picture, *fit(content, side)), LBFGS(), objective.magnitude)
        for _ in range(share):
            descent.step(objective)
            picture = descent.best
            yield picture


def drawn_content(size: int) -> Tensor:
    """A landscape: sky, hills, a tower and its reflection."""
    width, height = 2 * size, 3 * size // 2
    ramp = np.linspace(0, 1, height)[:, None, None]
    sky = (1 - ramp) * np.array([90, 140, 210]) + ramp * np.array([250, 210, 160])
    image = Image.fromarray(np.broadcast_to(sky, (height, width, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    x = np.arange(width + 1)
    for level, color in ((0.6, (110, 120, 130)), (0.68, (70, 95, 70)), (0.78, (40, 60, 45))):
        ridge = height * (
            level - 0.06 * np.sin(x / width * 7 / level) - 0.02 * np.sin(x / width * 40 * level)
        )
        draw.polygon(
            [(0, height), *zip(x.tolist(), ridge.tolist(), strict=True), (width, height)], fill=color
        )
    draw.rectangle((0.62 * width, 0.2 * height, 0.7 * width, 0.75 * height), fill=(150, 60, 45))
    for floor in np.linspace(0.24, 0.7, 9):
        draw.rectangle(
            (0.64 * width, floor * height, 0.68 * width, (floor + 0.02) * height), fill=(240, 220, 150)
        )
    draw.ellipse((0.15 * width, 0.1 * height, 0.27 * width, 0.26 * height), fill=(255, 240, 190))
    return tensor(image)


def drawn_style(size: int) -> Tensor:
    """A painting: thousands of short strokes along a swirling field, in five colors."""
    random = np.random.default_rng(1)
    side = 2 * size
    image = Image.new("RGB", (side, side), (30, 50, 110))
    draw = ImageDraw.Draw(image)
    colors = [(20, 40, 110), (60, 110, 190), (150, 190, 220), (240, 210, 90), (30, 30, 40)]
    for _ in range(6000):
        x, y = random.uniform(0, side, 2)
        angle = 3 * np.sin(3 * x / side) + 3 * np.cos(4 * y / side) + random.normal(0, 0.2)
        reach = random.uniform(0.01, 0.03) * side
        shade = colors[int(2.5 + 2.49 * np.sin(9 * x / side + 5 * np.sin(6 * y / side)))]
        color = tuple(int(np.clip(value + random.normal(0, 15), 0, 255)) for value in shade)
        end = (x + reach * np.cos(angle), y + reach * np.sin(angle))
        draw.line(((x, y), end), fill=color, width=max(1, side // 130))
    return tensor(image)


def tensor(image: Image.Image) -> Tensor:
    """A picture as float32 (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.asarray(image.convert("RGB"), dtype=np.float32) / 255).permute(2, 0, 1)[None]


def race(contestants: list[Contestant], steps: int, every: int, judge: Callable[[Tensor], float]) -> None:
    """Take ``steps`` steps of all in turns; every few steps evaluate the losses, untimed."""
    for step in range(1, steps + 1):
        for contestant in contestants:
            contestant.step()
            if step % every == 0 or step == steps:
                contestant.look(judge)


def compare(title: str, args: argparse.Namespace, params: ResolvedStyleTransfer, with_peer: bool) -> None:
    """Compare float32 and bfloat16, at each number of scales, and print the table."""
    network = load_network(args.network, args.pooling)
    exact, rough = (network.prepared(args.device, dtype) for dtype in (torch.float32, torch.bfloat16))
    content, style = (picture.to(args.device) for picture in pictures(args))
    goal, painting = resize(content, *fit(content, args.size)), resize(style, *fit(style, args.size))
    final = style_transfer_loss(params, exact, goal, [painting])

    def judge(picture: Tensor) -> float:
        return float(final(resize(picture, *goal.shape[-2:])).total)

    contestants = []
    if with_peer:
        contestants.append(Contestant(PEER, neural_style_pt(exact, goal, painting, params)))
    coarse_to_fine = PRESETS["impasto"].coarsest
    for coarsest in (None, coarse_to_fine) if with_peer else (coarse_to_fine,):
        for prepared in (exact, rough):
            dtype = str(prepared.dtype).removeprefix("torch.")
            way = "coarse to fine" if coarsest else "one scale"
            steps = ours(prepared, content, style, params, args.size, args.steps, coarsest)
            contestants.append(Contestant(f"Impasto, {dtype}, {way}", steps))
    race(contestants, args.steps, args.every, judge)

    print(f"\n{title}: {args.steps} steps at {args.size} px; ratios are to the first row")
    print("".join(f"{head:>{width}}" for head, width in zip(HEADS, WIDTHS, strict=True)))
    for contestant in contestants:
        cells = [contestant.name, *cells_of(contestant, contestants[0])]
        print("".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)))


def cells_of(row: Contestant, first: Contestant) -> list[str]:
    """A row of the table: losses with their ratio to the first row's, times with how many times faster."""
    last = len(first.seconds)
    near, as_saved = NEAR * first.losses[last], first.saved[last]

    def timed(seconds: float, of_first: float) -> list[str]:
        return [f"{seconds:.4g}", f"{of_first / seconds:.2f}"] if math.isfinite(seconds) else ["never", ""]

    return [
        *timed(sum(row.seconds) / last, sum(first.seconds) / last),
        f"{row.losses[last]:.5g}",
        f"{row.losses[last] / first.losses[last]:.3f}",
        f"{row.saved[last]:.5g}",
        f"{row.saved[last] / first.saved[last]:.3f}",
        *timed(row.seconds_to(row.losses, near), first.seconds_to(first.losses, near)),
        *timed(row.seconds_to(row.saved, as_saved), first.seconds_to(first.saved, as_saved)),
    ]


def pictures(args: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """The content and the style: files, or drawn here."""
    content = tensor(Image.open(args.content)) if args.content else drawn_content(args.size)
    style = tensor(Image.open(args.style)) if args.style else drawn_style(args.size)
    return content, style


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="longer side in pixels")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--every", type=int, default=5, help="steps between looks at the loss")
    parser.add_argument("--content", type=Path, help="a picture; else one is drawn")
    parser.add_argument("--style", type=Path, help="a picture; else one is drawn")
    parser.add_argument("--network", default="vgg19-random")
    parser.add_argument("--pooling", choices=("average", "max"), default="average")
    parser.add_argument("--device", type=choose_device, default="auto")
    parser.add_argument("--threads", type=int, help="threads of torch; else every core")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.device}, {torch.get_num_threads()} threads, {args.network}")
    print(f"bfloat16 in hardware: {has_native_bfloat16(args.device)}")
    asked = StyleTransferParams(content="c", style=["s"], preset="neural-style", tv_weight=0.0)
    compare("neural-style's objective", args, asked.resolve(SHIPPED), True)
    asked = StyleTransferParams(content="c", style=["s"])
    compare("the preset impasto", args, asked.resolve(SHIPPED), False)


if __name__ == "__main__":
    main()
