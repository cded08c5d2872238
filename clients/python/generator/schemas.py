"""What the API's description says of the kinds, its schemas as Python, and which of them belong together."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.jobs.kind_routes import list_kinds

SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
# Schemas whose class is elsewhere.
ELSEWHERE = {"JsonValue": "JsonValue"}

Schema = Mapping[str, Any]


def kinds_of(api: Schema) -> list[dict[str, Any]]:
    """What there is to say of each kind: name, path, params, pictures, texts."""
    listed = {each["kind"]: each for each in list_kinds()["items"]}
    found = []
    for path, operations in api["paths"].items():
        post = operations.get("post", {})
        if "kinds" not in post.get("tags", ()):
            continue
        name = post["operationId"].removeprefix("create_")
        content = post["requestBody"]["content"]
        form_name = content["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]
        form = api["components"]["schemas"][form_name]["properties"]
        params = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        job = next(_references(post["responses"]["202"]))
        schema = api["components"]["schemas"][params]
        continued = _continued(schema)
        pictures = {field: value["type"] == "array" for field, value in form.items() if field != "params"}
        found.append(
            {
                "name": name,
                "path": path,
                "title": post["summary"],
                "summary": post["description"],
                "result": list(_references(api["components"]["schemas"][job]))[1],
                "schema": schema,
                "pictures": pictures,
                "extensions": listed[name]["file_extensions"],
                "continued": continued,
                "removable": _removable(schema, [*pictures], continued),
            }
        )
    return found


def _continued(schema: Schema) -> list[str]:
    """The params that name a job to go on from, whose params stand in for those that are left out."""
    _, *others = schema.get("anyOf", [None])
    return [name for other in others for name in other["required"]]


def _removable(schema: Schema, pictures: Sequence[str], continued: Sequence[str]) -> list[str]:
    """The pictures of which null takes away that of the job to go on from."""
    types = {field: split_union(type_of(schema["properties"][field], lenient=False)) for field in pictures}
    return [field for field in pictures if continued and field not in continued and "None" in types[field]]


def optional(kind: Schema) -> dict[str, Schema]:
    """The params of a kind that may be left out and are no pictures, by their names."""
    required = kind["schema"].get("required", ())
    return {
        field: schema
        for field, schema in kind["schema"]["properties"].items()
        if field not in required and field not in kind["pictures"]
    }


def answers(api: Schema) -> set[str]:
    """Names of the schemas that answers are made of; a job of one kind is a job whose result is elsewhere."""
    schemas = api["components"]["schemas"]
    named = _references([each["responses"] for path in api["paths"].values() for each in path.values()])
    return reachable(api, ["JobView" if "allOf" in schemas[name] else name for name in named])


def reachable(api: Schema, names: Sequence[str]) -> set[str]:
    """Names of the schemas that those of some names are made of, and these."""
    left, found = list(names), set[str]()
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _references(api["components"]["schemas"][name])
    return found


def _references(schema: Any) -> Iterator[str]:
    match schema:
        case {"$ref": str(reference)}:
            yield reference.rpartition("/")[2]
        case dict():
            for value in schema.values():
                yield from _references(value)
        case list():
            for value in schema:
                yield from _references(value)


def type_of(schema: Schema, *, lenient: bool) -> str:
    """A schema as a Python type; ``lenient`` for what callers give, whose lists may be any sequence."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        # Of params, the description of what is a dict on both sides.
        return ELSEWHERE.get(name) or ("Mapping[str, JsonValue]" if lenient else name)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            members = [type_of(each, lenient=lenient) for each in schema[union]]
            split = [part for member in members for part in split_union(member)]
            ordered = list(dict.fromkeys(split))
            if "None" in ordered:
                ordered = [*(part for part in ordered if part != "None"), "None"]
            return " | ".join(ordered)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(quoted(value) for value in values)}]"
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            return f"tuple[{', '.join(type_of(each, lenient=lenient) for each in schema['prefixItems'])}]"
        case "array":
            return f"{'Sequence' if lenient else 'list'}[{type_of(schema.get('items', {}), lenient=lenient)}]"
        case "object":
            values = schema.get("additionalProperties", True)
            inner = "Any" if isinstance(values, bool) else type_of(values, lenient=lenient)
            return f"{'Mapping' if lenient else 'dict'}[str, {inner}]"
        case "string" if schema.get("format") == "date-time":
            return "datetime"
        case str(name):
            return SCALARS[name]
        case _:
            return "Any"


def split_union(text: str) -> list[str]:
    """The members of a union at the outermost level."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "|" and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def quoted(value: object) -> str:
    """A value as a literal."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def identifier(name: str) -> str:
    """A name as it is; ``ValueError`` for one that Python does not allow."""
    if not name.isidentifier():
        raise ValueError(f"{name!r} is no name in Python")
    return name
