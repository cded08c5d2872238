"""The cost of the service itself: overhead of a job, latency under load, memory, long queues.

    python -m benchmarks.service [--mode embedded] [--mode celery] [--only overhead ...]

Starts the service on a free port with a temporary data folder; for Celery also a Redis and a PostgreSQL. All
load comes from this process, is bounded in number and time, and goes to 127.0.0.1.
"""

import argparse
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from sqlalchemy import insert

from app.database.engine import now, write
from app.database.ids import new_id
from app.jobs import claims
from app.jobs.states import State
from app.jobs.tables import job_events, jobs
from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from benchmarks.load import listen, multipart, request, send_at_rate
from benchmarks.probes import probing
from tests.support.deployment import MODES, Deployment, Mode, deployed
from tests.support.postgres import postgres
from tests.support.strange_pictures import encode

# A job that runs until it is cancelled.
LONG = 20_000
SUBMITS_PER_SECOND, STATUSES_PER_SECOND, LOAD_SECONDS = 30.0, 300.0, 20.0
STATUS_JOBS = 50
SHORT_KIND, SHORT_PER_SECOND = "classify", 15.0
STREAMS, STREAM_SECONDS = 500, 15.0
QUEUED, LONG_QUEUE = 10_000, 200_000
THUMBNAILS = 50
MILLI = 1000.0


def photo(side: int = 1600) -> bytes:
    """A JPEG of about 1.4 MB: smooth shapes with sensor noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:side, 0:side] / side
    smooth = np.stack([np.sin(7 * x + 3 * y), np.cos(5 * y), np.sin(9 * x * y)], axis=-1)
    grain = rng.normal(0, 24, smooth.shape)
    pixels = np.clip(128 + 90 * smooth + grain, 0, 255).astype(np.uint8)
    return encode(Image.fromarray(pixels), "JPEG", quality=90)


def tell(what: str, value: str, target: str) -> None:
    """Print a measurement beside its target."""
    print(f"    {what:<58} {value:>22}   {target}", flush=True)


def small_params(service: Deployment, **params: object) -> dict[str, object]:
    """Params of a style transfer of two small pictures, which are uploaded."""
    return {"content": service.upload(1), "style": service.upload(2), "size": 64} | params


def submit(service: Deployment, params: dict[str, object]) -> str:
    """Submit a job; returns its id."""
    return str(service.request("POST", "/v1/jobs", json={"kind": "style_transfer", "params": params})["id"])


@contextmanager
def busy(service: Deployment, **params: object) -> Iterator[str]:
    """A context in which a job runs."""
    job_id = submit(service, small_params(service, steps=LONG, **params))
    service.wait_for_progress(job_id)
    yield job_id
    service.request("POST", f"/v1/jobs/{job_id}/cancel")
    service.wait_for_job(job_id, "cancelled")


def overhead(service: Deployment, runs: int = 40) -> None:
    """POST to `succeeded`, less the engine's own time."""
    params = small_params(service, steps=5)
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
        seconds, whole = [], []
        for number in range(runs + 5):
            began = time.perf_counter()
            response = client.post(
                "/v1/jobs",
                json={"kind": "style_transfer", "params": {**params, "seed": number}},
                headers={"Prefer": "wait=60"},
            )
            took = time.perf_counter() - began
            job = response.raise_for_status().json()
            if number >= 5:
                whole.append(took)
                seconds.append(took - job["result"]["compute_seconds"])
    limit = "30 ms" if service.mode == "embedded" else "60 ms"
    tell("overhead of a job, median", f"{statistics.median(seconds) * MILLI:.0f} ms", f"under {limit}")
    tell("  the same, longest", f"{max(seconds) * MILLI:.0f} ms", "")
    tell("  the whole job with 5 steps of 64 px, median", f"{statistics.median(whole) * MILLI:.0f} ms", "")


def submits(service: Deployment) -> None:
    """Submits with a photo, at a fixed rate, while a job runs."""
    picture = photo()
    style = service.upload(2)
    headers, body = multipart({"content": picture}, {"params": json.dumps({"style": style, "steps": 1})})
    data = request("POST", "/v1/style-transfer", headers, body)
    port = int(service.url.rpartition(":")[2])
    with busy(service) as running:
        answers = send_at_rate(port, lambda _: data, rate=SUBMITS_PER_SECOND, seconds=LOAD_SECONDS)
        name = f"submit, {len(picture) / 1e6:.1f} MB, {SUBMITS_PER_SECOND:.0f}/s"
        tell(f"{name}: median", f"{answers.quantile(0.5) * MILLI:.0f} ms", "")
        tell(f"{name}: p99 ({answers.statuses})", f"{answers.quantile(0.99) * MILLI:.0f} ms", "under 100 ms")
        clear_queue(service, running)


def short_jobs(service: Deployment) -> None:
    """Short jobs with a photo each, answered in the same call, at a fixed rate, while a long job runs."""
    picture = photo()
    headers, body = multipart({"image": picture}, {"params": "{}"})
    data = request("POST", f"/v1/{SHORT_KIND}", headers, body)
    port = int(service.url.rpartition(":")[2])
    # Warm.
    send_at_rate(port, lambda _: data, rate=2.0, seconds=3.0)
    alone = send_at_rate(port, lambda _: data, rate=2.0, seconds=10.0)
    name = f"{SHORT_KIND}, {len(picture) / 1e6:.1f} MB"
    tell(f"{name}, alone: median", f"{alone.quantile(0.5) * MILLI:.0f} ms", "")
    with busy(service, size=512):
        answers = send_at_rate(port, lambda _: data, rate=SHORT_PER_SECOND, seconds=LOAD_SECONDS)
    name = f"{name}, {SHORT_PER_SECOND:.0f}/s"
    tell(f"{name}: median", f"{answers.quantile(0.5) * MILLI:.0f} ms", "under 60 ms")
    tell(f"{name}: p99 ({answers.statuses})", f"{answers.quantile(0.99) * MILLI:.0f} ms", "under 200 ms")


def statuses(service: Deployment) -> None:
    """Requests for the states of a running job and of queued ones, at a fixed rate."""
    port = int(service.url.rpartition(":")[2])
    params = small_params(service)
    with busy(service) as running:
        queued = [submit(service, params) for _ in range(STATUS_JOBS - 1)]
        asked = [request("GET", f"/v1/jobs/{job_id}") for job_id in (running, *queued)]
        answers = send_at_rate(
            port, lambda number: asked[number % len(asked)], rate=STATUSES_PER_SECOND, seconds=LOAD_SECONDS
        )
        clear_queue(service, running)
    name = f"status, {STATUSES_PER_SECOND:.0f}/s"
    tell(f"{name}: median", f"{answers.quantile(0.5) * MILLI:.1f} ms", "")
    tell(f"{name}: p99 ({answers.statuses})", f"{answers.quantile(0.99) * MILLI:.1f} ms", "under 25 ms")


def streams(service: Deployment) -> None:
    """Event streams of a running job and of queued jobs, in one API process."""
    port = int(service.url.rpartition(":")[2])
    (api,) = [pid for pid, line in service.front.pids().items() if "app.supervision.api" in line]
    before = resident(api)
    during: list[float] = []
    with busy(service) as running:
        path = f"/v1/jobs/{running}/events"
        events = listen(
            port, path, count=STREAMS, seconds=STREAM_SECONDS, at_end=lambda: during.append(resident(api))
        )
    tell(f"{STREAMS} event streams: memory of the API", f"{during[0]:.0f} MB", "under 150 MB")
    tell("  before them", f"{before:.0f} MB", "")
    tell(f"  events each in {STREAM_SECONDS:.0f} s", f"{min(events)} to {max(events)}", "")


def thumbnails(service: Deployment) -> None:
    """Health of the service while a page asks for fifty small copies at once."""
    urls = []
    with httpx.Client(base_url=service.url, timeout=120, trust_env=False) as client:
        picture = photo(3000)
        for number in range(THUMBNAILS):
            # Behind the end marker, so that each is another file.
            file = picture + number.to_bytes(2, "big")
            answer = client.post("/v1/images", files={"image": ("a.jpg", file)})
            urls.append(answer.raise_for_status().json()["url"])
        with probing("status", f"{service.url}/healthz") as took, ThreadPoolExecutor(THUMBNAILS) as threads:
            began = time.perf_counter()
            asked = [threads.submit(client.get, f"{url}?side=320") for url in urls]
            assert all(each.result().status_code == HTTPStatus.OK for each in asked)
            made = time.perf_counter() - began
        again = timed(lambda: client.get(f"{urls[0]}?side=320").raise_for_status())
    name = f"{THUMBNAILS} thumbnails at once, of 9 megapixels"
    tell(f"{name}: all of them", f"{made:.1f} s", "")
    tell("  /healthz meanwhile, median and longest", shown(took), "under 50 ms")
    tell("  one that is kept, median and longest", again, "")


def resident(pid: int) -> float:
    """Resident memory of a process in MB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


def resolved(service: Deployment) -> dict[str, object]:
    """Params of a small style transfer, as a job's row has them."""
    params = StyleTransferParams.model_validate(small_params(service))
    return params.resolve(SHIPPED).model_dump(mode="json")


def pages(service: Deployment) -> None:
    """Pages of the list with many jobs queued."""
    params = resolved(service)
    with busy(service) as running, httpx.Client(base_url=service.url, trust_env=False) as client:
        fill_queue(service, params, QUEUED)
        oldest = service.job(running).created_at
        queries = {
            "first page of 100": {},
            "by kind": {"kind": "style_transfer"},
            "by state": {"state": "queued"},
            "by kind and state, none": {"kind": "style_transfer", "state": "failed"},
            "by time, the oldest": {"created_before": f"{time.strftime('%FT%TZ', time.gmtime(oldest + 1))}"},
        }
        for name, query in queries.items():
            took = timed(lambda: client.get("/v1/jobs", params={"limit": 100, **query}).raise_for_status())  # noqa: B023
            tell(f"{QUEUED} queued: {name}, median and longest", took, "under 50 ms")
        took, cursor = [], None
        for _ in range(QUEUED // 100):
            began = time.perf_counter()
            query = {"limit": 100} if cursor is None else {"limit": 100, "cursor": cursor}
            page = client.get("/v1/jobs", params=query).json()
            took.append(time.perf_counter() - began)
            cursor = page["next_cursor"]
        tell("  every page to the end, median and longest", shown(took), "under 50 ms")
        clear_queue(service, running)


def long_queue(service: Deployment) -> None:
    """Submits and claims with very many jobs queued."""
    params = resolved(service)
    with busy(service) as running:
        fill_queue(service, params, LONG_QUEUE)
        took = timed(lambda: submit(service, params))
        tell(f"{LONG_QUEUE} queued: submit, median and longest", took, "")
        took = timed(lambda: claims.claim_next(service.engine, "benchmark", ["long"], 3600.0))
        tell("  claim of the next job, median and longest", took, "under 5 ms")
        clear_queue(service, running)


def timed(action: Callable[[], object], runs: int = 30) -> str:
    """Median and longest time of an action."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
    return shown(took)


def shown(took: list[float]) -> str:
    return f"{statistics.median(took) * MILLI:.1f}, {max(took) * MILLI:.1f} ms"


def fill_queue(service: Deployment, params: dict[str, object], count: int) -> None:
    """Insert ``count`` queued jobs into the database in one transaction."""
    fixed = {"kind": "style_transfer", "lane": "long", "state": State.QUEUED, "seq": 1, "params": params}
    counts = {"priority": 4, "attempt": 0, "lost_attempts": 0}
    ids = [new_id() for _ in range(count)]
    event = {"seq": 1, "type": "state", "data": {"state": "queued"}, "created_at": time.time()}
    with write(service.engine) as connection:
        moment = connection.execute(now().select()).scalar_one()
        times = {"created_at": moment}
        connection.execute(insert(jobs), [{"id": job_id, **fixed, **counts, **times} for job_id in ids])
        connection.execute(insert(job_events), [{"job_id": job_id, **event} for job_id in ids])


def clear_queue(service: Deployment, keep: str) -> None:
    """Delete all jobs but one directly from the database."""
    with write(service.engine) as connection:
        connection.execute(jobs.delete().where(jobs.c.id != keep))


MEASUREMENTS = {
    "overhead": overhead,
    "submits": submits,
    "short": short_jobs,
    "statuses": statuses,
    "streams": streams,
    "pages": pages,
    "queue": long_queue,
    "thumbnails": thumbnails,
}


def measure(mode: Mode, names: list[str]) -> None:
    """Run the measurements in a mode, and print them."""
    print(f"{mode}", flush=True)
    with tempfile.TemporaryDirectory(prefix="impasto-benchmark-") as folder, ExitStack() as stack:
        server = stack.enter_context(postgres()) if mode == "celery" else None
        # Threads as they are where no setting says otherwise; tests take one.
        threads = str(os.cpu_count())
        service = stack.enter_context(deployed(mode, Path(folder), server, IMPASTO_THREADS=threads))
        for name in names:
            MEASUREMENTS[name](service)


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mode", choices=MODES, action="append", help="both, if it is not given")
    parser.add_argument("--only", choices=list(MEASUREMENTS), action="append", help="all, if it is not given")
    arguments = parser.parse_args()
    for mode in arguments.mode or MODES:
        measure(mode, arguments.only or list(MEASUREMENTS))


if __name__ == "__main__":
    main()
