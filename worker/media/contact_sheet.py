"""Several pictures on one sheet."""

import math

from torch import Tensor

# Pixels between two pictures, as a share of a picture's longer side; and the color that shows there.
GAP = 1 / 32
PAPER = 1.0


def contact_sheet(pictures: Tensor, columns: int | None = None) -> Tensor:
    """Pictures (N, 3, H, W) row by row on white, (1, 3, height, width); a single one as it is.

    None: about as many columns as rows, or more.
    """
    count, _, height, width = pictures.shape
    if count == 1:
        return pictures
    across = columns or math.ceil(math.sqrt(count * height / width))
    across = min(across, count)
    gap = max(1, round(GAP * max(height, width)))
    down = math.ceil(count / across)
    sheet = pictures.new_full((1, 3, down * (height + gap) - gap, across * (width + gap) - gap), PAPER)
    for place, picture in enumerate(pictures):
        top, left = place // across * (height + gap), place % across * (width + gap)
        sheet[0, :, top : top + height, left : left + width] = picture
    return sheet
