"""Entries of a matrix: one recipe over patterns of pictures and over values."""

import glob
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

from app.batches.matrix import SEPARATOR, label_of, unique_slugs
from app.cli.batch.entries import MAX_LINES, Entry
from app.cli.messages import fail_on
from app.cli.options import option_name, params_of
from app.kinds import Params

Combine = Literal["cross", "zip"]


@dataclass(frozen=True)
class Axis:
    """A param that a matrix is over: its values, and what each is called in the names of results."""

    param: str
    values: list[Any]
    labels: list[str]


def picture_axis(param: str, patterns: Sequence[str]) -> Axis:
    """The files of patterns such as ``photos/*.jpg``, each pattern's sorted by name.

    Exits with a message if one has none, or two files would give their results the same name.
    """
    option = option_name(param)
    files: dict[str, None] = {}
    for pattern in patterns:
        expanded = str(Path(pattern).expanduser())
        if Path(expanded).is_dir():
            fail_on([(option, f"{pattern} is a folder: write '{Path(pattern) / '*.jpg'}' for its files.")])
        # A file may be called as a pattern is written.
        found = [expanded] if Path(expanded).is_file() else sorted(glob.glob(expanded, recursive=True))
        found = [path for path in found if not Path(path).is_dir()]
        if not found:
            fail_on([(option, f"No file matches {pattern!r}: check the folder and the ending.")])
        files |= dict.fromkeys(found)
    by_name: dict[str, str] = {}
    for path in files:
        name = Path(path).stem
        other = by_name.setdefault(name.casefold(), path)
        if other != path:
            detail = f"{other} and {path} would give their results the same name: rename one of them."
            fail_on([(option, detail)])
    return Axis(param, [str(Path(path).absolute()) for path in files], [Path(path).stem for path in files])


def value_axis(cls: type[Params], text: str) -> Axis:
    """The values of ``PARAM=V1,V2``, or of ``PARAM=[...]`` in JSON. Exits with a message if it has none."""
    param, given = _pair("--over", text)
    values: list[Any] = []
    if given.startswith("["):
        values = _json("--over", text, given)
    else:
        values = [value.strip() for value in given.split(",") if value.strip()]
        if param in cls.model_fields:
            values = [params_of(cls, {param: value})[param] for value in values]
    labels = [label_of(value) for value in values]
    if not values or len(set(labels)) < len(labels):
        fail_on([("--over", f"{text}: name each value once, separated by commas.")])
    return Axis(param, values, labels)


def common_params(cls: type[Params], texts: Sequence[str]) -> dict[str, Any]:
    """The params of several ``PARAM=VALUE``, in JSON if the value is a list or an object."""
    found: dict[str, Any] = {}
    for text in texts:
        param, given = _pair("--set", text)
        if given.startswith(("[", "{")):
            found[param] = _json("--set", text, given)
        else:
            found |= params_of(cls, {param: given}) if param in cls.model_fields else {param: given}
    return found


@dataclass(frozen=True)
class Recipe:
    """One recipe over many values: what all entries have in common, and the axes, the last one innermost."""

    kind: str
    params: Mapping[str, Any]
    axes: Sequence[Axis]
    combine: Combine

    @property
    def size(self) -> int:
        """How many entries it has."""
        lengths = [len(axis.values) for axis in self.axes]
        return math.prod(lengths) if self.combine == "cross" else min(lengths)


def entries_of(recipe: Recipe) -> list[Entry]:
    """An entry for each combination. Exits with a message if the axes do not fit together."""
    axes, combine = recipe.axes, recipe.combine
    lengths = {axis.param: len(axis.values) for axis in axes}
    if combine == "zip" and len(set(lengths.values())) > 1:
        counts = ", ".join(f"{option_name(name)} {count:,}" for name, count in lengths.items())
        fail_on([("--zip", f"All need the same number of values, which are: {counts}.")])
    if recipe.size > MAX_LINES:
        fail_on([("matrix", f"{recipe.size:,} combinations are too many: at most {MAX_LINES:,}.")])
    names = [unique_slugs(axis.labels, len(axes)) for axis in axes]
    join: Callable[..., Iterable[tuple[int, ...]]] = product if combine == "cross" else zip
    entries = []
    for line, places in enumerate(join(*(range(len(axis.values)) for axis in axes)), 1):
        custom_id = SEPARATOR.join(each[place] for each, place in zip(names, places, strict=True))
        values = {axis.param: axis.values[place] for axis, place in zip(axes, places, strict=True)}
        entries.append(Entry(line, custom_id, recipe.kind, {**recipe.params, **values}))
    return entries


def _pair(option: str, text: str) -> tuple[str, str]:
    param, sign, value = text.partition("=")
    if not sign or not value.strip():
        fail_on([(option, f"{text} names no value: write {param.strip() or 'size'}=...")])
    return param.strip().lstrip("-").replace("-", "_"), value.strip()


def _json(option: str, text: str, given: str) -> Any:
    try:
        return json.loads(given)
    except ValueError as error:
        fail_on([(option, f"{text} is not JSON: {error}.")])
