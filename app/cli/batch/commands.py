"""``impasto batch run`` and ``impasto batch matrix``."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.cli.batch.entries import ReadLines, read_lines
from app.cli.batch.matrix import Recipe, common_params, entries_of, picture_axis, value_axis
from app.cli.batch.record import ERRORS, RECORD, RESULTS
from app.cli.batch.reporting import Options
from app.cli.batch.running import run_entries
from app.cli.kind_commands import required_inputs
from app.cli.messages import fail, fail_on
from app.cli.options import keyword, option_name, option_parameters, params_of
from app.kinds import KINDS, KindSpec, Params

Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the results; made if there is none.")]
Errors = Annotated[
    Literal["fail", "skip"],
    typer.Option(help="If a line is wrong: `fail` computes nothing, `skip` computes the others."),
]
Url = Annotated[
    str | None,
    typer.Option(envvar="IMPASTO_URL", help="URL of a service that computes it. Without: this machine does."),
]
Device = Annotated[
    str | None,
    typer.Option(help="Here: auto, cpu, mps or cuda; IMPASTO_DEVICE, or auto.", show_default=False),
]
Reproducible = Annotated[
    bool,
    typer.Option(
        "--reproducible", help="Compute no two together: each is then the same as alone, bit for bit."
    ),
]
Name = Annotated[str | None, typer.Option(help="What the service calls the batch.", show_default=False)]
Priority = Annotated[
    Literal["urgent", "normal", "background"] | None,
    typer.Option(help="Of the batch in the service: normal, if not given.", show_default=False),
]


def run(
    jobs: Annotated[
        Path, typer.Argument(metavar="JOBS.jsonl", help="A job a line: custom_id, kind, params.")
    ],
    output: Output,
    errors: Errors = "fail",
    reproducible: Reproducible = False,
    device: Device = None,
    url: Url = None,
    name: Name = None,
    priority: Priority = None,
) -> None:
    """Compute the jobs of a file of JSON Lines; run it again for what is missing.

    A line: {"custom_id": "a", "kind": "style_transfer", "params": {"content": "a.jpg", "style": "b.jpg"}}.
    Pictures are paths from the folder of the file; with a service they may be ids, too.
    """
    try:
        read = read_lines(jobs)
    except OSError as error:
        fail_on([("JOBS.jsonl", f"{jobs} cannot be read: {error.strerror}.")])
    if not read.entries and not read.problems:
        fail_on([("JOBS.jsonl", f"{jobs} has no lines.")])
    if jobs.resolve() in {(output / each).resolve() for each in (RECORD, RESULTS, ERRORS)}:
        fail_on([("--output", f"{jobs} would be written over: choose another folder.")])
    options = Options(output, errors, device, url, name or jobs.stem, priority, reproducible)
    run_entries(read, jobs.parent, options)


def make_matrix_command() -> Callable[..., None]:
    """The function for Typer of ``impasto batch matrix``, with an option for each picture of any kind."""

    def matrix(context: typer.Context, **given: Any) -> None:
        _matrix(context, given)

    kinds = [spec for spec in KINDS.values() if spec.command is not None]
    fields = dict.fromkeys(name for spec in kinds for name in spec.params.picture_fields())
    pictures = [
        _option(name, option_name(name), "PATTERN", "Files, or quoted patterns such as 'photos/*.jpg'.")
        for name in fields
    ]
    parameters = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        keyword("output", Output),
        keyword("kind", Annotated[str, typer.Option(help="What is made.")], "style_transfer"),
        *pictures,
        _option("values", "--set", "PARAM=VALUE", "Sets a param of all."),
        _option("over", "--over", "PARAM=V1,V2,...", "Makes each with each of these values."),
        keyword(
            "zip_",
            Annotated[
                bool, typer.Option("--zip", help="The first of each with each other, then the second, ...")
            ],
            False,
        ),
        keyword("errors", Errors, "fail"),
        keyword("reproducible", Reproducible, False),
        keyword("device", Device, None),
        keyword("url", Url, None),
        keyword("name", Name, None),
        keyword("priority", Priority, None),
    ]
    matrix.__doc__ = """Make one recipe over many pictures and values; run it again for what is missing.

    impasto batch matrix --content 'photos/*.jpg' --style 'paintings/*.jpg' --size 256 -o out

    The options of the kind's own command set params for all, too: see `impasto style --help`.
    """
    matrix.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    matrix.__annotations__ = {p.name: p.annotation for p in parameters}
    return matrix


def _option(name: str, option: str, metavar: str, text: str) -> inspect.Parameter:
    """An option that may be given several times."""
    of = typer.Option(option, help=text, metavar=metavar, show_default=False)
    return keyword(name, Annotated[list[str] | None, of], None)


def _matrix(context: typer.Context, given: dict[str, Any]) -> None:
    kind = str(given["kind"]).replace("-", "_")
    spec = KINDS.get(kind) or _by_command(str(given["kind"]))
    cls, fields = spec.params, spec.params.picture_fields()
    common = common_params(cls, given["values"] or []) | _typed_params(spec, context.args)
    axes = []
    for param in dict.fromkeys(name for each in KINDS.values() for name in each.params.picture_fields()):
        patterns = given.get(param)
        if not patterns:
            continue
        if param not in fields:
            known = ", ".join(map(option_name, fields)) or "none"
            fail_on([(option_name(param), f"{spec.name} takes no such picture. Pictures it takes: {known}.")])
        axes.append(picture_axis(param, patterns))
    axes += [value_axis(cls, text) for text in given["over"] or []]
    named = [*common, *(axis.param for axis in axes)]
    twice = {param for param in named if named.count(param) > 1}
    if twice:
        fail_on([(option_name(param), "This was given twice.") for param in sorted(twice)])
    missing = [param for param in required_inputs(cls) if param not in named]
    if missing:
        fail_on([(option_name(param), f"{spec.name} needs this.") for param in missing])
    if not axes:
        fail_on([("--over", "There is nothing to vary: name pictures, or values of a param.")])
    recipe = Recipe(spec.name, common, axes, "zip" if given["zip_"] else "cross")
    options = Options(
        given["output"],
        given["errors"],
        given["device"],
        given["url"],
        given["name"] or " × ".join(f"{len(axis.values)} {axis.param}" for axis in axes),
        given["priority"],
        given["reproducible"],
        recipe,
    )
    run_entries(ReadLines(entries_of(recipe), []), Path(), options)


def _by_command(name: str) -> KindSpec[Params]:
    for spec in KINDS.values():
        if spec.command == name:
            return spec
    known = ", ".join(spec.name for spec in KINDS.values() if spec.command is not None)
    fail_on([("--kind", f"There is no kind {name!r}. Kinds: {known}.")])


def _typed_params(spec: KindSpec[Params], arguments: Sequence[str]) -> dict[str, Any]:
    """Params from further options, which are those of the kind's own command."""
    stray = next((each for each in arguments if Path(each).is_file()), None)
    if stray is not None and (len(arguments) == 1 or not arguments[0].startswith("-")):
        fail(f"{stray}: quote patterns, so that the shell leaves them to this command.", 2)
    found: dict[str, Any] = {}

    def take(**given: Any) -> None:
        found.update(params_of(spec.params, given))

    parameters = option_parameters(spec.params, without=spec.params.picture_fields())
    take.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    take.__annotations__ = {p.name: p.annotation for p in parameters}
    options = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    options.command()(take)
    command = typer.main.get_command(options)
    command.main(list(arguments), prog_name="impasto batch matrix", standalone_mode=False)
    return found
