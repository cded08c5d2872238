"""A command for every kind of job, computed in this process without a service.

Required pictures and sets are arguments, all other params are options.
"""

import hashlib
import inspect
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from app.cli.messages import INTERRUPTED, fail, fail_on, note
from app.cli.options import (
    bare_type,
    keyword,
    may_be_null,
    option_name,
    option_parameters,
    params_of,
)
from app.cli.output_files import beside, check_output, require_apart, write_file
from app.cli.serve import read_settings
from app.cli.tables import print_table
from app.errors import ComputationError, FieldError, InputError, OutOfMemory
from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.jobs.recipes import networks_of
from app.kinds import KINDS, KindSpec, Params
from app.kinds.fields import format_of
from app.kinds.spec import PRESET
from app.media import PictureError
from app.media.clips import is_clip
from app.media.inspect import displayed_sides
from app.media.recipe_text import read_recipe
from app.networks.catalogue import Catalogue, local_engine
from app.supervision.openmp import let_threads_sleep

if TYPE_CHECKING:
    from worker.runtime.artifacts import EncodedFile

_RECIPE_HELP = 'A file made by Impasto. Options that are not given are taken from it; "" takes one away.'
_DEVICE_HELP = "auto, cpu, mps or cuda; IMPASTO_DEVICE, or auto."

# The arguments of a command that takes one file or several.
_FILES = "files"

# Params that decide which others there are.
_CHOICES = (PRESET, "method", "optimizer", "parametrization", "network")

Pictures = dict[str, list[Path]]


def make_command(spec: KindSpec[Params]) -> Callable[..., None]:
    """A function for Typer that computes a job of a kind on files."""

    def command(**given: Any) -> None:
        _run(spec, given)

    parameters = [
        *_arguments(spec),
        *_own_options(spec),
        *option_parameters(spec.params, without=[*required_inputs(spec.params), *(spec.arguments or ())]),
    ]
    command.__doc__ = f"{spec.summary} On this machine, without a service."
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def required_inputs(cls: type[Params]) -> list[str]:
    """The required params that are pictures or sets."""
    return [
        name
        for name in (*cls.picture_fields(), *cls.dataset_fields())
        if cls.model_fields[name].is_required()
    ]


def _arguments(spec: KindSpec[Params]) -> list[inspect.Parameter]:
    cls, found = spec.params, []
    fields = cls.picture_fields()
    if spec.arguments is not None:
        argument = typer.Argument(metavar="PICTURES...", help="One picture file or several.")
        found.append(keyword(_FILES, Annotated[list[Path] | None, argument], None))
    for name in required_inputs(cls):
        argument = typer.Argument(metavar=name.upper(), help=cls.model_fields[name].description)
        if name in fields:
            found.append(keyword(name, Annotated[list[Path] if fields[name].many else Path, argument]))
        else:
            found.append(keyword(name, Annotated[str, argument]))
    return found


def _own_options(spec: KindSpec[Params]) -> list[inspect.Parameter]:
    """Options that every command has in addition to its params."""
    formats = " or ".join(spec.file_extensions) or ".json"
    where = typer.Option("--output", "-o", help=f"Where to write the result, as {formats}.")
    return [
        keyword("output", Annotated[Path, where])
        if spec.file_extensions and not spec.tables
        else keyword("output", Annotated[Path | None, where], None),
        keyword("recipe", Annotated[Path | None, typer.Option(help=_RECIPE_HELP)], None),
        keyword("device", Annotated[str | None, typer.Option(help=_DEVICE_HELP, show_default=False)], None),
        keyword(
            "as_json", Annotated[bool, typer.Option("--json", help="Print the numbers, as JSON.")], False
        ),
    ]


def _run(spec: KindSpec[Params], given: dict[str, Any]) -> None:
    output: Path | None = given.pop("output")
    recipe: Path | None = given.pop("recipe")
    as_json: bool = given.pop("as_json") or not (spec.file_extensions or spec.tables)
    if output is not None:
        check_output("--output", output, spec.file_extensions or (".json",))
    settings = read_settings(device=given.pop("device"))
    if spec.arguments is not None and (files := given.pop(_FILES)):
        given[spec.arguments[len(files) > 1]] = files
    given = {name: value for name, value in given.items() if not _is_no_picture(spec.params, name, value)}
    pictures: Pictures = {
        name: value if isinstance(value, list) else [value]
        for name in spec.params.picture_fields()
        if (value := given.get(name)) is not None
    }
    if output is not None:
        # What goes on from a file may replace it.
        marks = spec.params.picture_fields()
        made_from = [path for name in pictures if not marks[name].states for path in pictures[name]]
        require_apart("--output", output, made_from)
    sets: dict[str, str] = {
        name: value for name in spec.params.dataset_fields() if (value := given.pop(name, None)) is not None
    }
    try:
        with local_engine(settings) as engine:
            catalogue = Catalogue(engine)
            asked = params_of(
                spec.params, {name: value for name, value in given.items() if name not in pictures}
            )
            options = asked
            # What is asked for outweighs the extension, and that outweighs the recipe.
            implied = {name: value for name, value in _format_of(spec, output).items() if name not in asked}
            settings_from = recipe or _continued_with_recipe(spec, pictures)
            if settings_from is not None:
                asked = _recipe_params(spec, settings_from, pictures, asked, catalogue)
            asked = asked | implied
            # Those of a recipe, where none are given.
            sets = {name: asked[name] for name in spec.params.dataset_fields() if name in asked} | sets
            named = {name: Path(value).name or value for name, value in sets.items()}
            whole = asked | named | _references(spec.params, pictures)
            try:
                params = parse_params(spec.name, whole, catalogue)
            except ParamsError as error:
                if settings_from is None:
                    raise
                own = {**options, **implied, **pictures, **sets}
                raise ParamsError(
                    [_from_recipe(spec, settings_from, each, own) for each in error.errors]
                ) from None
            if output is not None and (problem := params.problem_of_ending(output.suffix, _clips(pictures))):
                fail_on([("--output", f"{output}: {problem}")])
            wrong = params.problems_of_clips(_is_clip(spec, pictures))
            wrong += params.problems_of_sides(lambda name: [_sides(path) for path in pictures[name]])
            if wrong:
                raise ParamsError(wrong)
            # Imports torch, which takes seconds, so only after the options were checked.
            let_threads_sleep(os.environ)
            from app.cli.local_run import compute

            products, result = compute(params, pictures, settings, engine, sets)
            written = _write(output, products, result, spec.file_extensions)
    except ParamsError as error:
        fail_on((_shown(spec, pictures, problem.field), problem.detail) for problem in error.errors)
    except (InputError, OutOfMemory) as error:
        fail_on([(_shown(spec, pictures, error.field), error.detail)])
    except ComputationError as error:
        fail(error.detail)
    except OSError as error:
        fail(f"{error.filename or output}: {error.strerror}")
    except KeyboardInterrupt:
        fail("Stopped; nothing was written.", INTERRUPTED)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    else:
        for name, columns in spec.tables.items():
            print_table(name, result.get(name), columns)
    for name, path in written:
        typer.echo(f"The {name} {'are' if name.endswith('s') else 'is'} in {path}", err=as_json)
    if output is not None and output not in (path for _, path in written):
        fail(f"This job made no {output.suffix} file, so that {output} is not there.")


def _is_no_picture(cls: type[Params], name: str, value: Any) -> bool:
    """Whether a value is an empty option of pictures that need not be there: those of a recipe never are."""
    return (
        name in cls.picture_fields() and value in (Path(), [Path()]) and may_be_null(cls.model_fields[name])
    )


def _clips(pictures: Pictures) -> set[str]:
    """The params whose files are clips, as far as they can be read."""
    found = set()
    for name, paths in pictures.items():
        with suppress(OSError):
            found |= {name for path in paths if is_clip(path.read_bytes())}
    return found


def _is_clip(spec: KindSpec[Params], pictures: Pictures) -> dict[str, bool]:
    """Of the params that take clips, whether each was given one."""
    clips, marks = _clips(pictures), spec.params.picture_fields()
    return {name: name in clips for name in pictures if marks[name].clips}


def _format_of(spec: KindSpec[Params], output: Path | None) -> dict[str, str]:
    """The format param of a kind that has one, from the extension of the output."""
    if spec.format_field is None or output is None:
        return {}
    format_ = format_of(output.suffix)
    choices = get_args(bare_type(spec.params.model_fields[spec.format_field]))
    return {spec.format_field: format_} if format_ in choices else {}


def _write(
    output: Path | None,
    products: Iterable["EncodedFile"],
    result: Mapping[str, Any],
    extensions: Sequence[str],
) -> list[tuple[str, Path]]:
    """Write the files of a job: the first of the output's format to ``output``, the others beside it.

    Returns the name and the path of each.
    """
    if output is None:
        return []
    written: list[tuple[str, Path]] = []
    if not extensions:
        write_file(output, json.dumps(result, indent=2).encode())
        return [("result", output)]
    for product in products:
        main = format_of(product.ending) == format_of(output.suffix)
        main = main and output not in (path for _, path in written)
        path = output if main else beside(output, product.name, product.ending)
        write_file(path, product.data)
        written.append((product.name.replace("image", "picture"), path))
    return written


def _references(cls: type[Params], pictures: Mapping[str, Sequence[Path]]) -> dict[str, str | list[str]]:
    """The picture params of a job on files: the names of the files."""
    fields = cls.picture_fields()
    names = {param: [path.name for path in paths] for param, paths in pictures.items()}
    return {param: group if fields[param].many else group[0] for param, group in names.items()}


def _sides(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture file; None: it cannot be read, which is said when it is."""
    try:
        return displayed_sides(path.read_bytes())
    except (OSError, PictureError):
        return None


def _shown(spec: KindSpec[Params], pictures: Pictures, field: str) -> str:
    """A param's name on the command line; ``weights.0`` is an entry of a list. A file that is an argument."""
    name, _, entry = field.partition(".")
    if name in (spec.arguments or ()):
        files = pictures.get(name, [])
        return str(files[int(entry or 0)]) if files else "PICTURES"
    shown = name.upper() if name in required_inputs(spec.params) else option_name(name)
    return shown + (f" ({entry})" if entry else "")


def _continued_with_recipe(spec: KindSpec[Params], pictures: Pictures) -> Path | None:
    """The file to go on from, if there is one that says how it was made, and that was by this kind."""
    for name, mark in spec.params.picture_fields().items():
        for path in pictures.get(name, []) if mark.states else []:
            with path.open("rb") as file:
                made = read_recipe(file)
                return path if made is not None and made.get("kind") == spec.name else None
    return None


def _recipe_params(
    spec: KindSpec[Params],
    file: Path,
    pictures: Mapping[str, Sequence[Path]],
    given: Mapping[str, Any],
    catalogue: Catalogue,
) -> dict[str, Any]:
    """The params in the recipe of a file, without its pictures, overridden by the ``given`` ones.

    A network that was renamed since has its new name. Prints a note on stderr if ``pictures``, by param,
    differ from those that the file was made from, or lack some of them. Raises InputError if the file has no
    recipe of that kind.
    """
    try:
        with file.open("rb") as opened:
            recipe = read_recipe(opened)
    except OSError as error:
        raise InputError("recipe", f"{file} cannot be read: {error.strerror}.") from error
    if recipe is None or not isinstance(recipe.get("params"), dict):
        raise InputError("recipe", f"{file} contains no recipe: name a file that Impasto made.")
    if recipe.get("kind") != spec.name:
        raise InputError("recipe", _of_another_kind(spec, file, recipe.get("kind")))
    if PRESET in given:
        raise InputError(PRESET, "The recipe already says all that a preset would: leave out one of them.")
    hashes = recipe.get("inputs")
    marks = spec.params.picture_fields()
    for name, mark in marks.items():
        if mark.states and isinstance(hashes, dict) and hashes.get(name) and name not in pictures:
            detail = f"{file} goes on from another file: name that, too, with {option_name(name)}."
            raise InputError("recipe", detail)
    # How many pictures of each of these params the file was made from.
    changed = dict[str, int]()
    for name, paths in pictures.items():
        # What goes on from a file need not have been made like it.
        if marks[name].states and file in paths:
            continue
        now = [_sha256(path) for path in paths if path.is_file()]
        if isinstance(hashes, dict) and hashes.get(name) != now:
            changed[name] = len(hashes.get(name) or ())
            if changed[name]:
                note(f"{name} is not the picture that {file} was made from.")
    if isinstance(hashes, dict):
        for name in spec.params.picture_fields():
            if name in hashes and name not in pictures:
                note(f"{file} was made with {_shown(spec, {}, name)}, which is left out.")
    params = {
        name: value for name, value in recipe["params"].items() if name not in spec.params.picture_fields()
    }
    names = catalogue.present_names(networks_of(recipe))
    found = spec.params.present_values(params, names)
    if any(marks[name].states for name in pictures):
        return spec.params.continuing(found, given, changed)
    # What is for each of several pictures holds for as many others.
    fitting = spec.params.of_other_pictures(
        found, {name for name, count in changed.items() if count != len(pictures[name])}
    )
    for name in found.keys() - fitting.keys() - given.keys():
        note(f"{option_name(name)} of {file} is for other pictures, and is left out.")
    return fitting | dict(given)


def _of_another_kind(spec: KindSpec[Params], file: Path, kind: Any) -> str:
    """What is wrong with the recipe of a file that is of another kind than the command's."""
    other = KINDS.get(kind) if isinstance(kind, str) else None
    made_by = f"by {kind!r}" if other is None else f"by {other.title.lower()!r} ({kind})"
    detail = f"{file} was made {made_by}, and this is {spec.title.lower()!r} ({spec.name}): "
    if other is None or other.command is None:
        return f"{detail}name a file that `impasto {spec.command}` made."
    return f"{detail}take `impasto {other.command} --recipe {file}`, or name a file of this kind."


def _from_recipe(
    spec: KindSpec[Params], file: Path, problem: FieldError, given: Mapping[str, Any]
) -> FieldError:
    """What is wrong with a value, and where it is from if it was not ``given``, but taken from a recipe."""
    with file.open("rb") as opened:
        made = (read_recipe(opened) or {}).get("params", {})
    name = problem.field.partition(".")[0]
    if name in given or made.get(name) is None:
        return problem
    changed = [each for each in _CHOICES if each in given and str(made.get(each)) != str(given[each])]
    how = "".join(f", made with {option_name(each)} {made.get(each)}" for each in changed)
    remedy = f"Give {option_name(name)} another value"
    if may_be_null(spec.params.model_fields[name]):
        remedy += ', or "" for none'
    return FieldError(problem.field, f"{problem.detail} It is from {file}{how}. {remedy}.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
