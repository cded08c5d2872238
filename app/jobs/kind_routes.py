"""The kinds of job: what there is, and one typed endpoint for each."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app.http.bodies import BODY_ERRORS, LimitedRoute, RequestBody
from app.http.openapi_forms import REF, schema_name
from app.http.problems import documented
from app.http.services import ServicesDep
from app.jobs.request_headers import JobHeadersDep
from app.jobs.routes import ENDED_IN_TIME, REPRODUCIBLE, SUBMISSION_ERRORS, create_and_answer
from app.jobs.schemas import JobView
from app.kinds import KINDS, KindSpec, Params
from app.media import PictureError

REFUSALS = documented(
    *BODY_ERRORS,
    *SUBMISSION_ERRORS,
    PictureError,
)


def kind_path(kind: str) -> str:
    """The path of a kind's own endpoint."""
    return f"/v1/{kind.replace('_', '-')}"


def make_router() -> APIRouter:
    """The routes of the kinds that are registered now."""
    router = APIRouter(prefix="/v1", tags=["kinds"], route_class=LimitedRoute)
    router.add_api_route("/kinds", list_kinds)
    for spec in KINDS.values():
        _add_endpoint(router, spec)
    return router


def list_kinds() -> dict[str, Any]:
    """Every kind of job, with the JSON Schema of its params: defaults, limits and texts.

    ``lane`` is null where it depends on the job.
    """
    return {"items": [_view(spec) for spec in KINDS.values()]}


def _view(spec: KindSpec[Params]) -> dict[str, Any]:
    return {
        "kind": spec.name,
        "title": spec.title,
        "summary": spec.summary,
        "lane": spec.fixed_lane,
        "path": kind_path(spec.name),
        "wait_seconds": spec.wait_seconds,
        "can_finish": spec.can_finish,
        "command": spec.command,
        "listed": spec.listed,
        "group": spec.group,
        "class_looks": spec.class_looks,
        "arguments": spec.arguments,
        "submit_label": spec.submit_label,
        "primary_fields": spec.primary_fields,
        "label_fields": spec.label_fields,
        "file_extensions": spec.file_extensions,
        "schema": spec.params.model_json_schema(),
        "presets": {
            name: {"summary": preset.summary, "values": preset.model_dump(exclude={"summary"})}
            for name, preset in spec.presets.items()
        },
    }


def _body_schema(spec: KindSpec[Params]) -> dict[str, Any]:
    """The two shapes of a body that a kind's endpoint takes."""
    pictures = spec.params.picture_fields()
    form = {"$ref": REF.format(model=schema_name(spec, "Form"))}
    example = dict(spec.example)
    schema = {"$ref": REF.format(model=spec.params.__name__)}
    fields = spec.params.model_fields
    needed = {name for name in pictures if fields[name].is_required() or name == spec.example_picture}
    by_id = {name: _example(mark.many) for name, mark in pictures.items() if name in needed}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema, "example": by_id | example},
                "multipart/form-data": {
                    "schema": form,
                    "encoding": {"params": {"contentType": "application/json"}},
                },
            },
        }
    }


def _example(many: bool) -> Any:
    identity = "0198c0de-0000-7000-8000-000000000000"
    return [identity] if many else identity


def _add_endpoint(router: APIRouter, spec: KindSpec[Params]) -> None:
    async def create_job(
        services: ServicesDep,
        body: RequestBody,
        headers: JobHeadersDep,
        response: Response,
        reproducible: Annotated[bool, Query(description=REPRODUCIBLE)] = False,
    ) -> JobView:
        return await create_and_answer(
            services, spec.name, body, headers, response, spec.wait_seconds, reproducible
        )

    router.add_api_route(
        kind_path(spec.name).removeprefix("/v1"),
        create_job,
        methods=["POST"],
        status_code=HTTPStatus.ACCEPTED,
        name=f"create_{spec.name}",
        summary=spec.title,
        description=spec.summary,
        responses={**REFUSALS, **ENDED_IN_TIME},
        openapi_extra=_body_schema(spec),
    )
