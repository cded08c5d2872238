"""``impasto sheet``: several pictures side by side on one."""

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.messages import fail, fail_on
from app.cli.output_files import check_output, write_file

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".jpg", ".png", ".webp")

GAP = 6
CAPTION = 18
QUALITY = 86


def sheet(
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="The pictures, row by row.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it: .jpg, .png or .webp.")],
    columns: Annotated[
        int | None, typer.Option(min=1, help="Pictures beside each other; by default as many as rows.")
    ] = None,
    width: Annotated[int, typer.Option(min=16, max=4096, help="Width of each in pixels.")] = 320,
    labels: Annotated[
        str | None, typer.Option(help="What to write above each, with commas between: as many as pictures.")
    ] = None,
) -> None:
    """Put pictures on one sheet, row by row, on white: dreams beside each other, a course's handout."""
    check_output("--output", output, ENDINGS)
    names = None if labels is None else [label.strip() for label in labels.split(",")]
    if names is not None and len(names) != len(pictures):
        fail_on([("--labels", f"There are {len(names)} labels for {len(pictures)} pictures.")])
    cells = [_read(path, width) for path in pictures]
    made = io.BytesIO()
    across = columns or math.ceil(math.sqrt(len(cells)))
    _lay_out(cells, names, min(across, len(cells))).save(
        made, {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}[output.suffix.lower()], quality=QUALITY
    )
    try:
        write_file(output, made.getvalue())
    except OSError as error:
        fail(f"{output}: {error.strerror}")
    typer.echo(f"{output}: {len(cells)} pictures")


def _read(path: Path, width: int) -> "Image":
    """A picture on white, ``width`` pixels wide."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except UnidentifiedImageError:
        fail_on([("PICTURE", f"{path} is not a picture in a format that Pillow knows.")])
    except OSError as error:
        fail_on([("PICTURE", f"{path} cannot be read: {error.strerror or error}.")])
    except (SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow's words for files that are damaged, or too large to be taken in good faith.
        fail_on([("PICTURE", f"{path} cannot be read: {error}.")])
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture)
    height = max(1, round(picture.height * width / picture.width))
    return paper.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def _lay_out(cells: list["Image"], names: list[str] | None, columns: int) -> "Image":
    """Cells of one width in rows, each row as high as its highest."""
    from PIL import Image, ImageDraw, ImageFont

    caption = CAPTION if names else 0
    rows = [cells[first : first + columns] for first in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in row) + caption for row in rows]
    step = cells[0].width + GAP
    made = Image.new("RGB", (columns * step - GAP, sum(heights) + GAP * (len(rows) - 1)), "white")
    pen, font = ImageDraw.Draw(made), ImageFont.load_default(13)
    top = 0
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            if names:
                pen.text((place * step, top + 1), names[number * columns + place], "black", font)
            made.paste(cell, (place * step, top + caption))
        top += heights[number] + GAP
    return made
