"""``impasto palette train``: train the shipped network, from scratch or further."""

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.progress import Progress, TaskID

from app.cli.messages import INTERRUPTED, fail, fail_on, progress_bar, settings_problems
from app.cli.output_files import check_output
from app.errors import ComputationError, InputError
from app.settings import Settings

if TYPE_CHECKING:
    from worker.training.palette import PaletteRecipe
    from worker.training.palette_run import Report

# Steps between two lines of numbers that stay on the screen.
LOG_EVERY = 50


def train(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the network.")] = Path(
        "palette.safetensors"
    ),
    folder: Annotated[
        Path, typer.Option(help="For pictures and checkpoints; run the command again to resume.")
    ] = Path("palette-training"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, crops and attacks.")] = 0,
    budget: Annotated[float, typer.Option(min=0.001, help="Factor for the number of steps.")] = 1.0,
    number: Annotated[
        int,
        typer.Option("--recipe", min=1, max=2, help="1: from scratch; 2: the first further, by contrast."),
    ] = 1,
    files: Annotated[
        int | None,
        typer.Option(
            min=1, help="Files to draw, of 2048 pictures or more, 100 or 255 MB; by default the recipe's."
        ),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that draw; by default one a core.")
    ] = None,
) -> None:
    """Draw the training pictures, train palette on them, and write the network.

    Takes an hour or more on two cores. An interrupted run resumes from its checkpoint.
    """
    check_output("--output", output, (".safetensors",))
    from app.cli.local_run import choose_compute
    from models.palette import calibration_pictures, folded_palette, save_palette
    from worker.training.palette import RECIPES
    from worker.training.palette_run import train_palette

    try:
        compute = choose_compute(Settings())
    except ValidationError as error:
        fail_on(settings_problems(error))
    except InputError as error:
        fail_on([(error.field, error.detail)])
    recipe = RECIPES[number]
    schedule = recipe.schedule(seed, budget)
    files = files or recipe.files
    with progress_bar() as progress:
        try:
            _draw(folder, recipe, files, processes or os.cpu_count() or 1, progress)
            task = progress.add_task("training", total=schedule.steps, number="")

            def on_report(report: "Report") -> None:
                _show(report, progress, task)

            model, accuracies = train_palette(folder, recipe, schedule, files, compute, on_report)
        except KeyboardInterrupt:
            fail(f"interrupted; the same command resumes from {folder}", INTERRUPTED)
        except (ValueError, ComputationError, OSError) as error:
            fail(str(error))
    options = f"--recipe {number} --seed {seed} --budget {budget:g} --files {files}"
    facts = {
        "seed": seed,
        "command": f"impasto palette train {options}",
        "commit": _commit(),
        "device": f"{compute.device.type}, {str(compute.dtype).removeprefix('torch.')}",
        "accuracy": dataclasses.asdict(accuracies),
    }
    save_palette(folded_palette(model, calibration_pictures()), facts, output)
    typer.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


def _draw(folder: Path, recipe: "PaletteRecipe", files: int, processes: int, progress: Progress) -> None:
    from worker.training.drawings import draw_set

    task = progress.add_task("drawing", total=files, number="")
    size, scenery = recipe.drawn_size, recipe.scenery
    for done in draw_set(folder, size=size, files=files, processes=processes, scenery=scenery):
        progress.update(task, completed=done)


def _show(report: "Report", progress: Progress, task: TaskID) -> None:
    step = report.step
    progress.update(task, completed=step.done)
    if step.done % LOG_EVERY and report.accuracies is None:
        return
    losses = step.losses()
    line = f"step {step.done}: loss {losses['loss']:.3f}, {report.speed:.0f} pictures/s"
    if losses["radius"]:
        line += f", radius {losses['radius']:.2f}"
    if "contrast" in losses:
        line += f", contrast {losses['contrast']:.3f}"
    if (found := report.accuracies) is not None:
        line += f"; new seeds {found.new_seeds:.1%}, held-out variants {found.held_out_variants:.1%}"
    progress.console.print(line)


def _commit() -> str | None:
    """The commit of the checkout, with a plus sign if files differ from it; None without git or checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    described = subprocess.run(  # noqa: S603 - fixed arguments
        [git, "describe", "--always", "--abbrev=12", "--dirty=+"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or None
