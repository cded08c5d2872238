"""What schemathesis is told of the service beside its OpenAPI: see tests/e2e/test_openapi.py.

It runs in a process of its own, which loads this module by ``SCHEMATHESIS_HOOKS``.
"""

import os
import uuid
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.checks import not_a_server_error  # noqa: F401  (registers the checks)
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

# A picture that is stored, in the place of the one of the examples.
EXAMPLE = "0198c0de-0000-7000-8000-000000000000"
IMAGE = os.environ.get("OPENAPI_TEST_IMAGE", EXAMPLE)
# A job and a batch that have ended, whose events are asked for.
JOB = os.environ.get("OPENAPI_TEST_JOB")
BATCH = os.environ.get("OPENAPI_TEST_BATCH")
# What only the service knows: whether the bytes of a file are what they should be, which names there are,
# and what goes together. Such requests are valid by the schema, and refused.
OF_CONTENT = (
    "picture_",
    "invalid_params",
    "invalid_matrix",
    "invalid_dataset",
    "batch_invalid",
    "batch_empty",
    "zip_unusable",
    "labels_unusable",
    "network_file_unusable",
    "no_thumbnail",
)
# Bodies whose every text is valid by the schema; the hook makes a text of whatever else is made up.
LINES = ("application/x-ndjson", "application/jsonl")
# No pattern is said for the texts within values of any form, nor how many pages a sheet has, nor that one
# parameter has as many parts as another.
OF_NO_SCHEMA = ("U+0000", "The sheet has no page", "is the id of a stream of")
# But that something is missing the schema does know, where it names the params of the kind.
OF_SCHEMA = ("This param is required.", "This is missing")
OF_ANY_KIND = ("/v1/jobs", "/v1/estimate")


@schemathesis.serializer(*LINES)
def serialize_lines(ctx: schemathesis.SerializationContext, value: Any) -> Any:
    """Lines are a text."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.hook
def map_body(context: HookContext, body: Any) -> Any:
    """Name a picture that there is."""
    return _with_picture(body)


@schemathesis.hook
def map_path_parameters(context: HookContext, path_parameters: Any) -> Any:
    """Name half of the time a job or a batch that there is."""
    for name, there_is in (("job_id", JOB), ("batch_id", BATCH)):
        made_up = (path_parameters or {}).get(name)
        if there_is and isinstance(made_up, str) and made_up[:1] in set("01234567"):
            path_parameters[name] = there_is
    return path_parameters


@schemathesis.hook
def map_query(context: HookContext, query: Any) -> Any:
    """Name a job that there is beside what is made up, or alone."""
    jobs = (query or {}).get("jobs")
    if JOB and isinstance(jobs, str):
        query["jobs"] = JOB if len(jobs) % 2 else f"{JOB},{jobs}"
    return query


def _names(body: Any, param: str) -> bool:
    """Whether a body has a param that is not null, itself or in the params of a form."""
    if not isinstance(body, dict):
        return False
    return body.get(param) is not None or _names(body.get("params"), param)


def _with_picture(value: Any) -> Any:
    match value:
        case dict():
            return {name: _with_picture(each) for name, each in value.items()}
        case list():
            return [_with_picture(each) for each in value]
        case str() if value == EXAMPLE:
            return IMAGE
        case _:
            return value


@schemathesis.hook
def filter_case(context: HookContext, case: Case) -> bool:
    """Leave out what would be wrong only before it is made a text."""
    return case.media_type not in LINES or isinstance(case.body, str | bytes)


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Use no key twice, and wait for no job."""
    headers = case.headers
    if headers is None:
        return
    key = headers.get("Idempotency-Key")
    if key is not None and 0 < len(key) < 200 and key.isascii() and key.isprintable() and key == key.strip():
        headers["Idempotency-Key"] = f"{key}-{uuid.uuid4().hex}"
    if case.method == "POST":
        headers.setdefault("Prefer", "respond-async")


@schemathesis.check
def valid_data_acceptance(ctx: CheckContext, response: Response, case: Case) -> bool | None:
    """That what is valid by the schema is refused for nothing but what no schema can say."""
    if response.status_code in (400, 413, 415, 422):
        try:
            problem = response.json()
        except ValueError:
            problem = {}
        kind, detail = str(problem.get("type")), str(problem.get("detail"))
        is_missing = case.path not in OF_ANY_KIND and any(text in detail for text in OF_SCHEMA)
        # What may be left out beside the id of a job may not beside the one of a picture.
        is_missing = is_missing and not _names(case.body, "continue_from")
        if any(text in detail for text in OF_NO_SCHEMA) or (kind.startswith(OF_CONTENT) and not is_missing):
            return None
    return positive_data_acceptance(ctx, response, case)


@schemathesis.check
def invalid_data_rejection(ctx: CheckContext, response: Response, case: Case) -> bool | None:
    """That what is invalid by the schema is refused.

    A form without params is valid by another branch of its schema than one that lacks a picture, and what is
    made up to break one of them may keep to the other.
    """
    if case.media_type == "multipart/form-data" and isinstance(case.body, dict) and "params" not in case.body:
        return None
    return negative_data_rejection(ctx, response, case)
