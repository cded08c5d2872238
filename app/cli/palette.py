"""``impasto palette``: the network that ships with Impasto, and the pictures that it learned from."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.palette_evaluation import evaluate
from app.cli.palette_training import train

if TYPE_CHECKING:
    from PIL.Image import Image

palette = typer.Typer(no_args_is_help=True)


@palette.callback()
def _group() -> None:
    """The palette network and the pictures that it is trained on."""


palette.command()(train)
palette.command()(evaluate)


class Split(StrEnum):
    """Which variants of a class to draw."""

    TRAIN = "train"
    HELD_OUT = "held-out"
    ALL = "all"


@palette.command()
def draw(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the contact sheet.")],
    classes: Annotated[
        str | None, typer.Option(help="Names of classes, with commas between; all of them by default.")
    ] = None,
    per_class: Annotated[int, typer.Option(min=1, help="Pictures per class.")] = 8,
    size: Annotated[int, typer.Option(min=8, help="Side of a picture in pixels.")] = 96,
    columns: Annotated[int, typer.Option(min=1, help="Classes beside each other.")] = 1,
    split: Annotated[Split, typer.Option(help="Which variants to draw.")] = Split.ALL,
    seed: Annotated[int, typer.Option(help="The first picture's seed; the others follow.")] = 0,
    names: Annotated[
        bool, typer.Option("--names/--no-names", help="Each row under its name, or the pictures alone.")
    ] = True,
) -> None:
    """Write a contact sheet of drawn classes, each row under the name of its class."""
    from models.procedural import CLASSES
    from models.procedural import draw as draw_pictures

    chosen = list(CLASSES) if classes is None else [name.strip() for name in classes.split(",")]
    unknown = [name for name in chosen if name not in CLASSES]
    if unknown:
        raise typer.BadParameter(f"no class is named {unknown[0]!r}; there are {', '.join(CLASSES)}")
    numbers = [CLASSES.index(name) for name in chosen for _ in range(per_class)]
    seeds = [seed + place for _ in chosen for place in range(per_class)]
    pictures = draw_pictures(numbers, seeds, size, split.value)
    values = (pictures * 255).round().byte().permute(0, 2, 3, 1).numpy()
    rows = [values[start : start + per_class] for start in range(0, len(values), per_class)]
    _contact_sheet(chosen, rows, columns, named=names).save(output, quality=88)
    typer.echo(f"{output}: {len(values)} pictures of {len(chosen)} classes")


def _contact_sheet(names: list[str], rows: list[Any], columns: int, *, named: bool) -> "Image":
    """Rows of pictures (uint8, (k, size, size, 3)) in columns, each under its name; or edge to edge."""
    from PIL import Image, ImageDraw, ImageFont

    per_class, size = rows[0].shape[:2]
    caption, gap = (18, 6) if named else (0, 0)
    height = -(-len(names) // columns)
    wide, high = per_class * size + gap, size + caption
    sheet = Image.new("RGB", (columns * wide + gap, height * high + gap), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, (name, row) in enumerate(zip(names, rows, strict=True)):
        left, top = gap + place // height * wide, place % height * high
        if named:
            pen.text((left, top + 2), name, "black", font)
        for index, picture in enumerate(row):
            sheet.paste(Image.fromarray(picture), (left + index * size, top + caption))
    return sheet
