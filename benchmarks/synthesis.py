"""DeepDream and class visualisation, compared with plain restatements of the common PyTorch loops.

    python -m benchmarks.synthesis [--size 600] [--steps 10] [--memory 4000]

Everything runs in one process on the same network and picture, in turns step by step, so that other load on
the machine slows all alike. The steps are at the full size. Then a whole dream is timed with the default
settings; with ``--memory`` a dream of that width in pixels runs in a separate process, and its peak memory is
printed.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from app.kinds.class_visualization import ClassVisualizationParams
from app.kinds.deep_dream import DeepDreamParams
from app.networks.catalogue import SHIPPED
from benchmarks.drawn_pictures import drawn_content
from models.network import Network
from models.registry import load_network
from models.relu import ReLU
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Step, run_steps
from worker.optim.optimizers.gradient import NormalizedGradient
from worker.optim.pyramids.laplacian import normalize
from worker.optim.pyramids.scales import fit, resize
from worker.runtime.device import choose_device, has_native_bfloat16
from worker.synthesis.class_visualization import class_visualization
from worker.synthesis.deep_dream import deep_dream
from worker.synthesis.dream_loss import DreamLoss, Term

PEER = "plain loop, float32, whole network"
JITTER = 32

# Side of a class visualisation in pixels.
CLASS_SIDE = 128


def plain_loop(network: Network, picture: Tensor, layer: str, rate: float) -> Iterator[Tensor]:
    """The common loop of PyTorch notebooks of DeepDream.

    Roll; all of the network, forward; the mean square of one layer's activations; autograd; a step along the
    gradient over its standard deviation; clamp; roll back.
    """
    generator = torch.Generator().manual_seed(0)
    while True:
        shifts = tuple(torch.randint(-JITTER, JITTER + 1, (2,), generator=generator).tolist())
        seen = picture.roll(shifts, (2, 3)).requires_grad_()
        x = (seen - network.mean) / network.std
        kept = x
        for name, module in network.stack.items():
            # Not in place: the loop keeps the activations.
            x = torch.relu(x) if isinstance(module, ReLU) else module(x)
            kept = x if name == layer else kept
        kept.square().mean().backward()  # type: ignore[no-untyped-call]
        assert seen.grad is not None
        gradient = seen.grad / (seen.grad.std() + 1e-8)
        moved = (seen.detach() + rate * gradient).clamp(0, 1)
        picture = moved.roll(tuple(-shift for shift in shifts), (2, 3))
        yield picture


def ours(network: Network, picture: Tensor, layer: str, rate: float) -> Iterator[Tensor]:
    """This engine's step: its loss, normalized bands, and optimizer."""
    loss, optimizer = DreamLoss(network, [Term(layer, layer, 1.0)]), NormalizedGradient(rate)
    generator = torch.Generator().manual_seed(0)
    while True:
        shifts = tuple(torch.randint(-JITTER, JITTER + 1, (2,), generator=generator).tolist())
        rolled = picture.roll(shifts, (2, 3))
        moved = optimizer.step(rolled, normalize(loss(rolled).gradient, 4))
        picture = moved.roll(tuple(-shift for shift in shifts), (2, 3))
        yield picture


def plain_class_loop(network: Network, index: int, side: int, decay: float) -> Iterator[None]:
    """The common loop of notebooks of class visualisation: SGD on minus a logit, with weight decay."""
    picture = torch.full((1, 3, side, side), 0.5, device=network.device, requires_grad=True)
    optimizer = torch.optim.SGD([picture], lr=1.0, weight_decay=decay)
    while True:
        optimizer.zero_grad()
        x = (picture - network.mean) / network.std
        for module in network.stack.values():
            # Not in place, which would overwrite values that the gradient needs.
            x = torch.relu(x) if isinstance(module, ReLU) else module(x)
        (-x[0, index]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield


def our_classes(network: Network, classes: list[str], side: int, compute: Compute) -> Iterator[Step]:
    """This engine's job for all classes at once, with the preset simonyan-2014."""
    params = ClassVisualizationParams(
        target=classes, network=network.name, preset="simonyan-2014", size=side, steps=20_000
    ).resolve(SHIPPED)
    return class_visualization(params, Inputs(), network, compute)


def dreams(args: argparse.Namespace) -> dict[str, Iterator[object]]:
    """The implementations of a DeepDream step at the full size."""
    network = load_network(args.network)
    exact, rough = (network.prepared(args.device, dtype) for dtype in (torch.float32, torch.bfloat16))
    # The plain loop keeps torch's default memory layout, also for its weights.
    plain = load_network(args.network)
    picture = resize(drawn_content(args.size), *fit(drawn_content(args.size), args.size)).to(args.device)
    rate = 1.5 / 255
    return {
        PEER: plain_loop(plain, picture, args.layer, rate),
        "Impasto, float32": ours(exact, picture, args.layer, rate),
        "Impasto, bfloat16": ours(rough, picture, args.layer, rate),
    }


def visualizations(args: argparse.Namespace, count: int) -> dict[str, Iterator[object]]:
    """The implementations of a step of ``count`` class visualisations."""
    plain = load_network(args.network)
    names = list(plain.classes[:count])
    loops = [plain_class_loop(plain, index, CLASS_SIDE, 1e-4) for index in range(count)]
    contestants: dict[str, Iterator[object]] = {PEER: zip(*loops, strict=True)}
    for title, dtype in (("Impasto, float32", torch.float32), ("Impasto, bfloat16", torch.bfloat16)):
        network = load_network(args.network).prepared(args.device, dtype)
        contestants[title] = our_classes(network, names, CLASS_SIDE, Compute(args.device, dtype))
    return contestants


def race(title: str, contestants: dict[str, Iterator[object]], turns: int) -> None:
    """Take steps of all in turns, and print the seconds of each and the ratio to the first."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(turns + 1):
        for name, steps in contestants.items():
            start = time.perf_counter()
            next(steps)
            # The first step warms up kernels and memory.
            if turn:
                seconds[name].append(time.perf_counter() - start)
    print(f"\n{title}; the median of {turns}")
    print(f"{'':>36}{'s a step':>10}{'ratio':>8}")
    first = sorted(seconds[PEER])[turns // 2]
    for name, taken in seconds.items():
        middle = sorted(taken)[turns // 2]
        print(f"{name:>36}{middle:>10.4f}{middle / first:>8.2f}")


def whole_dream(args: argparse.Namespace, size: int, **values: int) -> float:
    """Seconds of a dream with the default settings except ``values``."""
    params = DeepDreamParams.model_validate(
        {"image": "drawn", "network": args.network, "layers": args.layer, "size": size, **values}
    )
    dtype = torch.bfloat16 if has_native_bfloat16(args.device) else torch.float32
    compute = Compute(args.device, dtype)
    network = load_network(args.network).prepared(args.device, dtype)
    picture = drawn_content(min(size, 1024))
    start = time.perf_counter()
    run_steps(deep_dream(params, Inputs.of({"image": [picture]}), network, compute))
    return time.perf_counter() - start


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=600, help="longer side in pixels")
    parser.add_argument("--steps", type=int, default=10, help="steps of each in the race")
    parser.add_argument("--network", default="palette")
    parser.add_argument("--layer", default="relu4_3")
    parser.add_argument("--device", type=choose_device, default="auto")
    parser.add_argument("--threads", type=int, help="threads of torch; else every core")
    parser.add_argument("--memory", type=int, help="also tell the memory of a dream so many pixels wide")
    parser.add_argument("--only-memory", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.only_memory:
        seconds = whole_dream(args, args.only_memory, octaves=2, steps=1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{args.only_memory} px wide: peak of memory {peak:.2f} GiB, {seconds:.1f} s for 2 steps")
        return
    print(f"torch {torch.__version__}, {args.device}, {torch.get_num_threads()} threads, {args.network}")
    print(f"bfloat16 in hardware: {has_native_bfloat16(args.device)}")
    race(f"A step of DeepDream from {args.layer}, {args.size} px wide", dreams(args), args.steps)
    for count in (1, 16):
        title = f"A step of class visualisation, {count} at {CLASS_SIDE} px"
        race(title, visualizations(args, count), args.steps)
    seconds = whole_dream(args, args.size)
    print(f"\nA whole dream of {args.size} px, 4 octaves of 10 steps: {seconds:.1f} s")
    if args.memory:
        command = [sys.executable, "-m", "benchmarks.synthesis", "--only-memory", str(args.memory)]
        options = ["--network", args.network, "--layer", args.layer, "--device", str(args.device)]
        subprocess.run([*command, *options], check=True)


if __name__ == "__main__":
    main()
