"""Is the service there, and can it do anything?"""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Response

from app.http.services import Here
from app.kinds import KINDS
from app.workers import repository as workers

router = APIRouter(tags=["health"])

# A worker says that it lives every 5 s; one that missed three of those is not counted on.
SEEN_SECONDS = 20.0


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The HTTP service answers."""
    return {"status": "ok", "version": version("impasto")}


@router.get("/readyz")
def readyz(here: Here, response: Response) -> dict[str, Any]:
    """The database answers, and every lane has a living worker. 503 until then."""
    living = workers.list_alive(here.engine, SEEN_SECONDS)
    lanes = {spec.lane for spec in KINDS.values()}
    missing = sorted(lanes - {lane for worker in living for lane in worker.lanes})
    if missing:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return {
        "status": "no worker" if missing else "ready",
        "lanes_without_worker": missing,
        "workers": [
            {"name": w.worker_id, "lanes": w.lanes, "device": w.device, "host": w.host} for w in living
        ],
    }
