"""The modules of what the service answers, and of what jobs come to."""

import re
from collections.abc import Sequence
from keyword import iskeyword

from generator.layout import NOTE, docstring, exports, indented, module
from generator.schemas import (
    ELSEWHERE,
    Schema,
    answers,
    identifier,
    quoted,
    reachable,
    split_union,
    type_of,
)


def models(api: Schema) -> str:
    """Classes of what the service answers."""
    head = """
        from __future__ import annotations
        from datetime import datetime
        from typing import Any, Literal, TypeAlias
        from pydantic import BaseModel, Field, JsonValue
    """
    lines = _classes(api, answers(api), "BaseModel")
    return module(f"What the service answers.\n\n{NOTE}", head, [*lines, exports(lines)])


def results(api: Schema, kinds: Sequence[Schema]) -> str:
    """Classes of what jobs come to, and which is whose."""
    names = reachable(api, [kind["result"] for kind in kinds]) - answers(api)
    lines = _classes(api, names, "ResultPart")
    table = ", ".join(f"{quoted(kind['name'])}: {kind['result']}" for kind in kinds)
    table = f"RESULTS: dict[str, type[ResultPart]] = {{{table}}}\n"
    head = """
        from __future__ import annotations
        from typing import Any, Literal, TypeAlias
        from pydantic import Field
        from impasto_client._core.results import ResultPart
    """
    return module(f"What jobs come to.\n\n{NOTE}", head, [*lines, table, exports(lines)])


def _classes(api: Schema, names: set[str], base: str) -> list[str]:
    """Classes of the schemas of some names."""
    schemas = api["components"]["schemas"]
    lines = []
    for name in sorted(names - ELSEWHERE.keys()):
        schema, text = schemas[name], schemas[name].get("description", "")
        if schema.get("type") != "object":
            lines += [f"{name}: TypeAlias = {type_of(schema, lenient=False)}", docstring(text), ""]
            continue
        lines += [f"class {name}({base}):", indented(docstring(text or schema["title"]))]
        required = set(schema.get("required", ()))
        for field, value in schema.get("properties", {}).items():
            lines.append(f"    {_field(field, value, field in required)}")
            if value.get("description"):
                lines.append(indented(docstring(value["description"])))
        lines.append("")
    return lines


def _field(field: str, schema: Schema, is_required: bool) -> str:
    """A field of a class, under another name where its own is none in Python."""
    shown, default = type_of(schema, lenient=False), None
    if not is_required:
        default = quoted(schema.get("default"))
        if default == "None" and "None" not in split_union(shown) and shown != "Any":
            shown += " | None"
    name = re.sub(r"\W", "_", field) + "_" * iskeyword(field)
    if name != field:
        default = f"Field({'' if default is None else f'{default}, '}alias={quoted(field)})"
    elif default in ("[]", "{}"):
        default = f"Field({default})"
    return f"{identifier(name)}: {shown}" + ("" if default is None else f" = {default}")
