"""Seconds from POST to the first preview and to the picture, through a real service with defaults.

    python -m benchmarks.first_picture [--size 256] [--runs 3]

Starts ``impasto serve`` on a free port with data of its own, warms it with one small job, then measures.
"""

import argparse
import contextlib
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from app.cli.demo_pictures import brushwork, landscape

PATIENCE = 300.0


@contextlib.contextmanager
def service() -> Iterator[httpx.Client]:
    """A client of a service that is ready."""
    with tempfile.TemporaryDirectory(prefix="impasto-benchmark-") as folder:
        log = Path(folder) / "log"
        command = [Path(sys.executable).with_name("impasto"), "serve", "--port", "0", "--data-dir", folder]
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ)
        try:
            while "Ready" not in log.read_text():
                if process.poll() is not None:
                    raise RuntimeError(log.read_text())
                time.sleep(0.1)
            url = next(word for word in log.read_text().split() if word.startswith("http://"))
            with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
                yield client
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def png(picture: object) -> bytes:
    """A Pillow picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")  # type: ignore[attr-defined]
    return buffer.getvalue()


def paint(client: httpx.Client, params: dict[str, object]) -> tuple[float, float]:
    """Seconds from POST to the first preview, and to the end of the job."""
    files = {"content": ("a.png", png(landscape())), "style": ("b.png", png(brushwork()))}
    started = time.perf_counter()
    job = client.post("/v1/style-transfer", files=files, data={"params": json.dumps(params)}).json()
    preview = None
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        for line in response.iter_lines():
            if line == "event: preview" and preview is None:
                preview = time.perf_counter() - started
            if line == "event: done":
                break
    ended = time.perf_counter() - started
    state = client.get(f"/v1/jobs/{job['id']}").json()
    if state["state"] != "succeeded":
        raise RuntimeError(state["error"])
    return preview or ended, ended


def main() -> None:
    """Measure, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with service() as client:
        paint(client, {"size": 64, "steps": 8})
        runs = [paint(client, {"size": arguments.size}) for _ in range(arguments.runs)]
    previews, ends = zip(*runs, strict=True)
    print(f"{arguments.size} px, defaults, {os.cpu_count()} cores, median of {arguments.runs} runs:")
    print(f"  POST to first preview  {statistics.median(previews):6.2f} s")
    print(f"  POST to picture        {statistics.median(ends):6.2f} s")


if __name__ == "__main__":
    main()
