"""What is said of a file by its header, under limits of a test's own."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, BinaryIO

import pytest

from app.media import PictureError, PictureInfo, inspect_picture
from app.settings import Settings


def inspect(data: bytes, **limits: Any) -> PictureInfo:
    """What a picture is; ``limits`` are settings."""
    return inspect_picture(BytesIO(data), Settings(**limits))


def refused(
    data: bytes, *, by: Callable[[BinaryIO, Settings], PictureInfo] = inspect_picture, **limits: Any
) -> PictureError:
    """Why a file is refused, which it has to be."""
    with pytest.raises(PictureError) as caught:
        by(BytesIO(data), Settings(**limits))
    return caught.value
