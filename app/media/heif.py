"""HEIC and AVIF files, whose headers libheif and libavif read, without decoding a pixel.

Both bound the depth and number of boxes. Both formats turn a picture by properties of their own: what EXIF
data say is the same, or of no account.
"""

import struct
from functools import cache
from io import BytesIO
from types import ModuleType
from typing import Literal

from PIL import AvifImagePlugin

from app.media.boxes import Boxes
from app.media.errors import PictureError, damaged, truncated
from app.media.headers import Cicp, Header
from app.media.magic import AVIF, HEIC, HEIF, name_of

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


@cache
def _pi_heif() -> ModuleType:
    """Libheif, by which Pillow opens such files from now on.

    It takes 3 MB, and most processes never see one.
    """
    import pi_heif

    # Of the picture itself, not of its small copies, depth maps and gain maps.
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    loaded: ModuleType = pi_heif
    return loaded


def _read_avif(data: bytes) -> Header:
    with AvifImagePlugin.AvifImageFile(BytesIO(data)) as image:
        width, height = image.size
        cicp = None if "icc_profile" in image.info else _code_points(data)
        return Header("AVIF", width, height, image.mode == "RGBA", image.n_frames, cicp=cicp)


def _read_heic(data: bytes) -> Header:
    file = _pi_heif().open_heif(data, convert_hdr_to_8bit=True)
    image = file[file.primary_index]
    width, height = image.size
    # There is one of both.
    found = image.info.get("nclx_profile")
    cicp = found and Cicp(found["color_primaries"], found["transfer_characteristics"])
    return Header("HEIF", width, height, image.has_alpha, cicp=cicp)


def _code_points(data: bytes) -> Cicp | None:
    """The code points among the properties of the main picture, which Pillow does not tell.

    ISO/IEC 14496-12, section 12.1.5, and 23008-12, section 9.3.
    """
    boxes = Boxes(data, "picture")
    try:
        meta = next((start + 4, stop) for kind, start, stop in boxes.between(0, len(data)) if kind == b"meta")
        main, properties, used = 0, list[Cicp | None](), dict[int, list[int]]()
        for kind, at, end in boxes.between(*meta, {b"iprp"}):
            if kind == b"pitm":
                (main,) = struct.unpack_from(">I" if data[at] else ">H", data, at + 4)
            elif kind == b"ipco":
                properties = [_nclx(data, name, start) for name, start, _ in boxes.between(at, end)]
            elif kind == b"ipma":
                used |= _associations(data, boxes, at)
        of_main = [properties[place - 1] for place in used.get(main, ()) if 0 < place <= len(properties)]
    except (StopIteration, IndexError, struct.error):
        return None
    return next((each for each in of_main if each is not None), None)


def _nclx(data: bytes, kind: bytes, at: int) -> Cicp | None:
    if kind != b"colr" or data[at : at + 4] != b"nclx":
        return None
    return Cicp(*struct.unpack_from(">HH", data, at + 4))


def _associations(data: bytes, boxes: Boxes, at: int) -> dict[int, list[int]]:
    """The places of the properties of each item, from 1."""
    version, is_wide = data[at], data[at + 3] & 1
    (count,) = struct.unpack_from(">I", data, at + 4)
    boxes.spend(count)
    at += 8
    found = {}
    for _ in range(count):
        (item,) = struct.unpack_from(">I" if version else ">H", data, at)
        at += 4 if version else 2
        number = data[at]
        boxes.spend(number)
        places = struct.unpack_from(f">{number}{'H' if is_wide else 'B'}", data, at + 1)
        at += 1 + number * (2 if is_wide else 1)
        # The highest bit says that a reader must know the property.
        found[item] = [place & (0x7FFF if is_wide else 0x7F) for place in places]
    return found
