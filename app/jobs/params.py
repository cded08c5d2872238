"""Checks the params of a job by the class of its kind."""

from typing import Any

from pydantic import ValidationError

from app.errors import MAX_ERRORS, FieldError, InputError
from app.jobs.errors import InvalidParam, ParamsError
from app.kinds import KINDS, Params
from app.networks.catalogue import Catalogue

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
