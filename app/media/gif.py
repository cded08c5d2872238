"""The structure of GIF files: GIF89a specification, sections 18 to 27."""

import struct

from app.media.errors import Noun, damaged, truncated
from app.media.headers import Header, count_part, shown_seconds

GIF_SIGNATURES = (b"GIF87a", b"GIF89a")
# Blocks of up to 255 bytes, in which pixels and texts are.
_MAX_SUB_BLOCKS = 1_000_000
_TRAILER, _EXTENSION, _FRAME, _CONTROL = 0x3B, 0x21, 0x2C, 0xF9


def read_gif(data: bytes, noun: Noun = "clip") -> Header:
    """The header, with the frames up to the trailer; or up to where it is missing, as browsers show them.

    Raises PictureError if the file is damaged, or cut off within a frame.
    """
    try:
        return _read(data, noun)
    except (struct.error, IndexError):
        raise truncated(noun) from None


def _read(data: bytes, noun: Noun) -> Header:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _color_table(flags)
    parts, blocks, frames, delay, seconds = 0, 0, 0, 0.0, 0.0
    has_alpha = False
    while True:
        parts = count_part(parts, noun)
        kind = data[at] if at < len(data) or not frames else _TRAILER
        if kind == _EXTENSION:
            if data[at + 1] == _CONTROL:
                control, hundredths = struct.unpack_from("<BH", data, at + 3)
                delay = hundredths / 100
                has_alpha = has_alpha or bool(control & 1)
            at += 2
        elif kind == _FRAME:
            frames += 1
            left, top, across, down = struct.unpack_from("<HHHH", data, at + 1)
            # A frame may be larger than the canvas, and decoders make room for it.
            width, height = max(width, left + across), max(height, top + down)
            seconds += shown_seconds(delay)
            delay = 0.0
            at += 11 + _color_table(data[at + 9])
        elif frames:
            # The trailer; or something else in its place, where browsers stop, too.
            return Header("GIF", width, height, has_alpha, frames, seconds=seconds, ends=kind == _TRAILER)
        else:
            raise damaged("an unknown block" if kind != _TRAILER else "no frames", noun)
        while length := data[at]:
            at += 1 + length
            blocks += 1
            if blocks > _MAX_SUB_BLOCKS:
                raise damaged(f"it is in more than {_MAX_SUB_BLOCKS:,} pieces", noun)
        at += 1


def _color_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
