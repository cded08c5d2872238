"""Training: digits beside a plain PyTorch loop, and a network whose idea of its classes people can name.

    python -m benchmarks.training digits
    python -m benchmarks.training visualisation [--count 300]
    python -m benchmarks.training quick

`digits` trains the same network for the same epochs here and by a DataLoader, in turns, so that both meet the
same machine. `visualisation` draws a set of eight classes, trains on it by the preset `from-scratch`, and
writes what the network imagines of each class into build/visualisation, each in a file of its own. `quick` is
a ZIP of a hundred JPEGs, uploaded, trained on by the preset of that name, and used, all by HTTP.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from app.kinds.architectures import resolve_architecture
from app.kinds.train import TrainParams
from app.networks.catalogue import SHIPPED
from app.settings import Settings
from benchmarks.quick_training import quick
from benchmarks.service import tell
from models.trainable import initialize, new_trainable
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member
from worker.contract.steps import run_steps
from worker.datasets.local import LocalSet, open_local
from worker.media.pictures import encode_png
from worker.training.train import train
from worker.understanding.sets import still

# What reaches the accuracies of docs/training.md.
ROUNDS, EPOCHS, BATCH, RATE, DECAY, SMOOTHING = 3, 30, 64, 0.05, 5e-4, 0.1
NETWORK: dict[str, Any] = {"n": 1, "m": 2, "width": 32}
SIDE, PIXELS = 8, 1
CNN: dict[str, Any] = {
    "preset": "from-scratch",
    "optimizer": "sgd",
    "attack": 0.0,
    "architecture": "cnn",
    "architecture_params": NETWORK,
    "size": SIDE,
    "epochs": EPOCHS,
    "batch_size": BATCH,
    "learning_rate": RATE,
    "weight_decay": DECAY,
    "label_smoothing": SMOOTHING,
    "average": 0.0,
    "crop": 1.0,
    "color": 0.0,
    "shift": PIXELS / SIDE,
}
MEAN, STD = (0.5,) * 3, (0.25,) * 3

EIGHT = ("eye", "flower", "heart", "leaf", "polka dots", "spiral", "stained glass", "tartan")
FOLDER = Path("build/visualisation")


class Digits(Dataset[tuple[Tensor, int]]):
    """Files as in tutorials (torchvision's ImageFolder): each is opened, moved at random, made a tensor."""

    def __init__(self, folder: Path, members: list[Member], *, augmented: bool) -> None:
        self._paths = [folder / member.name for member in members]
        self._labels = [int(member.label or 0) for member in members]
        self._augmented = augmented

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        with Image.open(self._paths[place]) as file:
            image = file.convert("RGB")
        if self._augmented:
            moves = torch.randint(-PIXELS, PIXELS + 1, (2,)).tolist()
            image = image.transform(image.size, Image.Transform.AFFINE, (1, 0, moves[0], 0, 1, moves[1]))
        flat = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        picture = flat.view(image.height, image.width, 3).permute(2, 0, 1).float() / 255
        return picture, self._labels[place]


def write_digits(folder: Path) -> None:
    """The digits as PNG files, in a folder for each."""
    for member in open_local("digits", "dataset", (None, None), Settings()).members:
        path = folder / member.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_png(still(member)))


def plain_loop(folder: Path, found: LocalSet, workers: int) -> tuple[float, float]:
    """Seconds and the test accuracy of the loop of PyTorch's tutorials, on the same split."""
    began = time.perf_counter()
    parts = {
        part: [member for member in found.members if member.part == part]
        for part in ("train", "validation", "test")
    }
    torch.manual_seed(0)
    loaders = {
        part: DataLoader(
            Digits(folder, members, augmented=part == "train"),
            batch_size=BATCH,
            shuffle=part == "train",
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        for part, members in parts.items()
    }
    model = digits_model()
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9, weight_decay=DECAY)
    steps = EPOCHS * len(loaders["train"])
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    best, kept = -1.0, model.state_dict()
    for _ in range(EPOCHS):
        model.train()
        for pictures, labels in loaders["train"]:
            optimizer.zero_grad()
            F.cross_entropy(model(pictures), labels, label_smoothing=SMOOTHING).backward()
            optimizer.step()
            rates.step()
        accuracy = accuracy_of(model, loaders["validation"])
        if accuracy > best:
            best = accuracy
            kept = {name: each.clone() for name, each in model.state_dict().items()}
    model.load_state_dict(kept)
    return time.perf_counter() - began, accuracy_of(model, loaders["test"])


def digits_model() -> nn.Module:
    """The network that the params train."""
    resolved = resolve_architecture("cnn", NETWORK, SIDE, 10)
    model = new_trainable(resolved.builder, resolved.params, mean=MEAN, std=STD, batch_norm=True)
    return initialize(model, 0)


@torch.no_grad()
def accuracy_of(model: nn.Module, loader: DataLoader[tuple[Tensor, int]]) -> float:
    """The share of a loader's pictures that is right."""
    model.eval()
    right = [model(pictures).argmax(1) == labels for pictures, labels in loader]
    return float(torch.cat(right).float().mean())


def ours(found: LocalSet, params: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Seconds and the result of a whole job: decoding, training, validation, and the report."""
    began = time.perf_counter()
    resolved = TrainParams(dataset="digits", **params).resolve(SHIPPED)
    inputs = Inputs(sets={"dataset": found.members}, set_hashes={"dataset": found.sha256})
    outcome = run_steps(train(resolved, inputs, None, Compute(torch.device("cpu"))))
    return time.perf_counter() - began, outcome.result


def digits(folder: Path) -> None:
    """The network of docs/training.md beside a plain loop on the same files, and its cross-validation."""
    write_digits(folder)
    found = open_local(str(folder), "dataset", (None, None), Settings())
    # Pictures of 8 px leave a second thread nothing to do; the loaders' workers are processes.
    torch.set_num_threads(1)
    # Loads what takes time once in a process.
    ours(found, CNN | {"epochs": 1})
    seconds: dict[str, list[float]] = {}
    accuracies: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        took, result = ours(found, CNN)
        seconds.setdefault("ours", []).append(took)
        accuracies.setdefault("ours", []).append(result["test_accuracy"])
        for workers in (0, 2):
            name = f"plain, {workers} workers"
            took, accuracy = plain_loop(folder, found, workers)
            seconds.setdefault(name, []).append(took)
            accuracies.setdefault(name, []).append(accuracy)
    for name, values in seconds.items():
        tell(f"{name}: {EPOCHS} epochs, median of {ROUNDS}", f"{statistics.median(values):.1f} s", "")
        tell(f"{name}: accuracy on the test part", f"{statistics.fmean(accuracies[name]):.3f}", "")
    for name in list(seconds)[1:]:
        ratio = statistics.median(seconds["ours"]) / statistics.median(seconds[name])
        tell(f"ours over {name}", f"{ratio:.2f}", "at most 0.7")
    took, result = ours(found, CNN | {"folds": 5})
    tell("five folds and the network itself", f"{took:.0f} s", "under 60 s")
    tell("accuracy over the folds, mean", f"{result['spread']['mean']:.4f}", "at least 0.985")


def visualisation(count: int, more: list[str]) -> None:
    """Train on drawn pictures by the preset, and let the network imagine each class."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="impasto-benchmark-") as folder:
        pictures, data = Path(folder) / "eight", Path(folder) / "data"
        draw_set(pictures, count)
        with seconds_of() as took:
            command = ["train", str(pictures), "--preset", "from-scratch", "--name", "eight", "--json", *more]
            result = json.loads(impasto(data, *command))
        tell("training by the preset", f"{took[0]:.0f} s", "under 600 s")
        tell("accuracy on the test part", f"{result['test_accuracy']:.3f}", "")
        arguments = ("--network", "eight", "--target", ",".join(EIGHT), "-o", str(FOLDER / "all.png"))
        impasto(data, "class-visualization", *arguments)
    for path in sorted(FOLDER.glob("*.png")):
        tell("written", str(path), "")


def draw_set(folder: Path, count: int, side: int = 128) -> None:
    """Draw pictures of the eight classes as files, in a folder for each."""
    from models.procedural import CLASSES, draw

    for name in EIGHT:
        (folder / name).mkdir(parents=True)
        for start in range(0, count, 50):
            seeds = list(range(start, min(start + 50, count)))
            drawn = draw([CLASSES.index(name)] * len(seeds), seeds, side)
            levels = (drawn * 255).round().byte().permute(0, 2, 3, 1).numpy()
            for seed, picture in zip(seeds, levels, strict=True):
                Image.fromarray(picture).save(folder / name / f"{seed:05}.jpg", quality=95)


def impasto(data: Path, *arguments: str) -> str:
    """What a command prints, with a data folder of its own."""
    program = [sys.executable, "-c", "from app.cli import main; main()", *arguments]
    environment = os.environ | {"IMPASTO_DATA_DIR": str(data)}
    done = subprocess.run(program, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


@contextmanager
def seconds_of() -> Iterator[list[float]]:
    """How long the context lasts, as the only entry of a list once it has ended."""
    took: list[float] = []
    began = time.perf_counter()
    yield took
    took.append(time.perf_counter() - began)


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("digits", "visualisation", "quick"))
    parser.add_argument("--count", type=int, default=300, help="Of visualisation: pictures of each class.")
    given, more = parser.parse_known_args()
    if given.what == "digits":
        with TemporaryDirectory(prefix="impasto-benchmark-") as folder:
            digits(Path(folder))
    elif given.what == "quick":
        quick()
    else:
        visualisation(given.count, more)


if __name__ == "__main__":
    main()
