"""Makes HEIC files: HEVC (by x265) in boxes, as ISO/IEC 23008-12 has it."""

import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

HVCC, IMAGE, EXIF, ALPHA = b"hvcC", 1, 2, 3
_OPTIONS = "lossless=1:keyint=1:log-level=none:info=0:range=full:colormatrix=bt709"
_ALPHA_KIND = b"urn:mpeg:hevc:2015:auxid:1\0"


def heic(
    pixels: NDArray[Any],
    *,
    bits: int = 8,
    alpha: NDArray[Any] | None = None,
    turns: int = 0,
    exif: bytes = b"",
    profile: bytes = b"",
    brand: bytes = b"heic",
    code_points: tuple[int, int] = (1, 13),
) -> bytes:
    """A HEIC of RGB pixels (H, W, 3) in ``bits`` bits, 8 or 10; sides are even and at least 16.

    ``alpha`` is (H, W) in 8 bits; ``turns`` are quarters counter-clockwise. Without a ``profile`` it
    has the ``code_points`` of primaries and transfer characteristics (ITU-T H.273).
    """
    height, width = pixels.shape[:2]
    stream, config = _hevc(
        pixels, "rgb24" if bits == 8 else "rgb48le", "yuv444p" if bits == 8 else "yuv444p10le"
    )
    shape = _box(b"ispe", struct.pack(">III", 0, width, height))
    color = b"prof" + profile if profile else b"nclx" + struct.pack(">HHHB", *code_points, 1, 0x80)
    properties = [
        _box(HVCC, config),
        shape,
        _box(b"pixi", struct.pack(">I4B", 0, 3, bits, bits, bits)),
        _box(b"colr", color),
    ]
    used = {IMAGE: [0x81, 2, 3, 4]}
    items = {IMAGE: (b"hvc1", stream)}
    references = b""
    if turns:
        properties.append(_box(b"irot", bytes([turns])))
        used[IMAGE].append(0x80 | len(properties))
    if exif:
        items[EXIF] = (b"Exif", struct.pack(">I", 6) + exif)
        references += _box(b"cdsc", struct.pack(">HHH", EXIF, 1, IMAGE))
    if alpha is not None:
        grey, alpha_config = _hevc(alpha, "gray", "gray")
        items[ALPHA] = (b"hvc1", grey)
        properties += [_box(HVCC, alpha_config), _box(b"auxC", struct.pack(">I", 0) + _ALPHA_KIND)]
        used[ALPHA] = [0x80 | (len(properties) - 1), 2, 0x80 | len(properties)]
        references += _box(b"auxl", struct.pack(">HHH", ALPHA, 1, IMAGE))
    head = _box(b"ftyp", brand + b"\0\0\0\0mif1" + brand)
    size = len(head) + len(_meta(items, properties, used, references, 0)) + 8
    meta = _meta(items, properties, used, references, size)
    return head + meta + _box(b"mdat", b"".join(body for _, body in items.values()))


def _meta(
    items: dict[int, tuple[bytes, bytes]],
    properties: list[bytes],
    used: dict[int, list[int]],
    references: bytes,
    at: int,
) -> bytes:
    entries, places = b"", b""
    for number, (kind, body) in items.items():
        entries += _box(b"infe", struct.pack(">IHH4sB", 2 << 24, number, 0, kind, 0))
        places += struct.pack(">HHHII", number, 0, 1, at, len(body))
        at += len(body)
    links = b"".join(struct.pack(">HB", number, len(each)) + bytes(each) for number, each in used.items())
    return _box(
        b"meta",
        struct.pack(">I", 0)
        + _box(b"hdlr", struct.pack(">II4s12sB", 0, 0, b"pict", b"", 0))
        + _box(b"pitm", struct.pack(">IH", 0, IMAGE))
        + _box(b"iinf", struct.pack(">IH", 0, len(items)) + entries)
        + (_box(b"iref", struct.pack(">I", 0) + references) if references else b"")
        + _box(
            b"iprp",
            _box(b"ipco", b"".join(properties)) + _box(b"ipma", struct.pack(">II", 0, len(used)) + links),
        )
        + _box(b"iloc", struct.pack(">IBBH", 0, 0x44, 0, len(items)) + places),
    )


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def _hevc(pixels: NDArray[Any], format: str, coded: str) -> tuple[bytes, bytes]:
    """One frame with a length before each unit, and the configuration record with its parameter sets."""
    context = av.CodecContext.create("libx265", "w")
    context.width, context.height = pixels.shape[1], pixels.shape[0]
    context.pix_fmt, context.time_base = coded, Fraction(1, 25)
    context.color_range = ColorRange.JPEG
    context.options = {
        "x265-params": "lossless=1:keyint=1:log-level=none:info=0:range=full:colormatrix=bt709"
    }
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=format)
    frame = frame.reformat(
        format=coded,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.JPEG,
        src_color_range=ColorRange.JPEG,
    )
    frame.pts = 0
    data = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    units = [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1") if unit.strip(b"\0")]
    sets = [unit for unit in units if unit[0] >> 1 & 0x3F in (32, 33, 34)]
    pictures = [unit for unit in units if unit[0] >> 1 & 0x3F < 32]
    (sps,) = (unit for unit in sets if unit[0] >> 1 & 0x3F == 33)
    # Profile, tier and level: 12 bytes behind the header of the unit and a byte of the set.
    general = sps[3:15].replace(b"\0\0\3", b"\0\0")[:12].ljust(12, b"\0")
    deep = 2 if "10" in coded else 0
    chroma = 0 if format == "gray" else 3
    record = b"\1" + general + b"\xf0\0\xfc" + bytes([0xFC | chroma, 0xF8 | deep, 0xF8 | deep]) + b"\0\0\x0f"
    record += bytes([len(sets)])
    for unit in sets:
        record += bytes([0x80 | unit[0] >> 1 & 0x3F]) + struct.pack(">HH", 1, len(unit)) + unit
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in pictures), record
