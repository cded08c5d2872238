"""How OpenAPI describes the forms of the kinds: pictures as files, and the other params as JSON."""

from typing import Any

from app.kinds import KindSpec, Params
from app.kinds.exact import NOT_NULL

REF = "#/components/schemas/{model}"
Schema = dict[str, Any]
# The field of a form that has the params that are no files.
PARAMS = "params"


def schema_name(spec: KindSpec[Params], ending: str) -> str:
    """The name of a schema of a kind: StyleTransferForm."""
    return "".join(part.capitalize() for part in spec.name.split("_")) + ending


def form_schemas(spec: KindSpec[Params], params: Schema) -> dict[str, Schema]:
    """The schemas of a kind's form by name, from that of its params.

    What is required is required as a file, or in the field ``params``.
    """
    pictures = spec.params.picture_fields()
    files: Schema = {}
    for name, mark in pictures.items():
        file = {"type": "string", "format": "binary"}
        # A form has no way to say that there are none.
        files[name] = {"type": "array", "items": file, "minItems": 1} if mark.many else file
    relaxed = {name: value for name, value in params.items() if name not in ("required", "anyOf", "allOf")}
    needed = [name for name in params.get("required", ()) if name not in pictures]
    if needed:
        relaxed["required"] = needed
    form: Schema = {
        "type": "object",
        "title": schema_name(spec, "Form"),
        "additionalProperties": False,
        "properties": {**files, PARAMS: {"$ref": REF.format(model=schema_name(spec, "FormParams"))}},
    }
    if needed:
        form["required"] = [PARAMS]
    # Only the id of a job says what the job that goes on from it leaves out: a file is a picture alone.
    alone = {name for name, mark in pictures.items() if not mark.states}
    conditions = [_condition(params, alone)]
    conditions += [_condition(each, alone) for each in params.get("allOf", ())]
    if stated := [each for each in conditions if each]:
        form["allOf"] = stated
    return {
        schema_name(spec, "Form"): form,
        schema_name(spec, "FormParams"): {**relaxed, "title": schema_name(spec, "FormParams")},
    }


def _condition(params: Schema, pictures: set[str]) -> Schema:
    """What a form must have for what the schema of params requires; empty: nothing."""
    ways = [each["required"] for each in params.get("anyOf", [params]) if each.get("required")]
    found = []
    for names in ways:
        parts = [_given(name, name in pictures) for name in names]
        if parts:
            found.append(parts[0] if len(parts) == 1 else {"allOf": parts})
    if not found:
        return {}
    return found[0] if len(found) == 1 else {"anyOf": found}


def _given(name: str, is_picture: bool) -> Schema:
    """That a param is given, in the field ``params`` or as a file."""
    value: Schema = {"type": "object", "required": [name], "properties": {name: NOT_NULL}}
    inside: Schema = {"required": [PARAMS], "properties": {PARAMS: value}}
    return {"anyOf": [{"required": [name]}, inside]} if is_picture else inside
