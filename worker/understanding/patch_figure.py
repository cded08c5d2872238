"""The figure of the strongest patches: a row for each channel, with pictures, patches and projections."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from app.media.lettering import font, line_height, shorten, width_of, wrap
from worker.media.pictures import to_image
from worker.optim.pyramids.scales import resize
from worker.understanding.figures import FAINT, INK, enlarge_sharp, number, to_tensor
from worker.understanding.receptive_fields import PixelBox

# Pixels of a cell, between cells, and between the grids of a row.
CELL, GAP, SPACE = 112, 3, 22
TITLE, TEXT, NUMBER = 19, 16, 14
# What is beyond a picture.
BEYOND = (236, 236, 240)
# Of the projections' values, this share is within black and white.
QUANTILE = 0.99

PROJECTIONS = {"deconvnet": "what excites it (deconvnet)", "guided": "what excites it (guided)"}


@dataclass(frozen=True)
class Found:
    """A strong activation: its value, the place and name of the picture, channel, (y, x) and pixels seen."""

    value: float
    member: int
    name: str
    channel: int
    position: tuple[int, int]
    field: PixelBox


def patch_figure(
    channels: Sequence[int],
    rows: Sequence[Sequence[Found]],
    drawn: Sequence[tuple[Sequence[Tensor], Sequence[Tensor] | None]],
    side: int,
    projection: str,
    heading: str,
) -> Tensor:
    """The figure, (1, 3, H, W).

    ``drawn`` has for each row the pictures (1, 3, side, side), and what is projected back to each or None.
    """
    most = max((len(row) for row in rows), default=1) or 1
    across = math.ceil(math.sqrt(most))
    fields = [each.field for row in rows for each in row]
    reach = max((max(f.bottom - f.top, f.right - f.left) for f in fields), default=side)
    # Where neurons see all of the picture, their patches are the pictures.
    names = ["pictures, fields in white"] + (["patches"] if reach < side else [])
    names += [PROJECTIONS[projection]] if projection != "none" else []
    width = across * (CELL + GAP) - GAP
    whole = SPACE + len(names) * (width + SPACE)
    lines = wrap(heading, TITLE, whole - 2 * SPACE, 2)
    top = SPACE // 2 + len(lines) * line_height(TITLE) + line_height(TEXT) + GAP
    downs = [max(1, math.ceil(len(row) / across)) for row in rows]
    heights = [line_height(TEXT) + down * (CELL + GAP) + SPACE // 2 for down in downs]
    canvas = Image.new("RGB", (whole, top + sum(heights)), "white")
    draw = ImageDraw.Draw(canvas)
    for place, line in enumerate(lines):
        draw.text((SPACE, SPACE // 2 + place * line_height(TITLE)), line, INK, font(TITLE))
    for place, name in enumerate(names):
        draw.text(
            (SPACE + place * (width + SPACE), top - line_height(TEXT) - GAP),
            shorten(name, TEXT, width),
            FAINT,
            font(TEXT),
        )
    for channel, row, (pictures, projected), height in zip(channels, rows, drawn, heights, strict=True):
        title = f"channel {channel}" if row else f"channel {channel}: nothing excites it"
        draw.text((SPACE, top), title, INK, font(TEXT))
        cells = [[_with_field(p, each, side) for p, each in zip(pictures, row, strict=True)]]
        if reach < side:
            cells.append([_patch(p, each, reach) for p, each in zip(pictures, row, strict=True)])
        if projected is not None:
            grey = [_around_grey(signal) for signal in projected]
            cells.append([_patch(p, each, reach) for p, each in zip(grey, row, strict=True)])
        for place, images in enumerate(cells):
            left = SPACE + place * (width + SPACE)
            for number_, image in enumerate(images):
                x, y = number_ % across * (CELL + GAP), number_ // across * (CELL + GAP)
                canvas.paste(image, (left + x, top + line_height(TEXT) + y))
        top += height
    return to_tensor(canvas)


def _with_field(picture: Tensor, found: Found, side: int) -> Image.Image:
    """A picture with the receptive field and the activation in white, each on a dark edge to be seen."""
    image = to_image(resize(picture, CELL, CELL))
    draw = ImageDraw.Draw(image)
    box = found.field
    left, top, right, bottom = (
        round(each * CELL / side) for each in (box.left, box.top, box.right, box.bottom)
    )
    draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline="black", width=3)
    draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline="white", width=2)
    text = number(found.value)
    # Within the field where it fits, else above or below it.
    wide, high = width_of(text, NUMBER) + 6, line_height(NUMBER) + 2
    x = min(max(0, left + 3), CELL - wide)
    y = top + 2 if bottom - top >= high + 4 else (top - high if top >= high else bottom + 1)
    draw.text(
        (x + 3, max(0, min(y, CELL - high))), text, "white", font(NUMBER), stroke_width=2, stroke_fill="black"
    )
    return image


def _patch(picture: Tensor, found: Found, reach: int) -> Image.Image:
    """The pixels of a field, all at one scale; what a border cuts off is left light."""
    box = found.field
    cut = picture[..., box.top : box.bottom, box.left : box.right]
    size = [max(1, round(each * CELL / reach)) for each in cut.shape[2:]]
    image = to_image(enlarge_sharp(cut, *size) if 4 * reach <= CELL else resize(cut, size[0], size[1]))
    cell = Image.new("RGB", (CELL, CELL), BEYOND)
    cell.paste(image, ((CELL - image.width) // 2, (CELL - image.height) // 2))
    return cell


def _around_grey(signal: Tensor) -> Tensor:
    """A signal with a sign as a picture: 0 is mid-grey, its strongest values are black and white."""
    seen = signal[signal != 0].abs()
    high = float(torch.quantile(seen[:1_000_000], QUANTILE)) if len(seen) else 1.0
    return (0.5 + signal / (2 * high)).clamp(0, 1)
