"""The structure of BMP files: the headers of Windows ([MS-WMF], section 2.2.2) and OS/2."""

import struct

from app.media.errors import PictureError, damaged, truncated
from app.media.headers import Header

_OLD, _WINDOWS = 12, {40, 52, 56, 64, 108, 124}
_DEPTHS = {1, 4, 8, 16, 24, 32}
# What is not compressed, so that the number of its bytes is known: RGB, and RGB with masks.
_PLAIN = {0, 3, 6}
# Bytes of a compressed one: Pillow unpacks it in Python, a second for each million runs.
_MOST_PACKED = 4_000_000
_OTHERS = {4: "JPEG", 5: "PNG"}
_ALPHA_MASK = slice(66, 70)


def read_bmp(data: bytes) -> Header:
    """The header. Raises PictureError if the file is damaged, cut off, or of a kind that is not read."""
    try:
        pixels, size = struct.unpack_from("<II", data, 10)
        if size == _OLD:
            width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
            compression = 0
        elif size in _WINDOWS:
            width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        else:
            raise PictureError(
                "This is not a picture, or a damaged BMP. Send a JPEG or PNG.", "not_a_picture"
            )
    except struct.error:
        raise truncated() from None
    if compression in _OTHERS:
        raise PictureError(
            f"This BMP has a {_OTHERS[compression]} inside, which is not supported: save it as JPEG or PNG.",
            "unsupported_format",
        )
    if width < 0 or bits not in _DEPTHS:
        raise damaged(f"{width} pixels a row of {bits} bits")
    # Below 0: from the first row to the last.
    height = abs(height)
    stride = (width * bits + 31) // 32 * 4
    if compression in _PLAIN and pixels + stride * height > len(data):
        raise truncated()
    if compression not in _PLAIN and len(data) > _MOST_PACKED:
        raise PictureError(
            f"This BMP has {len(data) / 1e6:.1f} MB of run lengths, and {_MOST_PACKED / 1e6:g} MB are taken. "
            "Save it as PNG.",
            "unsupported_format",
        )
    masked = bits == 32 and compression in (3, 6) and size >= 56
    has_alpha = masked and any(data[_ALPHA_MASK])
    return Header("BMP", width, height, has_alpha)
