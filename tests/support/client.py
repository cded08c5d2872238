"""What tests of the Python client share: either client used alike, and answers of a service."""

from collections.abc import Callable
from typing import Any

from impasto_client import Retries
from tests.support.flaky_server import Reply

QUICK = Retries(attempts=6, first_delay=0.01, max_delay=0.05)
# Calls a function with a client, and returns what it, or its coroutine, comes to.
Ask = Callable[[Callable[[Any], Any]], Any]

JOB_ID = "0198c0de-0000-7000-8000-000000000000"
JOB = f"/v1/jobs/{JOB_ID}"
BUSY = Reply.of({"type": "busy", "detail": "Later."}, 429, headers={"Retry-After": "0"})
AWAY = Reply.of({"type": "database_unavailable", "title": "Away"}, 503)
# What a proxy says whose service is gone.
BAD_GATEWAY = Reply(502, b"<html>Bad Gateway</html>")


def job(**changes: Any) -> dict[str, Any]:
    """A job as the service describes one."""
    return {
        "id": JOB_ID,
        "kind": "style_transfer",
        "state": "queued",
        "seq": 1,
        "params": {},
        "attempt": 0,
        "priority": 4,
        "paused": False,
        "reproducible": False,
        "cancel_requested": False,
        "finish_requested": False,
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": None,
        "finished_at": None,
        "progress": None,
        "artifacts": [],
        "result": None,
        "error": None,
        "retry_of": None,
        "batch_id": None,
        "batch_line": None,
        "custom_id": None,
        "network": None,
        "further_networks": [],
    } | changes


ACCEPTED = Reply.of(job(), 202)

BATCH_ID = "0198c0de-0000-7000-8000-000000000009"
BATCH = f"/v1/batches/{BATCH_ID}"
CREATE = "POST /v1/batches"
GONE = Reply(204)


def batch(**changes: Any) -> dict[str, Any]:
    """A batch as the service describes one."""
    states = ("waiting", "queued", "running", "succeeded", "failed", "cancelled")
    return {
        "id": BATCH_ID,
        "name": "mine",
        "source": "jsonl",
        "state": "running",
        "paused": False,
        "cancel_requested": False,
        "priority": "normal",
        "reproducible": False,
        "lines": 3,
        "counts": dict.fromkeys(states, 0) | {"waiting": 3},
        "wrong": 0,
        "eta_seconds": None,
        "first_errors": [],
        "samples": [],
        "matrix": None,
        "created_at": "2026-01-01T00:00:00Z",
        "finished_at": None,
    } | changes


def image(number: int) -> Reply:
    """The answer to an upload."""
    view = {
        "id": f"0198c0de-0000-7000-8000-{number:012}",
        "name": None,
        "url": "",
        "media_type": "image/png",
        "bytes": 1,
        "sha256": "",
        "width": 1,
        "height": 1,
        "frames": 1,
        "created_at": None,
    }
    return Reply.of(view, 201)


def gather(source: Any) -> Any:
    """All items of an iterator, or a coroutine for those of an asynchronous one."""
    if hasattr(source, "__aiter__"):

        async def collect() -> list[Any]:
            return [item async for item in source]

        return collect()
    return list(source)
