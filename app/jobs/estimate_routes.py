"""The route of estimates."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from app.database.ids import new_id
from app.http.bodies import JSON_ERRORS, LimitedRoute
from app.http.errors import DatabaseUnavailable, InvalidRequest
from app.http.problems import documented
from app.http.services import ServicesDep
from app.jobs.admission import shape_of
from app.jobs.continuing import with_continued
from app.jobs.errors import InvalidParam, ParamsError
from app.jobs.estimates import estimate
from app.jobs.preparing import Preparer
from app.jobs.routes import NewJobBody
from app.jobs.schemas import Estimate
from app.kinds import KINDS

router = APIRouter(prefix="/v1/estimate", tags=["jobs"], route_class=LimitedRoute)


@router.post(
    "", responses=documented(*JSON_ERRORS, ParamsError, InvalidParam, InvalidRequest, DatabaseUnavailable)
)
def estimate_job(services: ServicesDep, job: NewJobBody) -> Estimate:
    """The time and memory that a job would take.

    It takes what `POST /v1/jobs` takes, and refuses what that refuses; but pictures may be left out.
    """
    preparer = Preparer(services.engine, services.settings)
    asked = with_continued(services.engine, preparer.catalogue, job.kind, job.params)
    missing = _missing_pictures(job.kind, asked)
    params = preparer.parse(job.kind, {**asked, **missing})
    (checked,) = preparer.check([params], uploaded=dict.fromkeys(missing.values()))
    if isinstance(checked, ParamsError):
        raise checked
    return estimate(services.engine, checked.params, shape_of(checked.params, checked.sides))


def _missing_pictures(kind: str, params: Mapping[str, Any]) -> dict[str, str]:
    """Ids of pictures that need not exist, by the param that needs one and has none."""
    if kind not in KINDS:
        return {}
    spec = KINDS[kind]
    pictures, fields = spec.params.picture_fields(), spec.params.model_fields
    needed = {name for name in pictures if fields[name].is_required()}
    given = {*pictures, *spec.params.dataset_fields()} & {*params}
    if spec.example_picture is not None and not given:
        needed.add(spec.example_picture)
    return {name: new_id() for name in needed if params.get(name) is None}
