"""Health of the service: whether it answers, and whether it can run jobs."""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Response

from app.database.schema import schema_of
from app.http.services import ServicesDep
from app.kinds import all_lanes
from app.workers import repository as workers

router = APIRouter(tags=["health"])

_VERSION = version("impasto")

_OTHER_TABLES = {
    "newer": "database of a newer release",
    "older": "database of an older release",
    "empty": "database without tables",
}


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The HTTP service answers."""
    # In the event loop: in a thread it would wait for those that are busy.
    return {"status": "ok", "version": _VERSION}


@router.get(
    "/readyz",
    responses={
        503: {"content": {"application/json": {}}, "description": "A lane has no worker."},
    },
)
def readyz(services: ServicesDep, response: Response) -> dict[str, Any]:
    """The database answers, and every lane of `IMPASTO_LANES` has a live worker. 503 until then.

    503 too if the tables are not those of this release: once a newer one has migrated the database, this
    process is to be replaced.
    """
    schema = schema_of(services.engine)
    if schema.state != "current":
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return {"status": _OTHER_TABLES[schema.state], "lanes_without_worker": [], "workers": []}
    alive = workers.list_alive(services.engine)
    wanted = services.settings.lane_names or all_lanes()
    missing = sorted(set(wanted) - {lane for worker in alive for lane in worker.lanes})
    if missing:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return {
        "status": "no worker" if missing else "ready",
        "lanes_without_worker": missing,
        "workers": [
            {"name": w.worker_id, "lanes": w.lanes, "device": w.device, "host": w.host} for w in alive
        ],
    }
