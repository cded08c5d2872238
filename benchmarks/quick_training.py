"""From an upload to a network: a ZIP of large JPEGs, the preset `quick`, and pictures that it has not seen.

All by HTTP, from a service that has just started. What is counted begins with the upload of the ZIP and ends
when a picture has been classified by the new network. CPU seconds are of all processes of the service.
"""

import io
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import torch
from PIL import Image

from benchmarks.service import tell
from models.procedural import CLASSES, draw
from models.procedural.drawing import Split
from tests.support.deployment import Deployment, deployed
from tests.support.zips import zipped

FIVE = ("butterfly", "flower", "leopard", "mushroom", "stained glass")
# Drawn at one side in pixels, which takes a second for large ones, and enlarged to another.
COUNT, DRAWN, SIDE = 20, 320, 1000
# Of each class, of variants that are in none of the pictures to learn from.
UNSEEN = 10
# Seconds: what is to be reached, and between two looks at a job.
TARGET, POLLED = 15, 0.1


def jpegs(split: Split, first: int, count: int) -> dict[str, bytes]:
    """Drawn pictures by name, in a folder for each class."""
    found = {}
    seeds = list(range(first, first + count))
    for name in FIVE:
        drawn = draw([CLASSES.index(name)] * count, seeds, DRAWN, split)
        levels = (drawn * 255).round().byte().permute(0, 2, 3, 1).numpy()
        for seed, picture in zip(seeds, levels, strict=True):
            file = io.BytesIO()
            large = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            large.save(file, "JPEG", quality=95)
            found[f"{name}/{seed:04}.jpg"] = file.getvalue()
    return found


def cpu_seconds(service: Deployment) -> float:
    """CPU seconds of all processes of a service, those that have ended included."""
    ticks = 0
    for part in service.parts.values():
        for pid in part.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(each) for each in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def quick() -> None:
    """Measure twice: the first time, processes may not have been warm."""
    torch.set_num_threads(1)
    archive = zipped(jpegs("train", 0, COUNT))
    unseen = jpegs("held-out", 10_000, UNSEEN)
    with (
        tempfile.TemporaryDirectory(prefix="impasto-benchmark-") as folder,
        deployed("embedded", Path(folder), None) as service,
        httpx.Client(base_url=service.url, timeout=180, trust_env=False) as client,
    ):
        for round_ in ("first", "second"):
            measure(service, client, archive, unseen, round_)


def measure(
    service: Deployment, client: httpx.Client, archive: bytes, unseen: dict[str, bytes], round_: str
) -> None:
    """Upload, train and classify, in steps that are timed."""
    name = f"quick-{round_}"
    times = [(time.perf_counter(), cpu_seconds(service))]

    def lap(what: str) -> None:
        times.append((time.perf_counter(), cpu_seconds(service)))
        (begun, busy), (ended, busier) = times[-2:]
        tell(f"{round_}: {what}", f"{ended - begun:.1f} s, CPU {busier - busy:.1f} s", "")

    form = {"files": {"file": ("set.zip", archive)}, "data": {"params": json.dumps({"name": name})}}
    made = client.post("/v1/datasets", **form).raise_for_status().json()
    result(client, made["jobs"][0])
    lap(f"{len(archive) / 1e6:.0f} MB of JPEGs become a set")
    params = {"dataset": name, "preset": "quick", "name": name}
    job = client.post("/v1/train", json=params).raise_for_status().json()
    trained = result(client, job["id"])
    lap("training")
    path, data = next(iter(unseen.items()))
    classify(client, name, {path: data})
    lap("a picture is classified by the new network")
    whole, busy = (times[-1][place] - times[0][place] for place in (0, 1))
    tell(
        f"{round_}: from upload to a usable network", f"{whole:.1f} s, CPU {busy:.1f} s", f"under {TARGET} s"
    )
    tell(f"{round_}: accuracy on the test part", f"{trained['test_accuracy']:.3f}", "")
    right = classify(client, name, unseen)
    tell(f"{round_}: accuracy on {len(unseen)} drawn variants not trained on", f"{right:.3f}", "")


def result(client: httpx.Client, job_id: str) -> Any:
    """The result of a job, once it has ended."""
    while True:
        job = client.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        if job["state"] == "succeeded":
            return job["result"]
        if job["state"] not in ("queued", "running"):
            raise RuntimeError(f"the job did not succeed: it is {job['state']}, {job['error']}")
        time.sleep(POLLED)


def classify(client: httpx.Client, network: str, pictures: dict[str, bytes]) -> float:
    """The share of pictures, named after their classes, that a network takes for the right one."""
    right = 0
    for path, data in pictures.items():
        form = {
            "files": {"image": (Path(path).name, data)},
            "data": {"params": json.dumps({"network": network})},
        }
        job = client.post("/v1/classify", **form).raise_for_status().json()
        answer = result(client, job["id"])
        right += answer["top"][0]["class"] == path.partition("/")[0]
    return right / len(pictures)
