"""Pictures as a job loads them, and their colors."""

from io import BytesIO

import torch
from torch import Tensor

from worker.media.pictures import Picture, load_picture


def load(data: bytes, side: int | None = None) -> Picture:
    """A picture of a param named content, no longer than ``side``."""
    return load_picture(BytesIO(data), "content", side)


def levels(picture: Picture) -> Tensor:
    """RGB in units of 1/255, (H, W, 3)."""
    return picture.rgb[0].permute(1, 2, 0) * 255


def assert_color(picture: Picture, color: tuple[float, ...], tolerance: float = 1e-4) -> None:
    """Assert that all of a picture has a color, in units of 1/255."""
    seen = levels(picture)
    expected = torch.tensor(color, dtype=torch.float32).expand_as(seen)
    torch.testing.assert_close(seen, expected, rtol=0, atol=tolerance)
