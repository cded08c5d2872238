"""HEIC and AVIF files, whose headers libheif and libavif read, without decoding a pixel.

Both bound the depth and number of boxes. Both formats turn a picture by properties of their own: what EXIF
data say is the same, or of no account.
"""

from io import BytesIO
from typing import Literal

import pi_heif
from PIL import AvifImagePlugin

from app.media.boxes import Boxes
from app.media.errors import PictureError, damaged, truncated
from app.media.headers import Header
from app.media.magic import AVIF, HEIC, HEIF, name_of

# For Pillow to open such files. Of the picture itself, not of its small copies, depth maps and gain maps.
pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)

HeifFormat = Literal["HEIF", "AVIF"]
_FORMATS: dict[str, HeifFormat] = {HEIC: "HEIF", HEIF: "HEIF", AVIF: "AVIF"}
_NEEDED = frozenset({b"ftyp", b"meta", b"mdat", b"moov"})


def heif_format(data: bytes) -> HeifFormat | None:
    """The format of a HEIC or AVIF file by its first bytes; None for anything else."""
    return _FORMATS.get(name_of(data) or "") if data[4:8] == b"ftyp" else None


def read_heif(data: bytes, format: HeifFormat) -> Header:
    """The header of the main picture of a file; of AVIF the number of frames, too.

    HEIC: sides as displayed; AVIF: as stored. Raises PictureError if the file is damaged or cut off.
    """
    for kind, _, stop in Boxes(data, "picture").between(0, len(data)):
        if stop > len(data) and kind in _NEEDED:
            raise truncated()
    try:
        return _read_avif(data) if format == "AVIF" else _read_heic(data)
    except PictureError:
        raise
    except Exception as error:  # both raise several types for damaged files
        raise damaged("its header cannot be read") from error


def _read_avif(data: bytes) -> Header:
    with AvifImagePlugin.AvifImageFile(BytesIO(data)) as image:
        width, height = image.size
        return Header("AVIF", width, height, image.mode == "RGBA", image.n_frames)


def _read_heic(data: bytes) -> Header:
    file = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
    image = file[file.primary_index]
    width, height = image.size
    return Header("HEIF", width, height, image.has_alpha)
