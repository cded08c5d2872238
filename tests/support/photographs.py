"""The photographs that the page offers, as networks classify them."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from app.web.router import STATIC

SAMPLES = STATIC / "samples"


def as_classified(name: str, side: int) -> Tensor:
    """The central square of a sample whose short side is ``side / 0.875`` px, (1, 3, side, side)."""
    with Image.open(SAMPLES / f"{name}.jpg") as picture:
        width, height = picture.size
        scale = side / 0.875 / min(width, height)
        large = picture.resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)
    left, top = (large.width - side) // 2, (large.height - side) // 2
    square = np.array(large.crop((left, top, left + side, top + side)))
    return torch.from_numpy(square).permute(2, 0, 1)[None].float() / 255
