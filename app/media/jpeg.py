"""The structure of JPEG files: ITU-T T.81, annex B."""

import re
import threading
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image, ImageChops

from app.media.errors import PictureError, damaged, truncated
from app.media.headers import Header, count_part

# Any marker except the stuffed zero, the restart markers and a fill byte.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_END, _SCAN = 0xD9, 0xDA
_END_MARKER = b"\xff\xd9"
# Markers without a segment.
_ALONE = (0x01, 0xD8)
# APP0 to APP15, and comments: segments beside the pixels.
_BESIDE = frozenset({*range(0xE0, 0xF0), 0xFE})
_EXIF = b"Exif\0\0"
# Those of them that say how pixels look: the start, and the bytes of the shortest one that is whole.
_LOOKS = {
    0xE0: (b"JFIF\0", 14),
    0xE1: (b"http://ns.adobe.com/xap/1.0/\0", 29),
    0xE2: (b"ICC_PROFILE\0", 14),
    0xEE: (b"Adobe", 12),
}
# Each is a pass over the whole picture: of a large one some hundred would take minutes. Encoders make 10.
_MAX_SCANS = 100
_USUAL_SCANS = 20
# Pixels of all passes beyond the usual ones.
_MAX_PASSED = 1_000_000_000
# What could stand in the place of pixels that are missing: two texts without a marker.
_STAND_INS = (b"\x55" * 64, b"\xaa\x33" * 32)
# One file at a time: Pillow decodes a JPEG without releasing the interpreter, so that two take twice as long,
# and twice the memory.
_decoding = threading.Lock()


@dataclass
class _Scans:
    """Which of its coefficients each component has in full: annex G.1.1.1."""

    components: bytes = b""
    left: dict[int, set[int]] = field(default_factory=dict)
    count: int = 0
    most: int = _MAX_SCANS

    def begin(self, components: bytes, pixels: int) -> None:
        self.components = components
        self.most = max(_USUAL_SCANS, min(_MAX_SCANS, _MAX_PASSED // max(1, pixels)))
        self.left = {name: set(range(64)) for name in components}

    def add(self, body: bytes) -> None:
        """Take note of the header of a scan."""
        self.count += 1
        if self.count > self.most:
            raise damaged(f"it is in more than {self.most} scans")
        number = body[0]
        first, last, bit = body[1 + 2 * number], body[2 + 2 * number], body[3 + 2 * number] & 0x0F
        if bit:
            return
        for name in body[1 : 1 + 2 * number : 2]:
            self.left.get(name, set()).difference_update(range(first, last + 1))

    @property
    def is_complete(self) -> bool:
        return bool(self.left) and not any(self.left.values())


def read_jpeg(data: bytes) -> Header:
    """The header. Reads the segments up to the end marker that follows a scan.

    A thumbnail inside the EXIF segment has an end marker of its own, which is skipped with its segment. What
    phones append after the end (a video, a gain map) is ignored. Raises PictureError if the file is damaged,
    or ends before the last scan.
    """
    at, parts = 2, 0
    width = height = bits = 0
    scans, ends = _Scans(), False
    while not ends:
        parts = count_part(parts)
        marker = _MARKER.search(data, at)
        if marker is None:
            if scans.is_complete:
                break
            raise truncated()
        code, at = marker[1][0], marker.end()
        ends = code == _END
        if ends or code in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        stop = at + max(length, 2)
        if stop > len(data):
            if scans.is_complete:
                break
            raise truncated()
        try:
            if code in _SIZES:
                bits = data[at + 2]
                height = int.from_bytes(data[at + 3 : at + 5], "big")
                width = int.from_bytes(data[at + 5 : at + 7], "big")
                scans.begin(data[at + 8 : at + 8 + 3 * data[at + 7] : 3], width * height)
            elif code == _SCAN:
                scans.add(data[at + 2 : stop])
        except IndexError:
            raise damaged("a segment is too short") from None
        at = stop
    if not scans.count:
        raise damaged("no pixels")
    if bits != 8:
        raise PictureError(
            f"This JPEG has {bits} bits a colour, which is not supported: save it with 8.",
            "unsupported_format",
        )
    return Header("JPEG", width, height, ends=ends)


def ended_jpeg(data: bytes) -> bytes:
    """A JPEG without an end marker, with one."""
    # A last byte of ones would be the first of a marker.
    return data.rstrip(b"\xff") + _END_MARKER


def open_jpeg(data: bytes) -> Image.Image:
    """Open a JPEG with Pillow, decoding nothing yet. Raises what Pillow does.

    Pillow fails at segments beside the pixels that are not whole, which decoders skip. Then it is tried once
    more with those alone that say how pixels look.
    """
    try:
        return _opened(data)
    except Exception:  # Pillow's reader raises several types
        pixels, exif = _apart(data)
        image = _opened(pixels)
        if exif:
            image.info["exif"] = exif
        return image


def _opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data), formats=("JPEG",))


def _apart(data: bytes) -> tuple[bytes, bytes]:
    """A JPEG with no segments beside the pixels but whole ones of _LOOKS, and its EXIF data.

    These apart, since Pillow fails to open a file of whose resolution half is there.
    """
    kept, exif, at = [data[:2]], list[bytes](), 2
    while (marker := _MARKER.search(data, at)) is not None and marker[1][0] != _SCAN:
        code, start = marker[1][0], marker.end()
        at = start if code in _ALONE else start + max(2, int.from_bytes(data[start : start + 2], "big"))
        body = data[start + 2 : at]
        begin, least = _LOOKS.get(code, (b"", 0))
        if code == 0xE1 and body.startswith(_EXIF):
            exif.append(body[len(_EXIF) :])
        elif code not in _BESIDE or (least and len(body) >= least and body.startswith(begin)):
            kept.append(data[marker.start() : at])
    return b"".join([*kept, data[at:]]), b"".join([_EXIF, *exif] if exif else [])


def require_rows(data: bytes) -> None:
    """Raises PictureError if a JPEG without an end marker lacks pixels.

    libjpeg makes gray of what is missing, and says nothing. If anything is missing, something else that
    stands there changes the picture. It is decoded at an eighth of its size, three times, for which others
    wait. That needs little memory, but of a progressive file, whose coefficients are all held, up to 6 bytes
    a pixel: 400 MB of 64 megapixels. The headers of its scans would not tell that the last one is cut.
    """
    with _decoding, _eighth(ended_jpeg(data)) as found:
        for stand_in in _STAND_INS:
            with _eighth(ended_jpeg(data.rstrip(b"\xff") + stand_in)) as other:
                if ImageChops.difference(found, other).getbbox() is not None:
                    raise truncated()


def _eighth(data: bytes) -> Image.Image:
    try:
        image = open_jpeg(data)
        image.draft(None, (1, 1))
        image.load()
    except Exception as error:  # Pillow raises a dozen types for damaged data
        raise truncated() from error
    return image
