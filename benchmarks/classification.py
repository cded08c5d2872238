"""Classification over REST: one photo, at a rate while a picture is painted, and many in one call.

    python -m benchmarks.classification [--mode embedded]

Starts the service as benchmarks.service does. One call and many are measured in turns, so that both meet the
same machine.
"""

import argparse
import io
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
from PIL import Image

from benchmarks.load import multipart, request, send_at_rate
from benchmarks.service import MILLI, busy, photo, tell
from tests.support.deployment import MODES, Deployment, deployed
from tests.support.postgres import postgres

PATH = "/v1/classify"
WARM_UP, RUNS = 10, 60
RATE, LOAD_SECONDS = 15.0, 20.0
MANY, ROUNDS = 64, 3


def small(number: int, side: int = 224) -> bytes:
    """A JPEG of 224 px, another for each number."""
    image = Image.open(io.BytesIO(photo(480))).rotate(5 * number).resize((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    return file.getvalue()


def classify(client: httpx.Client, pictures: Sequence[bytes]) -> float:
    """Seconds of one call; several pictures are sent as `images`."""
    name = "image" if len(pictures) == 1 else "images"
    files = [(name, (f"{place}.jpg", data, "image/jpeg")) for place, data in enumerate(pictures)]
    began = time.perf_counter()
    response = client.post(PATH, files=files, headers={"Prefer": "wait=120"})
    took = time.perf_counter() - began
    job = response.raise_for_status().json()
    if job["state"] != "succeeded":
        raise RuntimeError(f"the job did not succeed: {job['error']}")
    return took


def one_photo(client: httpx.Client) -> None:
    """One photo after the other."""
    data = photo()
    took = [classify(client, [data]) for _ in range(WARM_UP + RUNS)][WARM_UP:]
    name = f"one photo of {len(data) / 1e6:.1f} MB"
    tell(f"{name}: median", f"{statistics.median(took) * MILLI:.0f} ms", "under 60 ms")
    tell(f"{name}: longest of {RUNS}", f"{max(took) * MILLI:.0f} ms", "")


def while_painting(service: Deployment) -> None:
    """Photos at a fixed rate while a style transfer runs."""
    headers, body = multipart({"image": photo()}, {"params": json.dumps({})})
    data = request("POST", PATH, headers, body)
    port = int(service.url.rpartition(":")[2])
    with busy(service, size=512):
        send_at_rate(port, lambda _: data, rate=RATE, seconds=3.0)
        answers = send_at_rate(port, lambda _: data, rate=RATE, seconds=LOAD_SECONDS)
    name = f"{RATE:.0f}/s beside a style transfer"
    tell(f"{name}: median", f"{answers.quantile(0.5) * MILLI:.0f} ms", "")
    tell(f"{name}: p99 ({answers.statuses})", f"{answers.quantile(0.99) * MILLI:.0f} ms", "under 200 ms")


def in_one_call(client: httpx.Client, pictures: Sequence[bytes], name: str, target: str) -> None:
    """Many pictures in one call against as many calls, one after the other."""
    classify(client, pictures)
    together, apart = [], []
    for _ in range(ROUNDS):
        together.append(classify(client, pictures))
        apart.append(sum(classify(client, [data]) for data in pictures))
    ratio = statistics.median(apart) / statistics.median(together)
    seconds = f"{statistics.median(together):.2f} and {statistics.median(apart):.2f} s"
    tell(f"{MANY} {name}: one call and {MANY}", seconds, "")
    tell("  throughput of one call over that of many", f"{ratio:.1f}", target)


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mode", choices=MODES, default="embedded")
    mode = parser.parse_args().mode
    with tempfile.TemporaryDirectory(prefix="impasto-benchmark-") as folder, ExitStack() as stack:
        server = stack.enter_context(postgres()) if mode == "celery" else None
        service = stack.enter_context(deployed(mode, Path(folder), server))
        client = stack.enter_context(httpx.Client(base_url=service.url, timeout=180, trust_env=False))
        one_photo(client)
        while_painting(service)
        in_one_call(client, [small(number) for number in range(MANY)], "files of 224 px", "at least 4")
        large = [photo()[:-2] + bytes([0xFF, 0xFE, 0, 3, number]) + b"\xff\xd9" for number in range(MANY)]
        in_one_call(client, large, "photos of 1.4 MB", "at least 2.5")


if __name__ == "__main__":
    main()
