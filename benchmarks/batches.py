"""Large batches against a real service: how fast they are taken, and what others notice of it.

    python -m benchmarks.batches [--lines 50000] [--few 1000] [--batches 4]

Starts `impasto serve` on SQLite with a temporary data folder, and no worker for the jobs of the batches, so
that all that is queued stays queued. Measured are: a JSONL from its last byte to the 202, and until all its
lines are jobs; meanwhile, from processes of their own, the status of a job, and for how long at a time nobody
else could write to the database; the cancel of a batch; and lists and claims with many jobs queued beside the
same with few. `benchmarks/stacks.py` measures jobs that are computed together.
"""

import argparse
import http.client
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.database.engine import make_engine
from app.jobs.claims import claim_next
from app.settings import DATABASE_FILE, Settings
from benchmarks.probes import probing
from benchmarks.service import MILLI, shown, tell
from tests.support.service import Service, running
from tests.support.strange_pictures import noise

# A lane that no job of the batches is in; its worker idles.
IDLE_LANE = "training"
PATIENCE = 600.0
CHUNK = 1 << 16


@dataclass
class Watched:
    """What others noticed, in seconds: answers with the status of a job, and spells of a locked database."""

    status: list[float]
    held: list[float]


@contextmanager
def watched(service: Service, job_id: str) -> Iterator[Watched]:
    """Watch the status of a job and the write lock while something happens."""
    database = str(service.data_dir / DATABASE_FILE)
    status_url = f"{service.url}/v1/jobs/{job_id}"
    with probing("status", status_url) as status, probing("lock", database) as held:
        yield Watched(status, held)


def quantile(values: list[float], share: float) -> float:
    """A quantile of values; 0 of none."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def lines_of(count: int, content: str, style: str) -> bytes:
    """A JSONL of style transfers that differ in their seed."""
    params = {"content": content, "style": style, "size": 64, "steps": 5}
    return b"".join(
        json.dumps(
            {"custom_id": f"{place:06}", "kind": "style_transfer", "params": {**params, "seed": place}}
        ).encode()
        + b"\n"
        for place in range(count)
    )


@dataclass(frozen=True)
class Posted:
    """A batch that was sent: its id, seconds from its last byte to the answer, and when that was sent."""

    batch_id: str
    answered: float
    sent_at: float


def post(service: Service, body: bytes, query: str = "") -> Posted:
    """Send a JSONL, and measure from its last byte on."""
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=PATIENCE)
    connection.putrequest("POST", f"/v1/batches{query}")
    connection.putheader("Content-Type", "application/x-ndjson")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    for start in range(0, len(body), CHUNK):
        connection.send(body[start : start + CHUNK])
    sent_at = time.perf_counter()
    response = connection.getresponse()
    answer = json.loads(response.read())
    answered = time.perf_counter() - sent_at
    assert response.status == 202, answer
    return Posted(answer["id"], answered, sent_at)


def seconds_until(service: Service, batch_id: str, since: float, done: Callable[[Any], bool]) -> float:
    """Seconds from a moment until the batch is so."""
    while not done(service.request("GET", f"/v1/batches/{batch_id}")):
        assert time.perf_counter() - since < PATIENCE, "waited in vain"
        time.sleep(0.1)
    return time.perf_counter() - since


def take_large(service: Service, body: bytes, lines: int) -> str:
    """Send a large batch to a service that has nothing else to do; its id."""
    posted = post(service, body)
    all_rows = seconds_until(
        service, posted.batch_id, posted.sent_at, lambda batch: batch["counts"]["waiting"] == 0
    )
    name = f"JSONL of {lines:,} lines, {len(body) / 1e6:.1f} MB"
    tell(f"{name}: last byte to 202", f"{posted.answered:.2f} s", "under 2 s")
    tell("  until all are jobs", f"{all_rows:.1f} s", "under 15 s")
    return posted.batch_id


def watch_large(service: Service, body: bytes, job_id: str) -> None:
    """Send another one while the status of a job is asked for, and the database's lock, without a pause."""
    with watched(service, job_id) as alone:
        time.sleep(5.0)
    with watched(service, job_id) as meanwhile:
        posted = post(service, body)
        seconds_until(service, posted.batch_id, posted.sent_at, lambda batch: batch["counts"]["waiting"] == 0)
    tell_lock(meanwhile)
    tell_status(meanwhile, alone)


def tell_lock(found: Watched) -> None:
    """Print for how long at a time the database was locked."""
    tell("  write lock, longest", f"{max(found.held, default=0.0) * MILLI:.0f} ms", "under 200 ms")
    tell(f"  the same, p99 of {len(found.held)}", f"{quantile(found.held, 0.99) * MILLI:.0f} ms", "")


def tell_status(found: Watched, alone: Watched) -> None:
    """Print how fast the status of a job was meanwhile, beside a service at rest."""
    middle, late = (f"{quantile(found.status, share) * MILLI:.1f} ms" for share in (0.5, 0.99))
    before = (
        f"{quantile(alone.status, 0.5) * MILLI:.1f} and {quantile(alone.status, 0.99) * MILLI:.1f} ms at rest"
    )
    tell("  status of a job meanwhile, median", middle, "")
    tell("  the same, p99", late, f"under 50 ms; median and p99 {before}")


def cancel(service: Service, batch_id: str, lines: int, job_id: str) -> None:
    """Cancel a large batch whose jobs all wait."""
    with watched(service, job_id) as meanwhile:
        began = time.perf_counter()
        service.request("POST", f"/v1/batches/{batch_id}/cancel")
        answered = time.perf_counter() - began
        done = seconds_until(service, batch_id, began, lambda batch: batch["counts"]["cancelled"] == lines)
    tell(f"cancel of {lines:,}: the answer", f"{answered * MILLI:.0f} ms", "")
    tell("  until all are cancelled", f"{done:.1f} s", "under 10 s")
    tell_lock(meanwhile)


def lists_and_claims(service: Service) -> dict[str, list[float]]:
    """Seconds of pages of lists, and of claims of the next job, by name."""
    pages = {
        "first page of 100": {"limit": 100},
        "by kind and state": {"limit": 100, "kind": "style_transfer", "state": "queued"},
        "of single jobs": {"limit": 100, "batch": "none"},
        "batches": None,
    }
    found: dict[str, list[float]] = {}
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client:
        for name, query in pages.items():
            path = "/v1/batches" if query is None else "/v1/jobs"
            found[name] = timings(lambda: client.get(path, params=query).raise_for_status())  # noqa: B023
    engine = make_engine(Settings(data_dir=service.data_dir, database_url=None).resolved_database_url)
    found["claim of the next job"] = timings(lambda: claim_next(engine, "benchmark", ["long"], 3600.0))
    engine.dispose()
    return found


def timings(action: Callable[[], object], runs: int = 30) -> list[float]:
    """Seconds of each of some runs of an action, after one that is not counted."""
    action()
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
    return took


def measure(lines: int, few: int, batches: int) -> None:
    """Run all measurements, and print them."""
    with tempfile.TemporaryDirectory(prefix="impasto-benchmark-") as folder:
        settings = {"IMPASTO_LANES": IDLE_LANE, "IMPASTO_LEASE_SECONDS": "3600"}
        with running(Path(folder) / "data", **settings) as service:
            content, style = (
                service.request("POST", "/v1/images", files={"image": ("a.png", noise(seed=seed))})["id"]
                for seed in (1, 2)
            )
            job_id = service.paint(size=64, steps=5)
            small = post(service, lines_of(few, content, style))
            seconds_until(service, small.batch_id, small.sent_at, lambda b: b["counts"]["waiting"] == 0)
            with_few = lists_and_claims(service)
            body = lines_of(lines, content, style)
            large = take_large(service, body, lines)
            watch_large(service, body, job_id)
            cancel(service, large, lines, job_id)
            for _ in range(batches - 1):
                posted = post(service, body)
                seconds_until(service, posted.batch_id, posted.sent_at, lambda b: b["counts"]["waiting"] == 0)
            with_many = lists_and_claims(service)
    for name, took in with_many.items():
        before = with_few[name]
        ratio = statistics.median(took) / statistics.median(before)
        tell(f"{batches * lines:,} queued: {name}, median and longest", shown(took), f"{ratio:.2f} times")
        tell(f"  the same with {few:,}", shown(before), "")


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=50_000, help="lines of a large batch")
    parser.add_argument("--few", type=int, default=1000, help="jobs that are few")
    parser.add_argument("--batches", type=int, default=4, help="large batches that wait at the end")
    arguments = parser.parse_args()
    measure(arguments.lines, arguments.few, arguments.batches)


if __name__ == "__main__":
    main()
