"""The modules of the kinds: their optional params, what the core looks up of them, and their methods."""

import json
from collections.abc import Sequence

from generator.layout import NOTE, docstring, exports, indented, module
from generator.schemas import Schema, identifier, optional, quoted, type_of


def options(kinds: Sequence[Schema]) -> str:
    """The optional params of each kind that are no pictures."""
    lines = []
    for kind in kinds:
        lines.append(f"class {_options_name(kind)}(CallOptions, total=False):")
        lines.append(indented(docstring(f"Optional params of {kind['name']}.")))
        for field, schema in optional(kind).items():
            lines.append(f"    {identifier(field)}: {type_of(schema, lenient=True)}")
            lines.append(indented(docstring(_explained(schema))))
        lines.append("")
    head = """
        from __future__ import annotations
        from collections.abc import Mapping, Sequence
        from typing import Any, Literal
        from pydantic import JsonValue
        from impasto_client.options import CallOptions
    """
    return module(f"Optional params of the kinds.\n\n{NOTE}", head, [*lines, exports(lines)])


def _options_name(kind: Schema) -> str:
    return "".join(part.capitalize() for part in kind["name"].split("_")) + "Options"


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


def kind_table(kinds: Sequence[Schema]) -> str:
    """What the core looks up of kinds."""
    names = ", ".join(quoted(kind["name"]) for kind in kinds)
    lines = [f"KindName: TypeAlias = Literal[{names}]", "", "KINDS: dict[str, KindInfo] = {"]
    for kind in kinds:
        pictures = ", ".join(f"{quoted(field)}: {many}" for field, many in kind["pictures"].items())
        extensions = ", ".join(quoted(each) for each in kind["extensions"])
        comma = "," if len(kind["extensions"]) == 1 else ""
        continued, removable = (
            "".join(f"{quoted(each)}, " for each in kind[group]) for group in ("continued", "removable")
        )
        lines.append(
            f"    {quoted(kind['name'])}: "
            f"KindInfo({quoted(kind['path'])}, {{{pictures}}}, ({extensions}{comma})"
            + (f", ({continued}), ({removable})" if continued else "")
            + "),"
        )
    lines.append("}")
    head = """
        from typing import Literal, TypeAlias
        from impasto_client._core.kind import KindInfo
    """
    return module(f"The kinds of job.\n\n{NOTE}", head, lines)


def methods(kinds: Sequence[Schema], prefix: str, job: str) -> str:
    """A method for each kind: its pictures and required params are arguments, others are keywords."""
    base = "AsyncKinds" if prefix else "Kinds"
    lines = [f"class {base}(ABC):", indented(docstring("A method for each kind of job.")), ""]
    lines += [
        "    @abstractmethod",
        f"    {prefix}def _submit(self, kind: str, given: Mapping[str, Any]) -> {job}[Any]: ...",
    ]
    for kind in kinds:
        arguments = _arguments(kind)
        shown = "".join(f"{name}: {annotation}, " for name, annotation, _ in arguments)
        given = "".join(f"{quoted(name)}: {name}, " for name, _, _ in arguments)
        keywords, made = _options_name(kind), f"{job}[{kind['result']}]"
        about = [f"{kind['title']}: {kind['summary']}", ""]
        about += [f"{name}: {_explained(schema)}{_condition(kind, name)}" for name, _, schema in arguments]
        about += [f"Options: {', '.join(optional(kind)) or 'none'}."]
        call = f'self._submit("{kind["name"]}", {{{given}**options}})'
        lines += [
            "",
            f"    {prefix}def {kind['name']}(self, {shown}**options: Unpack[{keywords}]) -> {made}:",
            indented(docstring("\n".join(about)), 8),
            f"        return {'await ' if prefix else ''}{call}",
        ]
    imported = ", ".join(_options_name(kind) for kind in kinds)
    results = ", ".join(kind["result"] for kind in kinds)
    place = "async_job" if prefix else "job"
    head = f"""
        from __future__ import annotations
        from abc import ABC, abstractmethod
        from collections.abc import Mapping, Sequence
        from typing import TYPE_CHECKING, Any, Unpack
        from impasto_client.pictures import LEFT_OUT
        if TYPE_CHECKING:
            from impasto_client._generated.options import ({imported},)
            from impasto_client._generated.results import ({results},)
            from impasto_client.{place} import {job}
            from impasto_client.pictures import LeftOut, Picture, Pictures
    """
    return module(f"A method for each kind of job.\n\n{NOTE}", head, lines)


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
            shown = type_of(properties[name], lenient=True)
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
