"""``impasto train``: a network from a set of labelled pictures, in this process without a service."""

import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from sqlalchemy import Engine

from app.cli.data_folder import open_database
from app.cli.messages import INTERRUPTED, fail, fail_on, note
from app.cli.options import keyword, option_name, option_parameters, params_of
from app.cli.output_files import check_output, write_file
from app.cli.serve import read_settings
from app.cli.tables import print_table
from app.cli.training_view import TrainingView
from app.errors import ComputationError, InputError
from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.kinds.train import TrainParams
from app.networks.catalogue import Catalogue
from app.networks.service import export
from app.settings import Settings
from app.storage import make_storage
from app.supervision.openmp import let_threads_sleep

if TYPE_CHECKING:
    from app.cli.training_run import Trained

ENDING = ".safetensors"
_CLASSES = ("class", "precision", "recall", "f1", "support")
# Entries of a result that are tables of several trainings, if there were several.
_COMPARISONS = ("runs", "compare_layers")


def make_train_command() -> Callable[..., None]:
    """A function for Typer with an option for each param of a training."""

    def train(**given: Any) -> None:
        _train(given)

    data = typer.Argument(
        metavar="DATA",
        help="Labelled pictures: a folder of class folders, a ZIP, a CSV beside its pictures, a built-in "
        "set such as digits, or a set of the data folder.",
    )
    output = typer.Option(
        "--output", "-o", help="A .safetensors file to write the network to; the report is put beside it."
    )
    search = typer.Option(
        "--search", metavar="PARAM=A,B,...", help="Values to try of a param; may be given several times."
    )
    params = typer.Option(
        "--architecture-params", metavar="A=1,B=2,...", help="As the architecture takes them: width=0.5."
    )
    device = typer.Option(help="auto, cpu, mps or cuda; IMPASTO_DEVICE, or auto.", show_default=False)
    parameters = [
        keyword("data", Annotated[str, data]),
        keyword("output", Annotated[Path | None, output], None),
        keyword("device", Annotated[str | None, device], None),
        keyword("as_json", Annotated[bool, typer.Option("--json", help="Print the result, as JSON.")], False),
        keyword("search", Annotated[list[str] | None, search], None),
        keyword("architecture_params", Annotated[str | None, params], None),
        *option_parameters(TrainParams, without=["dataset", "search", "architecture_params"]),
    ]
    train.__doc__ = (
        "Train a network on labelled pictures, and keep it under a name that all commands take. Ctrl-C "
        "stops early with the best so far. Run again, a training that was killed goes on."
    )
    train.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    train.__annotations__ = {each.name: each.annotation for each in parameters}
    return train


def _train(given: dict[str, Any]) -> None:
    if int(os.environ.get("RANK", "0")) > 0:
        # torchrun has started this process beside the one that trains.
        from worker.training.rank import help_rank_0

        help_rank_0(_settings(given.pop("device")))
        return
    data: str = given.pop("data")
    output: Path | None = given.pop("output")
    as_json: bool = given.pop("as_json")
    if output is not None:
        check_output("--output", output, (ENDING,))
    settings = _settings(given.pop("device"))
    structured = {
        "search": {name: list(values) for name, values in _pairs("--search", given.pop("search") or ())},
        "architecture_params": {
            name: values[0]
            for name, values in _pairs(
                "--architecture-params", (given.pop("architecture_params") or "").split(",")
            )
        },
    }
    asked = params_of(TrainParams, given) | {name: value for name, value in structured.items() if value}
    try:
        with _database(settings) as engine:
            named = {"dataset": Path(data).name or data}
            params = parse_params("train", asked | named, Catalogue(engine))
            # Imports torch, which takes seconds, so only after the options were checked.
            let_threads_sleep(os.environ)
            from app.cli.training_run import train_here

            trained = train_here(params, data, settings, engine, TrainingView(Console(stderr=True)))
            name = trained.network.card.name
            written = [] if output is None else _write(output, trained, settings, engine)
    except ParamsError as error:
        fail_on((_shown(problem.field), problem.detail) for problem in error.errors)
    except InputError as error:
        fail_on([(_shown(error.field), error.detail)])
    except ComputationError as error:
        fail(error.detail)
    except OSError as error:
        fail(f"{error.filename or output}: {error.strerror}")
    except KeyboardInterrupt:
        fail("Stopped; no network was kept. The same command goes on from the last checkpoint.", INTERRUPTED)
    if as_json:
        typer.echo(json.dumps(trained.result, indent=2))
    else:
        _print(trained.result)
    for line in trained.result.get("notes", []):
        note(line)
    for title, path in written:
        typer.echo(f"The {title} is in {path}", err=as_json)
    typer.echo(f"The network {name} is kept. Try it: impasto classify PICTURE --network {name}", err=as_json)


def _settings(device: str | None) -> Settings:
    """Those of the environment; a device that was asked for is the only one, but for torchrun's."""
    return read_settings(device=device, training_devices=None if device is None else "")


def _pairs(option: str, given: Sequence[str]) -> Iterator[tuple[str, list[Any]]]:
    """A param and its values from each ``name=a,b``; numbers and true or false are such."""
    for text in given:
        name, sign, values = text.partition("=")
        if not text.strip():
            continue
        if not sign or not values.strip():
            fail_on([(option, f"{text} names no value: write {name.strip()}=...")])
        yield name.strip().replace("-", "_"), [_value(value.strip()) for value in values.split(",")]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@contextmanager
def _database(settings: Settings) -> Iterator[Engine]:
    """The database of the data folder, which is made if there is none: the network is kept there."""
    if settings.names_database:
        fail(
            "IMPASTO_DATABASE_URL is set, but this command keeps networks in the data folder: unset it, or "
            "send the training to the service."
        )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with open_database(settings) as engine:
        yield engine


def _write(output: Path, trained: "Trained", settings: Settings, engine: Engine) -> list[tuple[str, Path]]:
    """Write the network, and the files of its report beside it; the title and the path of each."""
    _, network = export(engine, make_storage(settings), settings.weights, trained.network.card.name)
    write_file(output, b"".join(network))
    written = [("network", output)]
    report = output.with_name(f"{output.stem}-report.json")
    write_file(report, json.dumps(trained.result, indent=2).encode())
    written.append(("report", report))
    for file in trained.files:
        path = output.with_name(f"{output.stem}-{file.name.replace('_', '-')}{file.ending}")
        write_file(path, file.data)
        written.append((_TITLES.get(file.name, file.name), path))
    return written


_TITLES = {
    "image": "picture of the curves",
    "confusion": "confusion matrix",
    "mistakes": "sheet of mistakes",
    "calibration": "picture of the calibration",
    "per_class": "table of the classes",
    "predictions": "list of predictions",
}


def _print(result: Mapping[str, Any]) -> None:
    """The comparisons, the classes and the accuracies."""
    for name in _COMPARISONS:
        print_table(name, result.get(name))
    print_table("classes", result["per_class"], _CLASSES)
    split = result["split"]
    accuracies = {
        "accuracy, test": _percent(result["test_accuracy"], split["test"]),
        "accuracy, validation": _percent(result["val_accuracy"], split["validation"]),
        "best epoch": result["best_epoch"],
    }
    print_table("table", {name: value for name, value in accuracies.items() if value is not None})
    suggestion = result.get("suggestion")
    if suggestion is not None:
        typer.echo(f"Suggestion: {suggestion['text']}")


def _percent(accuracy: float | None, pictures: int) -> str | None:
    return None if accuracy is None else f"{accuracy:.1%} of {pictures:,}"


def _shown(field: str) -> str:
    """A param's name on the command line."""
    name, _, entry = field.partition(".")
    shown = "DATA" if name == "dataset" else option_name(name)
    return f"{shown} ({entry})" if entry else shown
