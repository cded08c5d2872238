"""What is said of a picture before a pixel of it is decoded."""

import struct
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from threading import Barrier, BrokenBarrierError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save

from app.media import PictureError, PictureInfo, inspect_picture, jpeg
from app.media.headers import MAX_PARTS
from app.media.inspect import PILLOW_PIXELS, open_picture
from app.media.magic import name_of
from app.settings import Settings
from tests.support import strange_pictures as strange
from tests.support.inspecting import inspect, refused

FORMATS = ("PNG", "JPEG", "WEBP")


def test_a_state_is_refused_with_what_to_send_in_its_place() -> None:
    error = refused(save({"best": np.zeros((1, 3, 4, 4), np.float32)}))
    assert error.reason == "unsupported_format"
    assert "safetensors" in error.detail and error.detail.endswith("send the picture that it made.")


@pytest.mark.parametrize("format", FORMATS)
def test_an_ordinary_picture(format: str) -> None:
    data = strange.noise(format, size=(24, 16))
    info = inspect(data)
    assert info == PictureInfo(
        format=format,
        media_type=f"image/{format.lower()}",
        width=24,
        height=16,
        has_alpha=False,
        orientation=1,
        bytes=len(data),
    )


def test_the_file_is_read_from_its_start_and_left_there() -> None:
    file = BytesIO(strange.plain())
    file.seek(9)
    inspect_picture(file, Settings())
    assert file.tell() == 0


@pytest.mark.parametrize(
    "data",
    [
        strange.plain(size=(1, 1)),
        strange.plain("JPEG", progressive=True),
        strange.plain("JPEG", mode="L", color=(7,)),
        strange.plain("WEBP", lossless=True),
        strange.cmyk_jpeg(),
        strange.grey16([[0, 65535]]),
        strange.rgb16([[(1, 2, 3)]]),
        strange.plain(mode="1", color=(1,)),
        strange.animated("PNG", frames=1),
        strange.animated("WEBP", frames=1),
        strange.jpeg_with_thumbnail(),
        strange.two_picture_jpeg(),
        strange.plain("JPEG") + b"a video that a telephone has appended \xff\xd9",
        strange.plain("WEBP") + b"more",
        strange.plain() + b"more",
        strange.plain(icc_profile=b"rubbish"),
        strange.plain("JPEG", exif=b"Exif\0\0rubbish"),
    ],
)
def test_unusual_pictures_are_taken(data: bytes) -> None:
    assert inspect(data).bytes == len(data)


@pytest.mark.parametrize(
    ("data", "has_alpha"),
    [
        (strange.plain(mode="RGBA", color=(1, 2, 3, 4)), True),
        (strange.plain(mode="LA", color=(1, 2)), True),
        (strange.palette_png(), True),
        (strange.palette_png(alpha=b""), False),
        (strange.plain("WEBP", mode="RGBA", color=(1, 2, 3, 4)), True),
        (strange.plain("WEBP", mode="RGBA", color=(1, 2, 3, 4), lossless=True), True),
        (strange.plain("WEBP", lossless=True), False),
    ],
)
def test_alpha_is_seen(data: bytes, has_alpha: bool) -> None:
    assert inspect(data).has_alpha == has_alpha


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sides_are_those_displayed(format: str, orientation: int) -> None:
    info = inspect(strange.rotated(orientation, format, size=(24, 16)))
    assert (info.width, info.height) == ((24, 16) if orientation < 5 else (16, 24))
    assert info.orientation == orientation


def test_a_png_may_be_turned_behind_its_pixels() -> None:
    info = inspect(strange.rotated_late(6))
    assert (info.width, info.height) == (1, 2)


def test_an_orientation_that_is_none_is_ignored() -> None:
    assert inspect(strange.plain("JPEG", exif=strange.exif(9))).orientation == 1


def test_169_megapixels_in_20_kb_are_refused_without_the_memory() -> None:
    data = strange.bomb()
    assert len(data) < 21_000
    tracemalloc.start()
    error = refused(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert error.reason == "pixels"
    assert error.too_large
    assert "169.0 megapixels" in error.detail
    assert "at most 64 are taken" in error.detail


@pytest.mark.parametrize(
    ("limits", "reason", "said"),
    [
        ({"max_image_bytes": 100}, "bytes", "0.0001 MB"),
        ({"max_image_pixels": 24 * 16 - 1}, "pixels", "24×16"),
        ({"max_image_side": 23}, "side", "23"),
    ],
)
def test_over_a_limit(limits: dict[str, int], reason: str, said: str) -> None:
    data = strange.noise()
    error = refused(data, **limits)
    assert error.reason == reason
    assert error.too_large
    assert said in error.detail


@pytest.mark.parametrize("format", FORMATS)
def test_exactly_at_every_limit(format: str) -> None:
    data = strange.noise(format, size=(24, 16))
    inspect(
        data,
        max_image_bytes=len(data),
        max_image_pixels=24 * 16,
        max_image_side=24,
        max_image_aspect=1.5,
    )


def test_a_strip() -> None:
    inspect(strange.plain(size=(320, 10)))
    error = refused(strange.plain(size=(10, 321)))
    assert error.reason == "aspect"
    assert not error.too_large
    assert "10×321" in error.detail


def test_more_pixels_than_pillow_opens_are_refused_whatever_the_settings() -> None:
    stream = b"never looked at"
    data = strange.raw_png(16_000, 16_000, stream)
    assert refused(data, max_image_pixels=10**10).reason == "pixels"


def test_pillow_opens_as_much_as_we_say() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert PILLOW_PIXELS == 2 * Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("format", ["WEBP", "PNG"])
def test_animated(format: str) -> None:
    error = refused(strange.animated(format, frames=3))
    assert error.reason == "animated"
    assert "3 frames" in error.detail
    assert "one frame" in error.detail


def test_empty() -> None:
    assert refused(b"").reason == "empty"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"MM\0+\0\x08\0\0", "BigTIFF"),
        (strange.plain("ICO"), "icon"),
        (strange.plain("TGA"), "TGA"),
        (strange.plain("TGA", compression="tga_rle"), "TGA"),
        (strange.plain("PDF"), "PDF"),
        (strange.plain("EPS"), "PostScript"),
        (strange.plain("JPEG2000"), "JPEG 2000"),
        (strange.plain("QOI"), "QOI"),
        (b"8BPS\0\1" + b"\0" * 50, "Photoshop"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"<svg/>", "not a picture"),
        (b"<svg />", "SVG"),
        (b"\n<!DOCTYPE html><p>404", "web page"),
        (b"PK\x03\x04word/document.xml", "ZIP"),
        (b"just text", "not a picture"),
        (b"\0" * 1000, "not a picture"),
    ],
)
def test_other_files_are_called_by_their_names(data: bytes, name: str) -> None:
    error = refused(data)
    assert error.reason in ("unsupported_format", "not_a_picture")
    assert name in error.detail
    assert "JPEG" in error.detail


@pytest.mark.parametrize(
    "data", [b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", b"RIFF\x40\0\0\0AVI LIST", b"FLV\x01\5"]
)
def test_of_a_video_no_jpeg_can_be_made(data: bytes) -> None:
    error = refused(data)
    assert error.detail == "This is a video, which is not supported: convert it to MP4 or WebM."


def test_of_a_web_page_the_picture_can_be_saved() -> None:
    assert "save the picture itself" in refused(b"<!doctype html><img>").detail


@pytest.mark.medium
@pytest.mark.parametrize("format", FORMATS)
def test_what_ends_before_its_last_pixel_is_cut_off(format: str) -> None:
    data = strange.noise(format)
    # Of a JPEG the last block is not missed before it has no color at all.
    for length in range(0, len(data) - 40, 5):
        error = refused(data[:length])
        expected = {"truncated"} if length >= 12 else {"truncated", "empty", "not_a_picture"}
        assert error.reason in expected, length


@pytest.mark.parametrize("progressive", [False, True])
def test_one_jpeg_without_an_end_is_decoded_at_a_time(
    progressive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = strange.noise("JPEG", size=(320, 240), progressive=progressive)[:-2]
    decode, other, met = jpeg._eighth, Barrier(2), list[bool]()

    def decode_beside(data: bytes) -> Image.Image:
        # Broken for good by the first one that no other one joins.
        with suppress(BrokenBarrierError):
            other.wait(1)
            met.append(True)
        return decode(data)

    monkeypatch.setattr(jpeg, "_eighth", decode_beside)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(inspect, [data] * 4))
    assert {info.width for info in found} == {320}
    assert not met


def test_a_truncated_jpeg_with_a_whole_thumbnail_is_found() -> None:
    data = strange.jpeg_with_thumbnail()
    assert refused(data[:-40]).reason == "truncated"


@pytest.mark.medium
def test_every_wrong_bit_of_the_pixels_of_a_png_is_found() -> None:
    data = strange.noise(size=(3, 2))
    for at in range(data.index(b"IEND") - 4):
        broken = bytearray(data)
        broken[at] ^= 1
        assert refused(bytes(broken)).reason in ("damaged", "truncated", "not_a_picture"), at


@pytest.mark.medium
@pytest.mark.parametrize(
    "data",
    [
        strange.raw_png(0, 5, b""),
        strange.raw_png(5, 5, b"", bits=3),
        strange.PNG_SIGNATURE + strange.chunk(b"IEND", b""),
        strange.PNG_SIGNATURE + strange.chunk(b"IHDR", b"short"),
        strange.plain()[:33] + strange.chunk(b"IEND", b""),
        strange.raw_png(1, 1, b"", before=strange.chunk(b"IHDR", b"\0" * 13)),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xda\0\2\xff\xd9",
        b"RIFF\4\0\0\0WEBP",
        b"RIFF\x0c\0\0\0WEBPVP8 \0\0\0\0",
        b"RIFF\x0c\0\0\0WEBPVP8 \xff\0\0\0",
        strange.PNG_SIGNATURE
        + strange.chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
        + strange.chunk(b"tEXt", b"") * MAX_PARTS,
    ],
)
def test_files_that_are_broken_inside(data: bytes) -> None:
    assert refused(data).reason in ("damaged", "unsupported_format")


def test_of_two_jpeg_frame_headers_the_one_that_the_decoder_uses_counts() -> None:
    data = strange.plain("JPEG", size=(24, 16))
    at = data.index(b"\xff\xc0")
    frame = data[at : at + 19]
    small = frame[:5] + struct.pack(">HH", 8, 8) + frame[9:]
    info = inspect(data[:at] + small + data[at:])
    assert (info.width, info.height) == (24, 16)


@pytest.mark.medium
@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", strange.PNG_SIGNATURE, b"\xff\xd8\xff", b"RIFF\x20\0\0\0WEBP"]),
)
def test_any_bytes_are_taken_or_refused_with_a_reason(data: bytes, start: bytes) -> None:
    try:
        info = inspect(start + data)
    except PictureError as error:
        assert error.detail
        return
    assert info.width > 0


@pytest.mark.medium
@settings(deadline=None, max_examples=300)
@given(st.sampled_from(FORMATS), st.data())
def test_any_damage_is_tolerated_or_refused_with_a_reason(format: str, data: st.DataObject) -> None:
    whole = strange.rotated(6, format)
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    try:
        info = inspect(bytes(broken))
    except PictureError as error:
        assert error.detail
        return
    with open_picture(bytes(broken)).image as image:
        assert {info.width, info.height} == set(image.size)


@settings(deadline=None)
@given(st.binary(max_size=4096))
def test_naming_a_file_never_fails(data: bytes) -> None:
    name = name_of(data)
    assert name is None or name.startswith(("a", "an"))
