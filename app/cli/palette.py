"""``impasto palette``: the network that ships with Impasto, and the pictures that it was trained on."""

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.output_files import check_output
from app.cli.palette_evaluation import evaluate
from app.cli.palette_training import train
from app.cli.sheet import FORMATS, GAP, contact_sheet

QUALITY = 88

palette = typer.Typer(
    help="The palette network and the pictures that it is trained on.", no_args_is_help=True
)
palette.command()(train)
palette.command()(evaluate)


@palette.command()
def draw(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the contact sheet.")],
    classes: Annotated[
        str | None, typer.Option(help="Names of classes, separated by commas; by default all.")
    ] = None,
    per_class: Annotated[int, typer.Option(min=1, help="Pictures per class.")] = 8,
    size: Annotated[int, typer.Option(min=8, help="Side of a picture in pixels.")] = 96,
    columns: Annotated[int, typer.Option(min=1, help="Columns of classes.")] = 1,
    split: Annotated[
        Literal["train", "held-out", "all"], typer.Option(help="Which variants to draw.")
    ] = "all",
    scenery: Annotated[
        Literal["rough", "open"],
        typer.Option(help="What is behind things: open has flat skies and walls, too."),
    ] = "rough",
    seed: Annotated[int, typer.Option(help="Seed of the first picture of each class, counting up.")] = 0,
    names: Annotated[
        bool, typer.Option("--names/--no-names", help="Caption each class with its name, or leave no gaps.")
    ] = True,
) -> None:
    """Write a contact sheet of drawn pictures, one row for each class."""
    check_output("--output", output, list(FORMATS))
    from PIL import Image

    from models.procedural import CLASSES
    from models.procedural import draw as draw_pictures
    from models.procedural.skies import SCENERIES

    chosen = list(CLASSES) if classes is None else [name.strip() for name in classes.split(",")]
    unknown = [name for name in chosen if name not in CLASSES]
    if unknown:
        raise typer.BadParameter(f"no class is named {unknown[0]!r}; there are {', '.join(CLASSES)}")
    numbers = [CLASSES.index(name) for name in chosen for _ in range(per_class)]
    seeds = [seed + place for _ in chosen for place in range(per_class)]
    pictures = draw_pictures(numbers, seeds, size, split, scenery=SCENERIES[scenery])
    values = (pictures * 255).round().byte().permute(0, 2, 3, 1).numpy()
    images = [Image.fromarray(picture) for picture in values]
    strips = [
        contact_sheet(images[start : start + per_class], per_class, gap=0)
        for start in range(0, len(images), per_class)
    ]
    gap = GAP if names else 0
    down = math.ceil(len(chosen) / columns)
    sheets = [
        contact_sheet(strips[top : top + down], 1, chosen[top : top + down] if names else None, gap)
        for top in range(0, len(chosen), down)
    ]
    contact_sheet(sheets, len(sheets), gap=gap).save(output, quality=QUALITY)
    typer.echo(f"{output}: {len(images)} pictures of {len(chosen)} classes")
