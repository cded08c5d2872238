"""The kinds of job: what there is, and one typed endpoint for each."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response

from app.http.openapi import REF
from app.http.problems import documented
from app.http.services import Here
from app.jobs.routes import ENDED_IN_TIME, SUBMISSION_ERRORS, create_and_answer
from app.jobs.schemas import JobView
from app.jobs.submissions import BODY_ERRORS, IdempotencyKey, Prefer, Priority, RequestBody
from app.kinds import KINDS, Params
from app.media import PictureError
from app.storage import StorageFull

router = APIRouter(prefix="/v1", tags=["kinds"])

REFUSALS = documented(
    *BODY_ERRORS,
    *SUBMISSION_ERRORS,
    PictureError,
    StorageFull,
)


def kind_path(kind: str) -> str:
    """The path of a kind's own endpoint."""
    return f"/v1/{kind.replace('_', '-')}"


@router.get("/kinds")
def list_kinds() -> dict[str, Any]:
    """Every kind of job, with the JSON Schema of its params: defaults, limits and texts."""
    return {"items": [_view(cls) for cls in KINDS.values()]}


def _view(cls: type[Params]) -> dict[str, Any]:
    return {
        "kind": cls.kind,
        "title": cls.title,
        "summary": cls.summary,
        "lane": cls.lane,
        "path": kind_path(cls.kind),
        "offered": cls.offered,
        "action": cls.action,
        "foremost": cls.foremost,
        "schema": cls.model_json_schema(),
        "presets": cls.presets(),
    }


def _body_schema(cls: type[Params]) -> dict[str, Any]:
    """The two shapes of a body that a kind's endpoint takes."""
    files: dict[str, Any] = {}
    for name, mark in cls.picture_fields().items():
        file = {"type": "string", "format": "binary"}
        files[name] = {"type": "array", "items": file} if mark.many else file
    form = {
        "type": "object",
        "properties": {
            **files,
            "params": {"type": "string", "description": "The other params, as JSON."},
        },
    }
    schema = {"$ref": REF.format(model=cls.__name__)}
    required = {name for name, info in cls.model_fields.items() if info.is_required()}
    by_id = {name: _example(mark.many) for name, mark in cls.picture_fields().items() if name in required}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema, "example": {**by_id, **cls.example}},
                "multipart/form-data": {"schema": form, "example": {"params": json.dumps(cls.example)}},
            },
        }
    }


def _example(many: bool) -> Any:
    identity = "0198c0de-0000-7000-8000-000000000000"
    return [identity] if many else identity


def _add_endpoint(cls: type[Params]) -> None:
    async def create_job(
        here: Here,
        body: RequestBody,
        response: Response,
        key: IdempotencyKey = None,
        priority: Priority = None,
        prefer: Prefer = None,
    ) -> JobView:
        return await create_and_answer(here, cls.kind, body, response, key, priority, prefer)

    router.add_api_route(
        kind_path(cls.kind).removeprefix("/v1"),
        create_job,
        methods=["POST"],
        status_code=HTTPStatus.ACCEPTED,
        name=f"create_{cls.kind}",
        summary=cls.title,
        description=cls.summary,
        responses={**REFUSALS, **ENDED_IN_TIME},
        openapi_extra=_body_schema(cls),
    )


for _cls in KINDS.values():
    _add_endpoint(_cls)
