"""The layout of contact sheets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

GAP = 6
CAPTION_HEIGHT = 18
FONT_SIZE = 13


def contact_sheet(
    pictures: Sequence["Image"], columns: int, captions: Sequence[str] | None = None, gap: int = GAP
) -> "Image":
    """RGB pictures of one width on white, row by row, ``gap`` pixels apart, each below its caption."""
    from PIL import Image, ImageDraw, ImageFont

    caption = CAPTION_HEIGHT if captions else 0
    rows = [pictures[first : first + columns] for first in range(0, len(pictures), columns)]
    heights = [max(picture.height for picture in row) + caption for row in rows]
    step = pictures[0].width + gap
    sheet = Image.new("RGB", (columns * step - gap, sum(heights) + gap * (len(rows) - 1)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    top = 0
    for number, row in enumerate(rows):
        for column, picture in enumerate(row):
            if captions:
                draw.text((column * step, top + 1), captions[number * columns + column], "black", font)
            sheet.paste(picture, (column * step, top + caption))
        top += heights[number] + gap
    return sheet
