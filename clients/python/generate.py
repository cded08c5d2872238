"""Writes the part of the client that follows from the service: its kinds, params and answers.

Usage: python clients/python/generate.py. Needs the service's own environment, with ruff. A test says when
it is due.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from keyword import iskeyword
from pathlib import Path
from typing import Any

from app.jobs.kind_routes import list_kinds
from app.main import create_app
from app.settings import Settings

TARGET = Path(__file__).parent / "src" / "impasto_client" / "_generated"
LINE_LENGTH = 110
NOTE = "Derived from the API's description by clients/python/generate.py; edit that, not this."
SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
# Schemas whose class is elsewhere.
ELSEWHERE = {"JsonValue": "JsonValue"}

Schema = Mapping[str, Any]


def generate() -> dict[str, str]:
    """The text of each generated file, by its name."""
    with tempfile.TemporaryDirectory() as folder:
        api = create_app(Settings(data_dir=Path(folder))).openapi()
    kinds = _kinds(api)
    texts = {
        "models.py": _models(api),
        "results.py": _results(api, kinds),
        "options.py": _options(kinds),
        "kinds.py": _kind_table(kinds),
        "methods.py": _methods(kinds, "", "Job"),
        "async_methods.py": _methods(kinds, "async ", "AsyncJob"),
    }
    return {name: _formatted(text) for name, text in texts.items()}


def _kinds(api: Schema) -> list[dict[str, Any]]:
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
    types = {field: _split_union(_type(schema["properties"][field], lenient=False)) for field in pictures}
    return [field for field in pictures if continued and field not in continued and "None" in types[field]]


def _type(schema: Schema, *, lenient: bool) -> str:
    """A schema as a Python type; ``lenient`` for what callers give, whose lists may be any sequence."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        # Of params, the description of what is a dict on both sides.
        return ELSEWHERE.get(name) or ("Mapping[str, JsonValue]" if lenient else name)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            members = [_type(each, lenient=lenient) for each in schema[union]]
            split = [part for member in members for part in _split_union(member)]
            ordered = list(dict.fromkeys(split))
            if "None" in ordered:
                ordered = [*(part for part in ordered if part != "None"), "None"]
            return " | ".join(ordered)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(_quoted(value) for value in values)}]"
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            return f"tuple[{', '.join(_type(each, lenient=lenient) for each in schema['prefixItems'])}]"
        case "array":
            return f"{'Sequence' if lenient else 'list'}[{_type(schema.get('items', {}), lenient=lenient)}]"
        case "object":
            values = schema.get("additionalProperties", True)
            inner = "Any" if isinstance(values, bool) else _type(values, lenient=lenient)
            return f"{'Mapping' if lenient else 'dict'}[str, {inner}]"
        case "string" if schema.get("format") == "date-time":
            return "datetime"
        case str(name):
            return SCALARS[name]
        case _:
            return "Any"


def _split_union(text: str) -> list[str]:
    """The members of a union at the outermost level."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "|" and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def _quoted(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _models(api: Schema) -> str:
    """Classes of what the service answers."""
    head = """
        from __future__ import annotations
        from datetime import datetime
        from typing import Any, Literal, TypeAlias
        from pydantic import BaseModel, Field, JsonValue
    """
    lines = _classes(api, _answers(api), "BaseModel")
    return _module(f"What the service answers.\n\n{NOTE}", head, [*lines, _exports(lines)])


def _results(api: Schema, kinds: Sequence[Schema]) -> str:
    """Classes of what jobs come to, and which is whose."""
    names = _reachable(api, [kind["result"] for kind in kinds]) - _answers(api)
    lines = _classes(api, names, "ResultPart")
    table = ", ".join(f"{_quoted(kind['name'])}: {kind['result']}" for kind in kinds)
    table = f"RESULTS: dict[str, type[ResultPart]] = {{{table}}}\n"
    head = """
        from __future__ import annotations
        from typing import Any, Literal, TypeAlias
        from pydantic import Field
        from impasto_client._core.results import ResultPart
    """
    return _module(f"What jobs come to.\n\n{NOTE}", head, [*lines, table, _exports(lines)])


def _classes(api: Schema, names: set[str], base: str) -> list[str]:
    """Classes of the schemas of some names."""
    schemas = api["components"]["schemas"]
    lines = []
    for name in sorted(names - ELSEWHERE.keys()):
        schema, text = schemas[name], schemas[name].get("description", "")
        if schema.get("type") != "object":
            lines += [f"{name}: TypeAlias = {_type(schema, lenient=False)}", _docstring(text), ""]
            continue
        lines += [f"class {name}({base}):", _indented(_docstring(text or schema["title"]))]
        required = set(schema.get("required", ()))
        for field, value in schema.get("properties", {}).items():
            lines.append(f"    {_field(field, value, field in required)}")
            if value.get("description"):
                lines.append(_indented(_docstring(value["description"])))
        lines.append("")
    return lines


def _field(field: str, schema: Schema, is_required: bool) -> str:
    """A field of a class, under another name where its own is none in Python."""
    shown, default = _type(schema, lenient=False), None
    if not is_required:
        default = _quoted(schema.get("default"))
        if default == "None" and "None" not in _split_union(shown) and shown != "Any":
            shown += " | None"
    name = re.sub(r"\W", "_", field) + "_" * iskeyword(field)
    if name != field:
        default = f"Field({'' if default is None else f'{default}, '}alias={_quoted(field)})"
    elif default in ("[]", "{}"):
        default = f"Field({default})"
    return f"{_identifier(name)}: {shown}" + ("" if default is None else f" = {default}")


def _answers(api: Schema) -> set[str]:
    """Names of the schemas that answers are made of; a job of one kind is a job whose result is elsewhere."""
    schemas = api["components"]["schemas"]
    named = _references([each["responses"] for path in api["paths"].values() for each in path.values()])
    return _reachable(api, ["JobView" if "allOf" in schemas[name] else name for name in named])


def _reachable(api: Schema, names: Sequence[str]) -> set[str]:
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


def _options(kinds: Sequence[Schema]) -> str:
    """The optional params of each kind that are no pictures."""
    lines = []
    for kind in kinds:
        lines.append(f"class {_options_name(kind)}(CallOptions, total=False):")
        lines.append(_indented(_docstring(f"Optional params of {kind['name']}.")))
        for field, schema in _optional(kind).items():
            lines.append(f"    {_identifier(field)}: {_type(schema, lenient=True)}")
            lines.append(_indented(_docstring(_explained(schema))))
        lines.append("")
    head = """
        from __future__ import annotations
        from collections.abc import Mapping, Sequence
        from typing import Any, Literal
        from pydantic import JsonValue
        from impasto_client.options import CallOptions
    """
    return _module(f"Optional params of the kinds.\n\n{NOTE}", head, [*lines, _exports(lines)])


def _exports(lines: Sequence[str]) -> str:
    """What modules that import everything get."""
    names = [match[1] for line in lines if (match := re.match(r"(?:class )?(\w+)[(:]", line))]
    return f"__all__ = [{', '.join(_quoted(name) for name in sorted(names))}]"


def _options_name(kind: Schema) -> str:
    return "".join(part.capitalize() for part in kind["name"].split("_")) + "Options"


def _optional(kind: Schema) -> dict[str, Schema]:
    required = kind["schema"].get("required", ())
    return {
        field: schema
        for field, schema in kind["schema"]["properties"].items()
        if field not in required and field not in kind["pictures"]
    }


def _explained(schema: Schema) -> str:
    """The description of a param, with its limits and its default."""
    text = schema.get("description") or f"{schema['title']}."
    branches = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    limited = branches[0] if len(branches) == 1 else schema
    low, high = limited.get("minimum"), limited.get("maximum")
    above, below = limited.get("exclusiveMinimum"), limited.get("exclusiveMaximum")
    limits = [
        "" if low is None else f"at least {_number(low)}",
        "" if above is None else f"above {_number(above)}",
        "" if high is None else f"at most {_number(high)}",
        "" if below is None else f"below {_number(below)}",
    ]
    more = [each for each in limits if each]
    if schema.get("default") is not None:
        more.append(f"default {json.dumps(schema['default'])}")
    said = ", ".join(more)
    return f"{text} {said[0].upper()}{said[1:]}." if said else text


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _kind_table(kinds: Sequence[Schema]) -> str:
    """What the core looks up of kinds."""
    names = ", ".join(_quoted(kind["name"]) for kind in kinds)
    lines = [f"KindName: TypeAlias = Literal[{names}]", "", "KINDS: dict[str, KindInfo] = {"]
    for kind in kinds:
        pictures = ", ".join(f"{_quoted(field)}: {many}" for field, many in kind["pictures"].items())
        extensions = ", ".join(_quoted(each) for each in kind["extensions"])
        comma = "," if len(kind["extensions"]) == 1 else ""
        continued, removable = (
            "".join(f"{_quoted(each)}, " for each in kind[group]) for group in ("continued", "removable")
        )
        lines.append(
            f"    {_quoted(kind['name'])}: "
            f"KindInfo({_quoted(kind['path'])}, {{{pictures}}}, ({extensions}{comma})"
            + (f", ({continued}), ({removable})" if continued else "")
            + "),"
        )
    lines.append("}")
    head = """
        from typing import Literal, TypeAlias
        from impasto_client._core.kind import KindInfo
    """
    return _module(f"The kinds of job.\n\n{NOTE}", head, lines)


def _methods(kinds: Sequence[Schema], prefix: str, job: str) -> str:
    """A method for each kind: its pictures and required params are arguments, others are keywords."""
    base = "AsyncKinds" if prefix else "Kinds"
    lines = [f"class {base}(ABC):", _indented(_docstring("A method for each kind of job.")), ""]
    lines += [
        "    @abstractmethod",
        f"    {prefix}def _submit(self, kind: str, given: Mapping[str, Any]) -> {job}[Any]: ...",
    ]
    for kind in kinds:
        arguments = _arguments(kind)
        shown = "".join(f"{name}: {annotation}, " for name, annotation, _ in arguments)
        given = "".join(f"{_quoted(name)}: {name}, " for name, _, _ in arguments)
        options, made = _options_name(kind), f"{job}[{kind['result']}]"
        about = [f"{kind['title']}: {kind['summary']}", ""]
        about += [f"{name}: {_explained(schema)}{_condition(kind, name)}" for name, _, schema in arguments]
        about += [f"Options: {', '.join(_optional(kind)) or 'none'}."]
        call = f'self._submit("{kind["name"]}", {{{given}**options}})'
        lines += [
            "",
            f"    {prefix}def {kind['name']}(self, {shown}**options: Unpack[{options}]) -> {made}:",
            _indented(_docstring("\n".join(about)), 8),
            f"        return {'await ' if prefix else ''}{call}",
        ]
    imported = ", ".join(_options_name(kind) for kind in kinds)
    results = ", ".join(kind["result"] for kind in kinds)
    module = "async_job" if prefix else "job"
    head = f"""
        from __future__ import annotations
        from abc import ABC, abstractmethod
        from collections.abc import Mapping, Sequence
        from typing import TYPE_CHECKING, Any, Unpack
        from impasto_client.pictures import LEFT_OUT
        if TYPE_CHECKING:
            from impasto_client._generated.options import ({imported},)
            from impasto_client._generated.results import ({results},)
            from impasto_client.{module} import {job}
            from impasto_client.pictures import LeftOut, Picture, Pictures
    """
    return _module(f"A method for each kind of job.\n\n{NOTE}", head, lines)


def _arguments(kind: Schema) -> list[tuple[str, str, Schema]]:
    """The params that are arguments, required ones first: name, annotation with a default, schema."""
    required = kind["schema"].get("required", ())
    properties = kind["schema"]["properties"]
    first = [name for name in kind["pictures"] if name in required]
    first += [name for name in required if name not in first]
    found = []
    for name in [*first, *(name for name in kind["pictures"] if name not in first)]:
        if name in kind["pictures"]:
            shown = "Pictures" if kind["pictures"][name] else "Picture"
        else:
            shown = _type(properties[name], lenient=True)
        if name in kind["removable"]:
            shown += " | LeftOut | None = LEFT_OUT"
        elif name not in required:
            shown += " | None = None"
        found.append((name, shown, properties[name]))
    return found


def _condition(kind: Schema, name: str) -> str:
    """When a param is needed that may be left out only by jobs that go on from another."""
    needed = kind["schema"].get("anyOf", [{}])[0].get("required", ())
    return f" Needed without {' or '.join(kind['continued'])}." if name in needed else ""


def _identifier(name: str) -> str:
    if not name.isidentifier():
        raise ValueError(f"{name!r} is no name in Python")
    return name


def _docstring(text: str) -> str:
    """A docstring whose lines are not too long inside of a class."""
    width = LINE_LENGTH - 16
    lines = [part for line in text.split("\n") for part in _wrapped(line, width)]
    body = "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{body}"""' if len(lines) == 1 else f'"""{body}\n"""'


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _indented(text: str, spaces: int = 4) -> str:
    return re.sub(r"^(?=.)", " " * spaces, text, flags=re.MULTILINE)


def _module(docstring: str, head: str, lines: Sequence[str]) -> str:
    imports = re.sub(r"^ {8}", "", head.strip("\n"), flags=re.MULTILINE)
    return "\n".join([_docstring(docstring), imports, *lines, ""])


def _formatted(text: str) -> str:
    """The text without imports that it does not need, formatted by ruff."""
    name = ["--stdin-filename", str(TARGET / "generated.py")]
    for command in (["check", "--select", "I,F401", "--fix", "--quiet"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, *name, "-"]
        done = subprocess.run(ruff, input=text, capture_output=True, check=True, text=True)  # noqa: S603
        text = done.stdout
    return text


if __name__ == "__main__":
    for file, content in generate().items():
        (TARGET / file).write_text(content)
