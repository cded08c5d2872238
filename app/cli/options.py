"""Command-line options derived from a kind's params class."""

import builtins
import inspect
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from app.kinds import Params


def option_name(field: str) -> str:
    """The option of a param: ``step_size`` becomes ``--step-size``."""
    return "--" + field.replace("_", "-")


def option_parameters(cls: type[Params], without: Iterable[str]) -> list[inspect.Parameter]:
    """One keyword parameter, annotated for Typer, for each param that is not in ``without``.

    Each defaults to None, which means that the option was not given.
    """
    left_out = set(without)
    found = []
    for name, info in cls.model_fields.items():
        if name not in left_out:
            kind = _option_type(cls, name, info)
            names, metavar = _declare(name, info), "PATH" if kind == list[Path] else _metavar(info)
            help = f"{_help(info)} Once for each picture." if kind == list[Path] else _help(info)
            option = typer.Option(names, help=help, metavar=metavar, show_default=False)
            found.append(keyword(name, Annotated[kind | None, option], None))
    return found


def keyword(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    """A keyword parameter, annotated for Typer; required without a default."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _declare(name: str, info: FieldInfo) -> str:
    """The option's names for Typer; a flag can also be turned off."""
    option = option_name(name)
    return f"{option}/--no-{option.removeprefix('--')}" if bare_type(info) is bool else option


def params_of(cls: type[Params], options: dict[str, Any]) -> dict[str, Any]:
    """The params that were given, as the params class takes them; empty text is null where one may be."""
    return {
        name: _parse(cls.model_fields[name], value) for name, value in options.items() if value is not None
    }


def may_be_null(info: FieldInfo) -> bool:
    """Whether a param takes None."""
    return type(None) in get_args(info.annotation)


def bare_type(info: FieldInfo) -> Any:
    """A param's type without None and annotations."""
    annotation = info.annotation
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(a for a in get_args(annotation) if a is not type(None))
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _option_type(cls: type[Params], name: str, info: FieldInfo) -> Any:
    """A path for a picture, paths for several, bool for flags, else text: the params class checks it."""
    if name in (pictures := cls.picture_fields()):
        return list[Path] if pictures[name].many else Path
    return bool if bare_type(info) is bool else str


def _parse(info: FieldInfo, value: Any) -> Any:
    """A list from ``a,b``, a mapping from ``a=1,b=2``; the params class checks the values."""
    if isinstance(value, str) and not value.strip() and may_be_null(info):
        return None
    shape = get_origin(bare_type(info))
    if not isinstance(value, str) or shape not in (list, dict):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if shape is dict and any("=" in part for part in parts):
        return dict(part.partition("=")[::2] for part in parts)
    return parts


def _metavar(info: FieldInfo) -> str | None:
    bare = bare_type(info)
    match get_origin(bare):
        case None:
            return {int: "INTEGER", float: "NUMBER", str: "TEXT"}.get(bare)
        case typing.Literal:
            return "|".join(map(str, get_args(bare)))
        case builtins.list:
            return "A,B,..."
        case builtins.dict:
            return "A,B,... or A=1,B=2,..."
        case _:
            return None


def _help(info: FieldInfo) -> str:
    text = info.description or ""
    return text if info.default is None else f"{text} Default: {info.default}."
