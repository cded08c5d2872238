"""``impasto sheet``: a contact sheet of picture files; the layout of contact sheets."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.messages import fail, fail_on
from app.cli.output_files import check_output, require_apart, write_file

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
# The longest side that the formats can have, or that viewers of PNG can; and the most pixels of a sheet.
LONGEST = {".jpg": 65_500, ".png": 65_500, ".webp": 16_383}
MOST_PIXELS = 1 << 28
QUALITY = 86
GAP = 6
CAPTION_HEIGHT = 18
FONT_SIZE = 13


def sheet(
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="The pictures, row by row.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it: .jpg, .png or .webp.")],
    columns: Annotated[
        int | None, typer.Option(min=1, help="Pictures in a row; by default as many as rows.")
    ] = None,
    width: Annotated[int, typer.Option(min=16, max=4096, help="Width of each in pixels.")] = 320,
    labels: Annotated[
        str | None, typer.Option(help="Captions, one for each picture, separated by commas.")
    ] = None,
    names: Annotated[bool, typer.Option("--names", help="Captions are the names of the files.")] = False,
) -> None:
    """Put pictures on one contact sheet, row by row, on white."""
    check_output("--output", output, list(FORMATS))
    require_apart("--output", output, pictures)
    if labels is not None and names:
        fail_on([("--names", "Captions are given with --labels: leave out one of the two.")])
    captions = [path.stem for path in pictures] if names else None
    if labels is not None:
        captions = [label.strip() for label in labels.split(",")]
        if len(captions) != len(pictures):
            fail_on([("--labels", f"There are {len(captions)} labels for {len(pictures)} pictures.")])
    read = [_read(path, width) for path in pictures]
    across = min(columns or math.ceil(math.sqrt(len(read))), len(read))
    _require_size(_size(read, across, captions), output.suffix.lower())
    data = io.BytesIO()
    contact_sheet(read, across, captions).save(data, FORMATS[output.suffix.lower()], quality=QUALITY)
    try:
        write_file(output, data.getvalue())
    except OSError as error:
        fail(f"{output}: {error.strerror}")
    typer.echo(f"{output}: {len(read)} picture{'s' if len(read) != 1 else ''}")


def _require_size(size: tuple[int, int], suffix: str) -> None:
    """Exit with a message if a sheet would be too large for its format."""
    if max(size) > LONGEST[suffix] or size[0] * size[1] > MOST_PIXELS:
        limits = f"{LONGEST[suffix]:,} on a side and {MOST_PIXELS:,} in all"
        found = f"The sheet would have {size[0]:,} x {size[1]:,} pixels: a {suffix} has {limits} at most."
        fail_on([("--width", f"{found} Give a smaller width, or other columns.")])


def _read(path: Path, width: int) -> "Image":
    """A picture on white, ``width`` pixels wide. Exits with a message if it cannot be read."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        data = path.read_bytes()
        try:
            picture = _shown(data, width)
        except Exception:  # of a format that no job takes, or damaged: of this Pillow says more
            with Image.open(io.BytesIO(data)) as opened:
                picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except UnidentifiedImageError:
        fail_on([("PICTURE", f"{path} is not a picture in a format that Pillow knows.")])
    except OSError as error:
        fail_on([("PICTURE", f"{path} cannot be read: {error.strerror or error}.")])
    except (SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Raised by Pillow for damaged files and for decompression bombs.
        fail_on([("PICTURE", f"{path} cannot be read: {error}.")])
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture)
    height = max(1, round(picture.height * width / picture.width))
    if height > max(LONGEST.values()):
        fail_on(
            [("PICTURE", f"{path} would be {height:,} pixels high: give a smaller width, or leave it out.")]
        )
    return paper.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def _shown(data: bytes, width: int) -> "Image":
    """A picture file as the service shows it, whatever else is damaged, at least ``width`` wide if it was."""
    from app.images.shrinking import shrink
    from app.media.stills import read_header

    header = read_header(data)
    # Which side is its width, its orientation says.
    proportion = max(header.width, header.height) / min(header.width, header.height)
    return shrink(data, header, math.ceil(width * proportion)).convert("RGBA")


def contact_sheet(
    pictures: Sequence["Image"], columns: int, captions: Sequence[str] | None = None, gap: int = GAP
) -> "Image":
    """RGB pictures of one width on white, row by row, ``gap`` pixels apart, each below its caption."""
    from PIL import Image, ImageDraw, ImageFont

    caption = CAPTION_HEIGHT if captions else 0
    heights = _heights(pictures, columns, caption)
    step = pictures[0].width + gap
    sheet = Image.new("RGB", _size(pictures, columns, captions, gap), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    top = 0
    for number in range(len(heights)):
        row = pictures[number * columns : (number + 1) * columns]
        for column, picture in enumerate(row):
            if captions:
                draw.text((column * step, top + 1), captions[number * columns + column], "black", font)
            sheet.paste(picture, (column * step, top + caption))
        top += heights[number] + gap
    return sheet


def _size(
    pictures: Sequence["Image"], columns: int, captions: Sequence[str] | None, gap: int = GAP
) -> tuple[int, int]:
    """Width and height of a contact sheet."""
    heights = _heights(pictures, columns, CAPTION_HEIGHT if captions else 0)
    return columns * (pictures[0].width + gap) - gap, sum(heights) + gap * (len(heights) - 1)


def _heights(pictures: Sequence["Image"], columns: int, caption: int) -> list[int]:
    """Those of the rows, with their captions."""
    firsts = range(0, len(pictures), columns)
    return [max(each.height for each in pictures[first : first + columns]) + caption for first in firsts]
