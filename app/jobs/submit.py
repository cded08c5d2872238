"""From what a person sends to a queued job: check, resolve, write, hint."""

import hashlib
import json
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine

from app.database.ids import is_id
from app.errors import FieldError, InputError
from app.images.errors import UnknownImage
from app.images.repository import get_image, is_film
from app.jobs.dispatch.base import Dispatcher
from app.jobs.errors import InvalidParam, JobNotEnded, ParamsError
from app.jobs.job import Job
from app.jobs.repository import NewJob, create_job, find_by_key, get_artifact, get_job
from app.kinds import KINDS, Params, spec_of
from app.networks.catalogue import SHIPPED

# 0 to 7, as in RFC 9218 but the other way round: higher goes first.
DEFAULT_PRIORITY = 4


def parse_params(kind: str, params: dict[str, Any]) -> Params:
    """Params of a kind, checked and resolved. Raises ParamsError; InvalidParam for an unknown kind."""
    if kind not in KINDS:
        raise InvalidParam("kind", f"There is no kind {kind!r}. Kinds: {', '.join(sorted(KINDS))}.")
    try:
        return KINDS[kind].params.model_validate(params).resolve(SHIPPED)
    except ValidationError as error:
        raise ParamsError([_field_error(KINDS[kind].params, e) for e in error.errors()]) from None
    except InputError as error:
        raise ParamsError([FieldError(error.field, error.detail)]) from None


def _field_error(cls: type[Params], error: Any) -> FieldError:
    location = [str(part) for part in error["loc"]]
    # Tags of unions and validators are no names that a person could have written.
    shown = [part for part in location if "[" not in part and "(" not in part]
    field = ".".join(shown) or "params"
    match error["type"]:
        case "extra_forbidden":
            known = ", ".join(cls.model_fields)
            return FieldError(field, f"There is no param {field!r}. Params: {known}.")
        case "missing":
            return FieldError(field, "This param is required.")
        case "finite_number":
            return FieldError(field, "A finite number is needed, not NaN or infinity.")
        case _:
            given = error.get("input")
            shown_value = f" Given: {given!r}." if isinstance(given, str | int | float) else ""
            return FieldError(field, f"{error['msg']}.{shown_value[:200]}")


def check_pictures(engine: Engine, params: Params) -> None:
    """Check that every picture that the params name is there. Raises ParamsError."""
    errors = []
    for field, references in params.pictures().items():
        clips = params.picture_fields()[field].clips
        for reference in references:
            detail = _unusable(engine, reference, clips)
            if detail:
                errors.append(FieldError(field, detail))
    if errors:
        raise ParamsError(errors)


def _unusable(engine: Engine, reference: str, clips: bool) -> str | None:
    """What is wrong with a picture that a param names, if anything; ``clips`` if that may be a clip."""
    owner, _, artifact = reference.partition("/")
    if not is_id(owner):
        return f"{reference!r} is no image id: upload the picture first, or use <job id>/<artifact>."
    if artifact:
        made = get_artifact(engine, owner, artifact)
        if made is None:
            return f"Job {owner} has no artifact {artifact!r}."
        moves = is_film(made.media_type)
    else:
        try:
            moves = get_image(engine, owner).moves
        except UnknownImage:
            return f"There is no image {owner}: upload it first."
    if moves and not clips:
        return f"{reference} is a clip: take a picture that stands still, such as one frame of it."
    return None


def payload_hash(kind: str, params: dict[str, Any]) -> str:
    """Hash of what was asked for, to tell a repeated request from another one."""
    text = json.dumps([kind, params], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def resubmit(engine: Engine, dispatcher: Dispatcher, job_id: str) -> Job:
    """Queue a new job with the params of one that has ended, which it names.

    Raises UnknownJob, JobNotEnded, ParamsError for pictures that are gone by now.
    """
    old = get_job(engine, job_id)
    if not old.ended:
        raise JobNotEnded(job_id)
    params = parse_params(old.kind, old.params)
    return submit(engine, dispatcher, params, priority=old.priority, retry_of=old.id)[0]


def submit(
    engine: Engine,
    dispatcher: Dispatcher,
    params: Params,
    *,
    idempotency_key: str | None = None,
    payload: str | None = None,
    priority: int = DEFAULT_PRIORITY,
    retry_of: str | None = None,
) -> tuple[Job, bool]:
    """Queue a job for resolved params and hint the workers. Returns it, and whether it is new.

    Raises ParamsError for pictures that are not there, KeyReused for a key with another payload.
    """
    earlier = find_by_key(engine, idempotency_key, payload)
    if earlier is not None:
        return earlier, False
    check_pictures(engine, params)
    references = tuple(ref for refs in params.pictures().values() for ref in refs)
    spec = spec_of(params)
    job, created = create_job(
        engine,
        NewJob(
            kind=spec.name,
            lane=spec.lane,
            params=params.model_dump(mode="json"),
            pictures=references,
            priority=priority,
            retry_of=retry_of,
            idempotency_key=idempotency_key,
            payload_hash=payload,
        ),
    )
    if created:
        dispatcher.hint(job)
    return job, created
