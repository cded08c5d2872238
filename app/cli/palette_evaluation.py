"""``impasto palette evaluate``: measurements of the shipped network."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.cli.messages import fail, fail_on
from app.errors import InputError
from app.settings import Settings

if TYPE_CHECKING:
    from models.network import Network
    from worker.contract.compute import Compute


class Measure(StrEnum):
    """What to measure."""

    ACCURACY = "accuracy"
    SHORTCUTS = "shortcuts"
    ENERGY = "energy"
    TEXTURES = "textures"
    RECONSTRUCTION = "reconstruction"
    CLASSES = "classes"
    SPEED = "speed"
    STYLES = "styles"


# Measures that need no other files.
NEEDING_NO_FILES = tuple(each for each in Measure if each not in (Measure.CLASSES, Measure.STYLES))


def evaluate(
    measures: Annotated[
        list[Measure] | None,
        typer.Argument(help="What to measure; by default all that need no other files."),
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option(help="File of the network, as `train` writes it; by default the shipped one."),
    ] = None,
    second: Annotated[
        Path | None,
        typer.Option(help="File of a palette of another seed, to classify `classes`."),
    ] = None,
    judge: Annotated[
        str, typer.Option(help="Network that judges `styles`: see `impasto weights`.")
    ] = "vgg19",
    pictures: Annotated[
        Path | None, typer.Option(help="For `styles`: a folder with the folders `photos` and `paintings`.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the figures (JSON) and pictures.")
    ] = None,
) -> None:
    """Measure palette: accuracy, shortcuts, textures, reconstruction and speed; with more files, the rest.

    `classes` needs --second: how many visualisations of classes that network classifies as intended.
    `styles` needs --pictures, and weights of the --judge: style distances over a range of style weights.
    """
    from app.cli.local_run import choose_compute
    from models.palette import FILE, palette
    from worker.training import evaluation, palette_report

    wanted = list(measures or NEEDING_NO_FILES)
    if Measure.CLASSES in wanted and second is None:
        fail("classes: name the network that classifies them with --second")
    if Measure.STYLES in wanted and pictures is None:
        fail("styles: name a folder of pictures with --pictures")
    try:
        compute = choose_compute(Settings())
        trained = palette(network or FILE)
    except InputError as error:
        fail_on([(error.field, error.detail)])
    except OSError as error:
        fail(str(error))
    figures: dict[str, Any] = {}
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    found: Mapping[str, object]
    for measure in wanted:
        match measure:
            case Measure.ACCURACY:
                found = palette_report.accuracies(trained, compute)
            case Measure.SHORTCUTS:
                found = evaluation.linear_accuracies()
            case Measure.ENERGY:
                found = palette_report.energies(trained)
            case Measure.TEXTURES:
                found = palette_report.textures(trained)
            case Measure.RECONSTRUCTION:
                found = palette_report.reconstructions(trained, compute, output)
            case Measure.SPEED:
                found = palette_report.speed(trained, compute)
            case Measure.CLASSES:
                found = palette_report.visualized_classes(trained, palette(second or FILE), compute, output)
            case Measure.STYLES:
                found = _styles(trained, judge, pictures or Path(), compute, output)
        figures[measure.value] = found
        _print(measure, found)
        if output is not None:
            (output / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _styles(
    trained: "Network", judge: str, pictures: Path, compute: "Compute", output: Path | None
) -> dict[str, Any]:
    from worker.contract.compute import Compute
    from worker.networks.loading import NetworkLoader
    from worker.training import palette_report

    try:
        judging = NetworkLoader(Settings().weights).prepared(judge, None, Compute(compute.device))
        return palette_report.styles(trained, judging, pictures, compute, output)
    except InputError as error:
        fail(f"{error.field}: {error.detail}")


def _print(measure: Measure, found: Mapping[str, object]) -> None:
    table = Table(title=measure.value, show_header=False, title_justify="left")
    for name, value in found.items():
        table.add_row(name.replace("_", " "), _shown(value))
    Console().print(table)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_shown(each)}" for name, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
