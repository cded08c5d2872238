"""Makes WebM files of few elements, right ones and wrong ones."""

import struct

from app.media.webm import Element

_HEAD = b"\x1a\x45\xdf\xa3\x80"


def element(identity: int, content: bytes) -> bytes:
    """An element; its length in eight bytes."""
    name = identity.to_bytes((identity.bit_length() + 7) // 8, "big")
    return name + struct.pack(">Q", 1 << 56 | len(content)) + content


def number(identity: int, value: int, size: int = 4) -> bytes:
    return element(identity, value.to_bytes(size, "big"))


def webm(info: bytes = b"", video: bytes = b"", frames: int = 3, milliseconds: int = 100) -> bytes:
    """A film of 32 by 24 pixels whose frames have no content, with more in its info and its video."""
    size = number(Element.PIXEL_WIDTH, 32) + number(Element.PIXEL_HEIGHT, 24)
    track = (
        number(Element.TRACK_NUMBER, 1)
        + number(Element.TRACK_TYPE, 1, 1)
        + element(Element.VIDEO, size + video)
    )
    blocks = b"".join(
        element(Element.SIMPLE_BLOCK, b"\x81" + struct.pack(">hB", milliseconds * each, 0x80))
        for each in range(frames)
    )
    return _HEAD + element(
        Element.SEGMENT,
        element(Element.INFO, info)
        + element(Element.TRACKS, element(Element.TRACK_ENTRY, track))
        + element(Element.CLUSTER, number(Element.TIMESTAMP, 0) + blocks),
    )
