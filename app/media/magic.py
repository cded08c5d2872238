"""Names of formats that are not accepted, so that an error can say what was sent."""

import re

# Brands of pictures in MP4's container format.
BRANDS = {
    b"avif": "an AVIF picture",
    b"avis": "an AVIF picture",
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"hevc": "a HEIC picture",
    b"hevx": "a HEIC picture",
    b"mif1": "a HEIF picture",
    b"msf1": "a HEIF picture",
    b"crx ": "a camera's raw file",
}

# First match wins. Sources: the formats' own specifications.
_PATTERNS = [
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), name)
    for pattern, name in (
        (rb"GIF8[79]a", "a GIF picture"),
        (rb"II\*\0.{4}CR", "a camera's raw file"),
        (rb"II\+\0|MM\0\+", "a BigTIFF picture"),
        (rb"BM.{4}\0\0\0\0", "a BMP picture"),
        (rb"8BPS", "a Photoshop file"),
        (rb"%PDF-", "a PDF document"),
        (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript file"),
        (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL picture"),
        (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP {2}", "a JPEG 2000 picture"),
        (rb"\0\0[\x01\x02]\0", "an icon file"),
        (rb"v/1\x01", "an OpenEXR picture"),
        (rb"qoif", "a QOI picture"),
        (rb"gimp xcf", "a GIMP file"),
        (rb"PK\x03\x04", "a ZIP archive or an office document"),
        (rb"\x1a\x45\xdf\xa3|RIFF.{4}AVI |.{4}ftyp", "a video"),
        (rb"\s*(<\?xml.*|<!--.*)?<svg[\s>]", "an SVG drawing"),
        (rb"\s*<(!doctype html|html|head|body)", "a web page"),
    )
]


def name_of(data: bytes) -> str | None:
    """The format of a file by its first bytes ("a HEIC picture"); None if unknown."""
    head = data[:2048].removeprefix(b"\xef\xbb\xbf")
    if head[4:8] == b"ftyp":
        length = int.from_bytes(head[:4], "big")
        brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(length, len(head)), 4))]
        # A general brand such as mif1 is followed by a more specific one.
        names = [BRANDS[brand] for brand in brands if brand in BRANDS]
        if names:
            return min(names, key=lambda name: name == "a HEIF picture")
    for pattern, name in _PATTERNS:
        if pattern.match(head):
            return name
    return None
