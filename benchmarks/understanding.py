"""Looking inside networks, compared with captum and torch-cam.

    python -m benchmarks.understanding [--threads 2] occlusion [--turns 3] [--network vgg16-seeded]
    python -m benchmarks.understanding [--threads 2] gradients [--turns 5] [--network efficientnet_lite0]

The peers are installed into an environment of their own, build/peers, which sees the packages of this one and
changes none of them; the comparison then runs there. All sides compute in one process, on the same weights in
the same memory layout and the same picture, in turns, so that other load on the machine slows all alike.
"""

import argparse
import os
import statistics
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from app.kinds.occlusion import positions
from app.kinds.saliency import last_maps
from app.networks.catalogue import get_card
from models.architectures import build_stack
from models.network import Network
from models.procedural import draw
from models.registry import load_network
from worker.understanding.aims import Aim
from worker.understanding.cams import grad_cam
from worker.understanding.explanations import explain, samples_at_once
from worker.understanding.gradient_maps import integrated_gradients
from worker.understanding.incremental import Change, IncrementalInference, Rectangle

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "build" / "peers"
# tqdm is what captum imports beyond what is here.
PACKAGES = ("captum==0.9.0", "torchcam==0.5.0", "tqdm")

# What is compared: the window and the stride of the target, and how many squares captum computes at once.
WINDOW, STRIDE = 32, 16
AT_ONCE = (1, 8, 16, 32, 64)

SEEDED = "vgg16-seeded"

OURS = "Impasto"

# Nodes of integrated gradients, and the last maps of the network without a card.
NODES = 50
LAST_MAPS = {SEEDED: "relu5_3"}


def ensure_peers() -> None:
    """Go on in the environment of the peers, which is made if there is none."""
    if find_spec("captum") is not None:
        return
    python = PEERS / "bin" / "python"
    if not python.exists():
        venv.create(PEERS, with_pip=True)
        site = sysconfig.get_path("purelib", vars={"base": str(PEERS)})
        Path(site, "project.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        # Without what they depend on: that is here, and other versions would hide it.
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *PACKAGES], check=True)
    os.execv(python, [str(python), "-m", "benchmarks.understanding", *sys.argv[1:]])


def seeded_vgg16() -> Network:
    """VGG-16's topology with seeded random weights, for 224 px and 1000 classes."""
    stack = build_stack("vgg", {"depth": 16, "classes": 1000})
    generator = torch.Generator().manual_seed(16)
    for module in stack.values():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.to_empty(device="cpu")
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(module.bias)
    return Network(
        SEEDED,
        stack,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        source="seeded random numbers",
        classes=[str(index) for index in range(1000)],
        input_size=224,
    )


def classifier(name: str) -> Network:
    """A network on the CPU in float32, with the memory layout of jobs."""
    network = seeded_vgg16() if name == SEEDED else load_network(name)
    return network.prepared(torch.device("cpu"), torch.float32)


def timed(compute: Callable[[], Tensor]) -> tuple[float, float, Tensor]:
    """Seconds, seconds of all this process' threads, and what was computed."""
    start, used = time.perf_counter(), time.process_time()
    made = compute()
    return time.perf_counter() - start, time.process_time() - used, made


def our_drops(network: Network, picture: Tensor, target: int) -> Tensor:
    """The drop of a logit averaged over the squares on each pixel, (H, W); all that this takes counts."""
    side = picture.shape[2]
    starts = positions(side, WINDOW, STRIDE)
    squares = [Rectangle(top, left, WINDOW, WINDOW) for top in starts for left in starts]
    pixels = network.mean[0].expand(3, WINDOW, WINDOW)
    inference = IncrementalInference(network, picture)
    total, count = torch.zeros(2, side, side)
    for group in inference.plan(squares):
        logits = inference.logits_of(group, lambda member: Change(squares[member], pixels))
        drops = (inference.logits[0, target] - logits[:, target]).tolist()
        for member, drop in zip((int(each) for batch in group for each in batch.members), drops, strict=True):
            squares[member].of(total).add_(drop)
            squares[member].of(count).add_(1)
    return total / count


def captum_drops(network: Network, picture: Tensor, target: int, at_once: int) -> Tensor:
    """The same by captum's Occlusion: its averages over windows, (H, W)."""
    from captum.attr import Occlusion  # only here are the peers at hand

    with torch.no_grad():
        attributed = Occlusion(network.logits).attribute(
            picture,
            sliding_window_shapes=(3, WINDOW, WINDOW),
            strides=(3, STRIDE, STRIDE),
            baselines=network.mean.expand_as(picture),
            target=target,
            perturbations_per_eval=at_once,
        )
    return attributed[0, 0].detach()


def our_gradients(network: Network, picture: Tensor, target: int) -> Tensor:
    """Integrated gradients from the network's mean color, summed over colors, (H, W)."""
    aim, baseline = Aim(network, "logits", target), network.mean.expand_as(picture)
    method = integrated_gradients(aim, picture, baseline, NODES)
    return explain(method, samples_at_once(picture.shape[2], picture.device)).map


def captum_gradients(network: Network, picture: Tensor, target: int, at_once: int | None) -> Tensor:
    """The same by captum's IntegratedGradients, whose default are Gauss-Legendre nodes too, (H, W)."""
    from captum.attr import IntegratedGradients

    attributed = IntegratedGradients(network.logits).attribute(
        picture,
        baselines=network.mean.expand_as(picture),
        target=target,
        n_steps=NODES,
        internal_batch_size=at_once,
    )
    return attributed[0].sum(0).detach()


class Classifier(nn.Module):
    """A network as a module with a forward, as torch-cam takes it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """The logits."""
        return self.network.logits(pictures)


def torchcam_map(network: Network, picture: Tensor, target: int, layer: str) -> Tensor:
    """Grad-CAM by torch-cam at the size of the layer, scaled to [0, 1], (h, w)."""
    from torchcam.methods import GradCAM

    # The weights are frozen, so that a gradient begins at the picture.
    seen = picture.clone().requires_grad_()
    with GradCAM(Classifier(network), target_layer=f"network.stack.{layer}") as extractor:
        scores = extractor.model(seen)
        return extractor(target, scores)[0][0].detach()


def our_cam(network: Network, picture: Tensor, target: int, layer: str) -> Tensor:
    """The same by this engine, which also enlarges it to the picture in the measured time."""
    method = grad_cam(Aim(network, "logits", target), picture, layer)
    sums = method.part(range(1))
    method.finish(sums)
    found = sums["map"][0, 0].clamp_min(0)
    return (found - found.min()) / (found.max() - found.min())


Contestants = dict[str, Callable[[], Tensor]]


def setting(args: argparse.Namespace) -> tuple[Network, Tensor, int]:
    """The network, a drawn picture of the size that it classifies, and its most likely class."""
    network = classifier(args.network)
    picture = draw([0], [0], network.input_size or 224)
    with torch.no_grad():
        return network, picture, int(network.logits(picture)[0].argmax())


def compare_occlusion(args: argparse.Namespace) -> None:
    """Occlusion of one picture: captum by how many squares it computes at once, and this engine."""
    network, picture, target = setting(args)
    contestants: Contestants = {
        f"captum, {count} at once": partial(captum_drops, network, picture, target, count)
        for count in args.at_once
    }
    contestants[OURS] = partial(our_drops, network, picture, target)
    side = picture.shape[2]
    squares = len(positions(side, WINDOW, STRIDE)) ** 2
    race(f"Occlusion, {squares} squares of {WINDOW} px at {side} px, {network.name}", contestants, args.turns)


def compare_gradients(args: argparse.Namespace) -> None:
    """Integrated gradients against captum's, Grad-CAM against torch-cam's."""
    network, picture, target = setting(args)
    contestants: Contestants = {
        f"captum, {count or 'all'} at once": partial(captum_gradients, network, picture, target, count)
        for count in (1, 4, 8, None)
    }
    contestants[OURS] = partial(our_gradients, network, picture, target)
    title = f"at {picture.shape[2]} px, {network.name}"
    race(f"Integrated gradients, {NODES} nodes {title}", contestants, args.turns)
    layer = LAST_MAPS.get(network.name) or last_maps(get_card(network.name))
    contestants = {
        "torch-cam": partial(torchcam_map, network, picture, target, layer),
        OURS: partial(our_cam, network, picture, target, layer),
    }
    race(f"Grad-CAM of {layer} {title}", contestants, 4 * args.turns)


def race(title: str, contestants: Contestants, turns: int) -> None:
    """Compute all in turns, and print the times, their ratios to the best peer's, and differences."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    busy: dict[str, list[float]] = {name: [] for name in contestants}
    maps: dict[str, Tensor] = {}
    for _ in range(turns):
        for name, compute in contestants.items():
            taken, used, maps[name] = timed(compute)
            seconds[name].append(taken)
            busy[name].append(used)
    print(f"\n{title}; median of {turns}")
    print(f"{'':>24}{'s':>9}{'ratio':>8}{'CPU s':>9}{'ratio':>8}{'error':>10}")
    best, least = (_best(times) for times in (seconds, busy))
    scale = maps[OURS].abs().max()
    for name, made in maps.items():
        taken, used = statistics.median(seconds[name]), statistics.median(busy[name])
        error = float((made - maps[OURS]).abs().max() / scale)
        print(f"{name:>24}{taken:>9.3f}{taken / best:>8.2f}{used:>9.3f}{used / least:>8.2f}{error:>10.1e}")
    print(
        "ratio: to the peer at its best; CPU s: of all threads, which other load on the machine changes less;"
    )
    print("error: largest difference of the maps, to the largest value", flush=True)


def _best(times: dict[str, list[float]]) -> float:
    """The smallest median of the peers."""
    return min(statistics.median(taken) for name, taken in times.items() if name != OURS)


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, help="threads of torch; else every core")
    commands = parser.add_subparsers(required=True)
    occlusion = commands.add_parser("occlusion", help="against captum's Occlusion")
    occlusion.add_argument("--network", default=SEEDED)
    occlusion.add_argument("--turns", type=int, default=3)
    occlusion.add_argument("--at-once", type=int, nargs="+", default=AT_ONCE)
    occlusion.set_defaults(compare=compare_occlusion)
    gradients = commands.add_parser("gradients", help="against captum's and torch-cam's")
    gradients.add_argument("--network", default="efficientnet_lite0")
    gradients.add_argument("--turns", type=int, default=5)
    gradients.set_defaults(compare=compare_gradients)
    args = parser.parse_args()
    ensure_peers()
    if args.threads:
        torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    args.compare(args)


if __name__ == "__main__":
    main()
