"""Names of formats by their first bytes, so that an error can say what was sent and what to do with it."""

import re

HEIC, HEIF, AVIF = "a HEIC picture", "a HEIF picture", "an AVIF picture"
VIDEO = "a video"
RAW = "a camera's raw file"
WEB_PAGE = "a web page"

# Brands of pictures in MP4's container format.
BRANDS = {
    b"avif": AVIF,
    b"avis": AVIF,
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), HEIC),
    b"mif1": HEIF,
    b"msf1": HEIF,
    b"crx ": RAW,
}

# First match wins. Sources: the formats' own specifications.
_PATTERNS = [
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), name)
    for pattern, name in (
        (rb"GIF8[79]a", "a GIF picture"),
        (rb"II\*\0.{4}CR", RAW),
        (rb"II\+\0|MM\0\+", "a BigTIFF picture"),
        (rb"BM.{4}\0\0\0\0", "a BMP picture"),
        (rb"8BPS", "a Photoshop file"),
        (rb"%PDF-", "a PDF document"),
        (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript file"),
        (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL picture"),
        (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP {2}", "a JPEG 2000 picture"),
        # With at least one picture in it; a TGA has zeros there, and bits of a pixel at its own place.
        (rb"\0\0[\x01\x02]\0(?!\0\0)", "an icon file"),
        (rb"\0[\0\x01][\x01-\x03\x09-\x0b].{13}[\x08\x0f\x10\x18\x20]", "a TGA picture"),
        (rb"v/1\x01", "an OpenEXR picture"),
        (rb"qoif", "a QOI picture"),
        (rb"gimp xcf", "a GIMP file"),
        (rb"PK\x03\x04", "a ZIP archive or an office document"),
        (rb"\x1a\x45\xdf\xa3|RIFF.{4}AVI |.{4}ftyp|FLV\x01|\0\0\x01\xba|\x30\x26\xb2\x75", VIDEO),
        (rb"\s*(<\?xml.*|<!--.*)?<svg[\s>]", "an SVG drawing"),
        (rb"\s*<(!doctype html|html|head|body)", WEB_PAGE),
    )
]


def is_safetensors(head: bytes, size: int) -> bool:
    """Whether a file of ``size`` bytes begins as safetensors do: its header's length, and this as JSON."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size


def name_of(data: bytes) -> str | None:
    """The format of a file by its first bytes ("a HEIC picture"); None if unknown."""
    head = data[:2048].removeprefix(b"\xef\xbb\xbf")
    if head[4:8] == b"ftyp":
        length = int.from_bytes(head[:4], "big")
        brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(length, len(head)), 4))]
        # A general brand such as mif1 is followed by a more specific one.
        names = [BRANDS[brand] for brand in brands if brand in BRANDS]
        if names:
            return min(names, key=lambda name: name == HEIF)
    for pattern, name in _PATTERNS:
        if pattern.match(head):
            return name
    return None


def remedy_for(name: str) -> str:
    """What to do with a file of a format that is not taken, by its name."""
    if name == VIDEO:
        return "convert it to MP4 or WebM"
    if name == WEB_PAGE:
        return "save the picture itself, and send that as it is, or as JPEG or PNG"
    return "convert it to JPEG or PNG"
