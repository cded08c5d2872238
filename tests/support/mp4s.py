"""Changes MP4 files that FFmpeg made, and makes boxes that it would not."""

import struct
from collections.abc import Sequence

from app.media.boxes import Boxes

# Duration in units of the movie (a second has 1000), frames a second, start in seconds (None: a pause).
Edit = tuple[int, int, float | None]


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def nested(kind: bytes, depth: int, inside: bytes = b"") -> bytes:
    """Boxes one in the other."""
    sizes = range(len(inside) + 8 * depth, len(inside), -8)
    return b"".join(struct.pack(">I", size) + kind for size in sizes) + inside


def with_edits(data: bytes, edits: Sequence[Edit]) -> bytes:
    """An MP4 of one track, its movie behind its frames, with another edit list."""
    places = {kind: (at - 8, end) for kind, at, end in Boxes(data).between(0, len(data), (b"moov", b"trak"))}
    scale_at = data.index(b"mdhd") + 16
    (scale,) = struct.unpack_from(">I", data, scale_at)
    entries = b"".join(
        struct.pack(">IiI", duration, -1 if start is None else round(start * scale), 1 << 16)
        for duration, _, start in edits
    )
    edts = box(b"edts", box(b"elst", struct.pack(">II", 0, len(edits)) + entries))
    (start, end) = places[b"edts"]
    made = bytearray(data[:start] + edts + data[end:])
    for kind in (b"moov", b"trak"):
        at = places[kind][0]
        (size,) = struct.unpack_from(">I", made, at)
        struct.pack_into(">I", made, at, size + len(edts) - (end - start))
    return bytes(made)
