"""Boxes, of which MP4 and HEIF files are made: ISO/IEC 14496-12, section 4.2."""

import struct
from collections.abc import Collection, Iterator

from app.media.errors import Noun, damaged, truncated
from app.media.headers import MAX_PARTS

# Kind, and the start and end of the content, which may lie behind the end of the file.
Box = tuple[bytes, int, int]


class Boxes:
    """Reads boxes of a file, all together no more than MAX_PARTS, so that no file takes long."""

    def __init__(self, data: bytes, noun: Noun = "clip") -> None:
        self._data, self._noun, self._left = data, noun, MAX_PARTS

    def between(self, at: int, stop: int, entered: Collection[bytes] = ()) -> Iterator[Box]:
        """The boxes between two offsets in order; of the kinds ``entered`` also those within, parents first.

        Nothing nests here: a box that is entered is passed over up to its content, however deep it lies.
        """
        while at + 8 <= min(stop, len(self._data)):
            self.spend(1)
            length, kind = struct.unpack_from(">I4s", self._data, at)
            start = at + 8
            if length == 1:
                if start + 8 > len(self._data):
                    raise truncated(self._noun)
                (length,) = struct.unpack_from(">Q", self._data, start)
                start += 8
            end = at + length if length else stop
            if end < start:
                raise damaged("a box shorter than its own header", self._noun)
            yield kind, start, end
            at = start if kind in entered else end

    def spend(self, parts: int) -> None:
        """Count boxes, or entries of a table. Raises PictureError if the file has too many."""
        self._left -= parts
        if self._left < 0:
            raise damaged(f"it is in more than {MAX_PARTS:,} pieces", self._noun)
