"""How good estimates are: time and memory of real jobs beside what would have been said of them.

    python -m benchmarks.estimates [--threads 2] [--only style_transfer ...] [--write]

Each case runs twice in a process of its own, and its second run counts. Its time is compared with what the
first case of the same kind and network says of it, as on a machine where one such job has run; its memory,
the peak of the process, with the estimate. ``--write`` makes app/jobs/reference.json, for machines where none
has run: do so while nothing else runs.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from PIL import Image
from pydantic import JsonValue

from app.jobs.admission import memory_of
from app.jobs.history import REFERENCE, Reference, likeness, worker_bytes
from app.kinds import KINDS, Params
from app.networks.catalogue import SHIPPED
from app.settings import Settings
from app.web.router import STATIC

COMMAND = "python -m benchmarks.estimates --write"
CONTENT, STYLE = STATIC / "samples" / "china.jpg", STATIC / "samples" / "coffee.jpg"
RANDOM = {"network": "vgg19-random"}
PALETTE = {"network": "palette"}


@dataclass(frozen=True)
class Case:
    """A job: its params, without pictures, and files by param; ``sets`` are paths or names."""

    kind: str
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)

    def resolve(self) -> Params:
        """The params, with files referred to by name."""
        files = {name: self._referred(name) for name in self.files}
        given = {**self.params, **files, **self.sets}
        return KINDS[self.kind].params.model_validate(given).resolve(SHIPPED)

    def _referred(self, name: str) -> str | list[str]:
        ids = [f"file-{place}" for place, _ in enumerate(self.files[name])]
        return ids if KINDS[self.kind].params.picture_fields()[name].many else ids[0]


def _style(**params: JsonValue) -> Case:
    return Case("style_transfer", params, {"content": [CONTENT], "style": [STYLE]})


def _one(kind: str, **params: JsonValue) -> Case:
    return Case(kind, params, {"image": [CONTENT]})


def _set(kind: str, name: str, **params: JsonValue) -> Case:
    return Case(kind, params, sets={"dataset": name})


# The first of a kind and network is what the others are estimated by.
CASES = [
    _style(size=256, steps=100),
    _style(size=64, steps=50),
    _style(size=128, steps=200),
    _style(size=512, steps=50),
    _style(size=256, steps=30, preset="gatys-2016"),
    _style(size=1024, steps=10),
    _style(size=128, steps=30, **RANDOM),
    _style(size=256, steps=60, **RANDOM),
    _one("deep_dream", size=256),
    _one("deep_dream", size=600, octaves=3, steps=5),
    Case("class_visualization", {"target": "spiral", "steps": 64}),
    Case("class_visualization", {"target": ["spiral", "brick wall", "sunburst"], "steps": 32, "size": 96}),
    Case("feature_visualization", {"layer": "conv4_1", "channels": [0, 1], "steps": 64}),
    Case("feature_visualization", {"layer": "conv3_1", "channels": [0], "steps": 64, "size": 224}),
    _one("feature_inversion", layers="relu3_1,relu4_1", steps=40),
    _one("feature_inversion", layers="relu2_1", steps=80, size=256),
    _one("texture_synthesis", size=256, steps=60),
    _one("texture_synthesis", size=512, steps=30),
    _one("adversarial", method="pgd-linf"),
    _one("adversarial", method="pgd-linf", size=256, steps=10),
    _one("saliency"),
    _one("saliency", methods="smooth_grad", samples=10),
    _one("saliency", methods="integrated_gradients", **PALETTE),
    _one("occlusion"),
    _one("occlusion", **PALETTE),
    _one("class_map"),
    _one("class_map", size=1024),
    _one("activations", **PALETTE),
    _one("classify"),
    _one("classify", crops="ten"),
    _one("classify", **PALETTE),
    _set("evaluate", "digits", labels="indices"),
    _set("max_patches", "digits", **PALETTE),
    _set("embedding", "digits"),
    _set("train", "digits", preset="quick"),
    _set("train", "digits", preset="from-scratch", epochs=1, size=32),
    _set("train", "digits", preset="from-scratch", epochs=2, size=64),
]


@dataclass(frozen=True)
class Measured:
    """A case that ran: seconds, and bytes at its peak; its work, and the estimate of its memory."""

    kind: str
    like: str
    shown: str
    seconds: float
    work: float
    peak_bytes: int
    # Without the process itself.
    own_bytes: int


def run_case(place: int, threads: int | None) -> Measured:
    """Run a case in this process."""
    import torch

    from app.cli.local_run import prepare
    from worker.contract.steps import run_steps

    case = CASES[place]
    settings = Settings(threads=threads)
    resolved = case.resolve()
    seconds = 0.0
    for _ in range(2):
        job = prepare(resolved, case.files, settings, sets=case.sets)
        began, used = time.perf_counter(), time.process_time()
        run_steps(job.steps())
        seconds = time.perf_counter() - began
        if torch.get_num_threads() == 1:
            # What else runs on the machine does not count then.
            seconds = min(seconds, time.process_time() - used)
    need = resolved.network_need()
    card = None if need is None else SHIPPED.find(need.name)
    members = sum(len(job.inputs.members(name)) for name in case.sets)
    sizes = [Image.open(files[0]).size for files in case.files.values()][:1]
    shape = min(sizes[0]) / max(sizes[0]) if sizes else 1.0
    own = memory_of(resolved, [card], shape) - worker_bytes()
    return Measured(
        case.kind,
        likeness(resolved, None if need is None else need.name),
        ", ".join(f"{name}={value}" for name, value in case.params.items()),
        seconds,
        resolved.work(card, members) or 0.0,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        own,
    )


def _child(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.estimates", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]


def idle_bytes() -> int:
    """Memory of a worker process before its first job."""
    import torch

    import worker.runtime.local

    torch.ones(8, 8).matmul(torch.ones(8, 8))
    assert worker.runtime.local
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def compare(found: Sequence[Measured], idle: int) -> None:
    """Print what was measured beside what would have been said."""
    print(f"{'':>62}{'s':>9}{'said':>9}{'ratio':>7}{'MB':>8}{'said':>8}{'ratio':>7}")
    first: dict[tuple[str, str], float] = {}
    ratios = []
    for each in found:
        pace = first.get((each.kind, each.like))
        if pace is None:
            first[each.kind, each.like] = each.seconds / each.work
        told, memory = "", idle + each.own_bytes
        if pace is not None:
            ratios.append(pace * each.work / each.seconds)
            told = f"{pace * each.work:>9.2f}{ratios[-1]:>7.2f}"
        name = f"{each.kind} {each.like} {each.shown}"[:60]
        print(
            f"{name:<62}{each.seconds:>9.3f}{told:>16}{each.peak_bytes / 1e6:>8.0f}{memory / 1e6:>8.0f}"
            f"{memory / each.peak_bytes:>7.2f}"
        )
    print("ratio: what was said to what was measured; of seconds, by the first case like it", flush=True)
    if ratios:
        print(f"seconds: {min(ratios):.2f} to {max(ratios):.2f}, median {median(ratios):.2f}")


def write(found: Sequence[Measured], idle: int, threads: int | None) -> None:
    """Keep the paces as those of the reference machine."""
    paces: dict[str, dict[str, list[float]]] = {}
    for each in found:
        if each.work:
            paces.setdefault(each.kind, {}).setdefault(each.like, []).append(each.seconds / each.work)
    reference = Reference(
        machine=f"{threads or os.cpu_count()} of {os.cpu_count()} cores, {platform.machine()}, no GPU",
        command=COMMAND,
        worker_bytes=idle,
        seconds_per_work={
            kind: {like: float(f"{median(times):.3g}") for like, times in of_kind.items()}
            for kind, of_kind in paces.items()
        },
    )
    REFERENCE.write_text(json.dumps(reference.model_dump(), indent=1) + "\n")


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, help="threads of torch; else every core")
    parser.add_argument("--only", nargs="+", help="kinds")
    parser.add_argument("--write", action="store_true", help="make app/jobs/reference.json")
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--idle", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.write and args.only:
        parser.error("--write makes the figures of all kinds: leave out --only")
    if args.idle:
        print(idle_bytes())
    elif args.case is not None:
        print(json.dumps(vars(run_case(args.case, args.threads))))
    else:
        idle = int(_child("--idle"))
        limit = [] if args.threads is None else ["--threads", str(args.threads)]
        places = [place for place, case in enumerate(CASES) if not args.only or case.kind in args.only]
        found = [Measured(**json.loads(_child("--case", str(place), *limit))) for place in places]
        compare(found, idle)
        if args.write:
            write(found, idle, args.threads)


if __name__ == "__main__":
    main()
