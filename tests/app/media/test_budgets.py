"""Files that are made to keep a parser busy: each is refused at once, with what is wrong."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from io import BytesIO
from math import inf, nan

import numpy as np
import pytest
from PIL import Image

from app.media import PictureError, inspect_upload, png
from app.media.clips import read_clip_header
from app.media.webm import Element
from app.media.webp import first_frame
from app.settings import Settings
from tests.support import clips, ebml, inspecting
from tests.support import strange_pictures as strange
from tests.support.mp4s import box, nested
from tests.support.tiffs import tiff

FTYP = box(b"ftyp", b"isom\0\0\0\0isom")
HANDLER = box(b"hdlr", b"\0" * 8 + b"vide" + b"\0" * 13)


def refused(data: bytes) -> PictureError:
    error = inspecting.refused(data, by=inspect_upload, max_image_bytes=10**8, max_clip_bytes=10**8)
    assert error.status in (413, 415, 422) and error.detail.count(". ") >= 1
    return error


def table(kind: bytes, count: int, entries: bytes = b"") -> bytes:
    return box(kind, struct.pack(">II", 0, count) + entries)


def movie(*in_track: bytes) -> bytes:
    return FTYP + box(b"moov", box(b"trak", HANDLER + b"".join(in_track)))


def png_of(chunks: bytes) -> bytes:
    return strange.raw_png(1, 1, [b"\0\0\0"], before=chunks)


def webp_frame(chunks: bytes) -> bytes:
    """An animated WebP with chunks more in its first frame."""
    data = bytearray(strange.animated("WEBP"))
    at = data.index(b"ANMF") + 4
    for size in (4, at):
        data[size : size + 4] = struct.pack("<I", struct.unpack_from("<I", data, size)[0] + len(chunks))
    return bytes(data[: at + 20] + chunks + data[at + 20 :])


def plain_jpeg(width: int, height: int) -> bytes:
    made = BytesIO()
    Image.new("L", (width, height), 90).save(made, "JPEG", progressive=True, quality=50)
    return made.getvalue()


MANY: dict[str, Callable[[], bytes]] = {
    "boxes at the top": lambda: FTYP + box(b"free") * 6_000_000,
    "boxes in a track": lambda: movie(box(b"free") * 300_000),
    "tracks": lambda: FTYP + box(b"moov", box(b"trak", box(b"free") * 4) * 60_000),
    "boxes one in the other": lambda: movie(nested(b"mdia", 300_000)),
    "times of frames": lambda: movie(table(b"stts", 300_000, b"\0" * 2_400_000)),
    "tables of times": lambda: movie(table(b"stts", 10_000, b"\0" * 80_000) * 30),
    "elements": lambda: ebml.webm(info=b"\xec\x80" * 300_000),
    "elements one in the other": lambda: ebml.webm(info=b"\xe0\x80" * 300_000),
    "extensions of a GIF": lambda: clips.gif()[:13] + b"\x21\x01\0" * 300_000,
    "blocks of a GIF": lambda: clips.gif()[:-1] + b"\x21\xfe" + b"\1x" * 1_200_000 + b"\0;",
    "chunks of a PNG": lambda: png_of(strange.chunk(b"tEXt", b"") * 300_000),
    "chunks of a WebP": lambda: (
        b"RIFF" + struct.pack("<I", 4 + 2_400_000) + b"WEBP" + b"ABCD\0\0\0\0" * 300_000
    ),
    "chunks of a frame of a WebP": lambda: webp_frame(b"JUNK\0\0\0\0" * 300_000),
    "segments of a JPEG": lambda: b"\xff\xd8" + b"\xff\xe1\0\2" * 300_000,
    "boxes of an AVIF": lambda: strange.plain("AVIF") + box(b"free") * 300_000,
}


@pytest.mark.medium
@pytest.mark.parametrize("what", MANY)
def test_a_file_of_too_many_pieces_is_refused_before_the_last_is_read(what: str) -> None:
    assert "pieces" in refused(MANY[what]()).detail


def test_a_frame_of_a_webp_may_have_a_few_chunks_more() -> None:
    data = webp_frame(b"JUNK\0\0\0\0" * 100)
    assert inspect_upload(BytesIO(data), Settings()).frames == 3
    assert first_frame(data) == first_frame(webp_frame(b"")) is not None


def test_boxes_as_deep_as_a_stack_are_no_error_of_the_service() -> None:
    assert refused(FTYP + box(b"moov", nested(b"trak", 2000))).reason == "damaged"
    deep = b"".join(nested(b"mdia", 800, box(b"free")) for _ in range(6))
    assert refused(movie(deep)).reason == "damaged"


def test_a_progressive_jpeg_of_a_thousand_passes_is_refused() -> None:
    data = strange.noise("JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    error = refused(data[:at] + data[at:-2] * 1000 + b"\xff\xd9")
    assert "100 scans" in error.detail


def test_a_large_progressive_jpeg_has_no_more_passes_than_encoders_make() -> None:
    """50 passes over 64 megapixels are some kB, and took a minute to decode."""
    data = plain_jpeg(8000, 8000)
    at = data.rindex(b"\xff\xda")
    assert inspect_upload(BytesIO(data[:at] + data[at:-2] * 8 + b"\xff\xd9"), Settings()).width == 8000
    for end in (b"", b"\xff\xd9"):
        assert "20 scans" in refused(data[:at] + data[at:-2] * 50 + end).detail
    small = strange.noise("JPEG", progressive=True)
    at = small.rindex(b"\xff\xda")
    assert inspect_upload(BytesIO(small[:at] + small[at:-2] * 50 + b"\xff\xd9"), Settings())


@pytest.mark.parametrize("size", [9, 200, 4096])
def test_numbers_of_more_than_eight_bytes_are_refused(size: int) -> None:
    for identity in (Element.TIMESTAMP_SCALE, Element.TIMESTAMP, Element.TRACK_NUMBER):
        error = refused(ebml.webm(info=ebml.element(identity, b"\xff" * size)))
        assert "a number too long" in error.detail


@pytest.mark.parametrize("length", [nan, inf, -inf, -1.0])
@pytest.mark.parametrize("form", [">f", ">d"])
def test_a_length_that_is_no_number_is_refused(length: float, form: str) -> None:
    data = ebml.webm(info=ebml.element(Element.DURATION, struct.pack(form, length)))
    assert "a length that is no number" in refused(data).detail


@pytest.mark.parametrize("size", [1, 3, 5, 9, 16])
def test_a_length_of_a_strange_size_is_refused(size: int) -> None:
    assert refused(ebml.webm(info=ebml.element(Element.DURATION, b"\0" * size))).reason == "damaged"


@pytest.mark.parametrize("scale", [1, 2**64 - 1])
def test_the_largest_numbers_are_long_clips(scale: int) -> None:
    data = ebml.webm(
        info=ebml.number(Element.TIMESTAMP_SCALE, scale, 8)
        + ebml.element(Element.DURATION, struct.pack(">d", 1.7e308))
    )
    assert refused(data).reason in ("seconds", "damaged")


def test_a_length_of_nothing_is_that_of_the_frames() -> None:
    header = read_clip_header(ebml.webm(info=ebml.element(Element.DURATION, b"")))
    assert (header.frames, header.seconds) == (3, pytest.approx(0.3))


@pytest.mark.parametrize(
    ("display", "width"),
    [((64, 24), 64), ((16, 9), 43), ((0, 0), 32), ((32, 24), 32)],
)
def test_a_film_is_as_wide_as_it_is_shown(display: tuple[int, int], width: int) -> None:
    sides = ebml.number(Element.DISPLAY_WIDTH, display[0]) + ebml.number(Element.DISPLAY_HEIGHT, display[1])
    header = read_clip_header(ebml.webm(video=sides))
    assert (header.width, header.height) == (width, 24)


def test_a_clip_of_large_frames_is_refused() -> None:
    """94 frames of 64 megapixels are a few kB, and take minutes and a gigabyte to decode."""
    still = clips.gif(1, size=(1, 1))
    frame = still[still.index(b"\x2c") : -1]
    canvas = still[:6] + struct.pack("<HH", 8000, 8000) + still[10 : still.index(b"\x2c")]
    assert refused(canvas + 94 * frame + b";").reason == "pixels"
    assert inspect_upload(BytesIO(canvas + 93 * frame + b";"), Settings()).frames == 93


def test_strips_one_over_the_other_are_refused() -> None:
    """10,000 strips, each the whole file."""
    pixels = np.zeros((10_000, 4, 3), np.uint8)
    data = tiff(pixels, rows=1, tags={273: (8,) * 10_000, 279: (100_000,) * 10_000})
    assert "one over the other" in refused(data).detail
    # Writers may store equal ones once.
    shared = tiff(np.zeros((4, 4, 3), np.uint8), rows=1, tags={273: (8,) * 4})
    assert inspect_upload(BytesIO(shared), Settings()).height == 4


def test_a_bmp_of_many_runs_is_refused() -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 3000, 3000, 1, 8, 1, 0, 0, 0, 256, 0)
    start = 14 + len(header) + 1024

    def packed(runs: int) -> bytes:
        body = b"\1\0" * runs
        return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + b"\0" * 1024 + body

    assert "run lengths" in refused(packed(3_000_000)).detail
    assert inspect_upload(BytesIO(packed(100_000)), Settings(max_image_bytes=10**8)).width == 3000


def test_a_table_longer_than_its_box_is_refused() -> None:
    assert "table" in refused(movie(table(b"stts", 100_000))).detail


def test_a_time_scale_of_zero_is_an_unknown_length() -> None:
    data = bytearray(clips.mp4(6))
    at = data.index(b"mdhd") + 16
    data[at : at + 4] = b"\0" * 4
    assert read_clip_header(bytes(data)).seconds == 0


def test_a_text_that_grows_a_thousandfold_is_not_unpacked() -> None:
    packed = zlib.compress(b"x" * 50_000_000, 9)
    data = png_of(strange.chunk(b"zTXt", b"a\0\0" + packed) + strange.chunk(b"iCCP", b"a\0\0" + packed))
    tracemalloc.start()
    assert inspect_upload(BytesIO(data), Settings()).width == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_the_first_of_many_profiles_is_unpacked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = []
    is_usable = png._is_usable_profile
    monkeypatch.setattr(png, "_is_usable_profile", lambda body: unpacked.append(body) or is_usable(body))
    profile = strange.chunk(b"iCCP", b"a\0\0" + zlib.compress(b"\0" * 2**20, 9))
    assert inspect_upload(BytesIO(png_of(profile * 500)), Settings()).width == 1
    assert len(unpacked) <= 2
    assert png.pixels_of_png(png_of(profile * 500)).count(b"iCCP") <= 1


def test_a_box_that_ends_within_its_own_length_is_cut_off() -> None:
    """A length of 64 bits, of which the file has none."""
    for whole in (strange.plain("AVIF"), clips.mp4()):
        assert refused(whole + struct.pack(">I4s", 1, b"free")).reason == "truncated"


def test_a_jpeg_without_an_end_that_the_decoder_does_not_know_is_cut_off() -> None:
    data = strange.noise("JPEG")
    at = data.index(b"\xff\xc0") + 9
    assert refused(data[:at] + b"\x05" + data[at + 1 : -2]).reason in ("truncated", "damaged")
