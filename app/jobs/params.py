"""Checks the params of a job: by the class of its kind, and that the pictures and sets they name exist."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import Engine

from app.database.ids import is_id
from app.datasets.builtin import BUILT_IN, built_in, find_or_begin, problem_of
from app.datasets.dataset import Dataset
from app.datasets.repository import find_dataset
from app.errors import MAX_ERRORS, FieldError, InputError, ServiceError
from app.images.repository import Image, find_images
from app.jobs.errors import InvalidParam, ParamsError
from app.jobs.repository import get_artifact
from app.kinds import KINDS, Params
from app.media.clips import is_clip_type
from app.networks.catalogue import Catalogue
from app.networks.service import require_free

P = TypeVar("P", bound=Params)

# More than any kind has.
MAX_PARAMS = 100


def parse_params(kind: str, params: dict[str, Any], catalogue: Catalogue | None) -> Params:
    """Params of a kind, checked and resolved against a catalogue of networks; None: checked by their class.

    Raises ParamsError; InvalidParam for an unknown kind.
    """
    if kind not in KINDS:
        raise InvalidParam("kind", f"There is no kind {kind!r}. Kinds: {', '.join(sorted(KINDS))}.")
    if len(params) > MAX_PARAMS:
        raise InvalidParam(
            "params",
            f"{len(params):,} params are too many: {kind} has {len(KINDS[kind].params.model_fields)}.",
        )
    try:
        checked = KINDS[kind].params.model_validate(params)
        return checked if catalogue is None else checked.resolve(catalogue)
    except ValidationError as error:
        shown = error.errors()[:MAX_ERRORS]
        raise ParamsError([_field_error(KINDS[kind].params, e) for e in shown]) from None
    except InputError as error:
        raise ParamsError(error.errors) from None


def _field_error(cls: type[Params], error: Any) -> FieldError:
    location = [str(part) for part in error["loc"]]
    # Without the tags that pydantic adds for unions and validators, which are not part of the request.
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


def check_pictures(engine: Engine, params: Params, uploaded: Collection[str] = ()) -> None:
    """Check that every picture that the params name exists and may be used there. Raises ParamsError.

    Those with the ids of ``uploaded`` came with the request, and were checked then.
    """
    named = {field: [ref for ref in refs if ref not in uploaded] for field, refs in params.pictures().items()}
    stored = find_images(engine, {ref for refs in named.values() for ref in refs})
    errors = []
    for field, references in named.items():
        accepts_clips = params.picture_fields()[field].clips
        for reference in references:
            detail = _problem_of(engine, reference, stored, accepts_clips)
            if detail:
                errors.append(FieldError(field, detail))
    if errors:
        raise ParamsError(errors)


def _problem_of(
    engine: Engine, reference: str, stored: Mapping[str, Image], accepts_clips: bool
) -> str | None:
    """Why a param cannot use the picture that it names; None if it can."""
    owner, _, artifact_name = reference.partition("/")
    if not is_id(owner):
        return f"{reference!r} is not an image id: upload the picture first, or use <job id>/<artifact>."
    if artifact_name:
        artifact = get_artifact(engine, owner, artifact_name)
        if artifact is None:
            return f"Job {owner} has no artifact {artifact_name!r}."
        is_clip = is_clip_type(artifact.media_type)
    elif owner in stored:
        is_clip = stored[owner].is_clip
    else:
        return f"There is no image {owner}: upload it first."
    if is_clip and not accepts_clips:
        return f"{reference} is a clip: use a still picture, such as one frame of it."
    return None


def check_new_names(engine: Engine, params: Params) -> None:
    """Check that a job may give its network the name that its params have. Raises ParamsError."""
    errors = []
    for field, name in params.new_networks().items():
        try:
            require_free(engine, name)
        except ServiceError as error:
            errors.append(FieldError(field, error.detail))
    if errors:
        raise ParamsError(errors)


def resolve_datasets(engine: Engine, params: P, data_dir: Path) -> tuple[P, tuple[str, ...]]:
    """Params that name their sets by id and content, and the ids of these sets. Raises ParamsError.

    A built-in set that has not been made yet has no hash; the worker makes it when it runs the job, of files
    in the data folder if it needs any.
    """
    errors: list[FieldError] = []
    found: dict[str, Dataset] = {}
    for field, reference in params.datasets().items():
        is_open = params.dataset_fields()[field].is_open
        dataset = find_dataset(engine, reference)
        source = built_in(reference)
        detail = None
        if source is not None and (dataset is None or (dataset.source, dataset.state) == (source, "open")):
            detail = problem_of(source, data_dir)
        if dataset is None and source is not None and not is_open and detail is None:
            dataset = find_or_begin(engine, source)
        detail = detail or _problem_of_set(reference, dataset, is_open)
        if dataset is None or detail is not None:
            errors.append(FieldError(field, detail or ""))
        else:
            found[field] = dataset
    if errors:
        raise ParamsError(errors)
    names = {field: dataset.reference for field, dataset in found.items()}
    return params.model_copy(update=names), tuple(dataset.id for dataset in found.values())


def _problem_of_set(reference: str, dataset: Dataset | None, is_open: bool) -> str | None:
    """Why a param cannot use the set that it names; None if it can."""
    shown = reference[:120]
    if dataset is None:
        name, _, sha256 = shown.partition("@")
        if sha256:
            return f"No set with the content {sha256!r} is here: upload it again, or name another."
        return (
            f"There is no set {name!r}: make it with POST /v1/datasets, or use one of {', '.join(BUILT_IN)}."
        )
    if is_open and dataset.state == "closed":
        return f"Set {dataset.name!r} is closed: make another one."
    if not is_open and dataset.state == "open" and dataset.source == "upload":
        return f"Set {dataset.name!r} is open: close it first with POST /v1/datasets/{dataset.id}/close."
    return None
