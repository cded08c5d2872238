"""``impasto style``: style transfer here and now, without a service."""

import inspect
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.files import check_output, write_file
from app.cli.messages import INTERRUPTED, fail, fail_on
from app.cli.options import option_name, option_parameters, params_of
from app.cli.recipes import recipe_params
from app.cli.serve import read_settings
from app.jobs.errors import ComputationError, InputError
from app.jobs.kinds import StyleTransferParams
from app.jobs.submit import ParamsError, parse_params
from app.threads import let_threads_sleep

_POSITIONAL = {"content": "CONTENT", "style": "STYLE"}


def style(
    content: Annotated[Path, typer.Argument(metavar=_POSITIONAL["content"], help="The picture to paint.")],
    style: Annotated[
        list[Path], typer.Argument(metavar=_POSITIONAL["style"], help="The painting, or several.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the picture, a PNG.")],
    recipe: Annotated[
        Path | None,
        typer.Option(help="A picture made by Impasto, to take every option from that is not given."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, mps or cuda; IMPASTO_DEVICE, or auto.", show_default=False)
    ] = None,
    **options: Any,
) -> None:
    """Paint CONTENT in the style of STYLE, on this machine and without a service."""
    check_output("--output", output)
    settings = read_settings(device=device)
    pictures = {"content": [content], "style": style}
    pictures |= {
        name: [value]
        for name, value in options.items()
        if name in StyleTransferParams.picture_fields() and value is not None
    }
    try:
        given = params_of(StyleTransferParams, options)
        if recipe is not None:
            given = recipe_params(recipe, pictures, given)
        params = parse_params(StyleTransferParams.kind, given | _references(pictures))
        # It brings torch with it, which takes seconds: not before the options are known to be right.
        let_threads_sleep(os.environ)
        from app.cli.painting import paint

        write_file(output, paint(params, pictures, settings))
    except ParamsError as error:
        fail_on((_shown(problem.field), problem.detail) for problem in error.errors)
    except InputError as error:
        fail_on([(_shown(error.field), error.detail)])
    except ComputationError as error:
        fail(error.detail)
    except OSError as error:
        fail(f"{error.filename or output}: {error.strerror}")
    except KeyboardInterrupt:
        fail("Stopped; nothing was written.", INTERRUPTED)
    typer.echo(f"The picture is in {output}")


def _references(pictures: dict[str, list[Path]]) -> dict[str, str | list[str]]:
    """What params say of pictures that lie in files: their names."""
    names = {param: [path.name for path in paths] for param, paths in pictures.items()}
    fields = StyleTransferParams.picture_fields()
    return {param: group if fields[param].many else group[0] for param, group in names.items()}


def _shown(field: str) -> str:
    """What a param is called on the command line; ``style_weights.0`` is an entry of a list."""
    name, _, entry = field.partition(".")
    return _POSITIONAL.get(name, option_name(name)) + (f" ({entry})" if entry else "")


def _with_options_of_params() -> None:
    """Put one parameter for each param in the place of ``**options``, for Typer to read."""
    own = [p for p in inspect.signature(style).parameters.values() if p.kind is not p.VAR_KEYWORD]
    made = option_parameters(StyleTransferParams, without=_POSITIONAL)
    parameters = own + made
    style.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    style.__annotations__ = {p.name: p.annotation for p in parameters}


_with_options_of_params()
