"""How a picture is turned for display: the EXIF orientation (tag 274), 1 to 8."""

import logging

from PIL import ExifTags, Image

logger = logging.getLogger(__name__)

_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """The orientation that an opened picture asks for; 1 if it asks for none, or its EXIF cannot be read."""
    try:
        # Not image.getexif(): for a PNG it decodes the pixels, to search behind them.
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF does not matter to the picture itself
        logger.warning("ignored EXIF data that cannot be read", exc_info=True)
        return 1
    return value if value in range(1, 9) else 1


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """A picture as it is displayed by its orientation."""
    return image.transpose(_TRANSPOSES[orientation]) if orientation in _TRANSPOSES else image
