"""TIFF files as uploads: what is taken, and what is refused with a reason and a remedy."""

import tracemalloc
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.media import PictureError, PictureInfo
from app.settings import Settings
from tests.support import strange_pictures as strange
from tests.support.inspecting import inspect, refused
from tests.support.tiffs import Value, file, tiff

GREY, RGB, RGBA = (np.zeros((3, 5, channels), np.uint8) for channels in (1, 3, 4))
DEEP = np.zeros((3, 5, 3), np.uint16)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_what_programs_write(mode: str, compression: str) -> None:
    data = strange.encode(Image.new(mode, (7, 4)), "TIFF", compression=compression)

    info = inspect(data)

    assert info == PictureInfo("TIFF", "image/tiff", 7, 4, mode in ("LA", "RGBA"), 1, len(data))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pixels", [GREY, RGB, RGBA, DEEP], ids=["grey", "rgb", "rgba", "rgb16"])
def test_both_byte_orders(order: str, pixels: Any) -> None:
    info = inspect(tiff(pixels, order, rows=2))

    assert (info.width, info.height, info.has_alpha) == (5, 3, pixels.shape[2] == 4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("pixels", [RGB, DEEP], ids=["8", "16"])
def test_sides_are_those_displayed(pixels: Any, orientation: int) -> None:
    info = inspect(tiff(pixels, tags={274: orientation}))

    assert (info.width, info.height) == ((5, 3) if orientation < 5 else (3, 5))
    assert info.orientation == orientation


def test_the_first_of_several_pages_counts() -> None:
    out = BytesIO()
    pages = [Image.new("RGB", (5, 3)), Image.new("RGB", (9, 9))]
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])

    info = inspect(out.getvalue())

    assert (info.width, info.height, info.frames) == (5, 3, 1)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (tiff(RGB, tags={50706: b"\1\4\0\0"}), "raw file"),
        (tiff(RGB, tags={262: 32803}), "raw file"),
        (tiff(RGB, tags={254: 1, 330: 8}), "raw file"),
        (b"II*\0\x10\0\0\0CR" + bytes(20), "raw file"),
        (b"II+\0\x08\0\0\0", "BigTIFF"),
        (tiff(RGB, tags={262: 8}), "colors of kind 8"),
        (tiff(RGB, tags={339: (3, 3, 3)}), "fractions"),
        (tiff(RGB, tags={258: (32, 32, 32)}), "32 bits"),
        (tiff(RGB, tags={258: (5, 6, 5)}), "5/6 bits"),
        (tiff(RGB, tags={259: 50000}), "compression 50000"),
        (tiff(DEEP, tags={259: 7}), "compression 7"),
        (tiff(DEEP, tags={284: 2}), "interleaved"),
        (tiff(DEEP, tags={324: (8,), 325: (90,)}), "tiles"),
        (tiff(DEEP, tags={317: 3}), "predictor"),
        (tiff(DEEP[..., :1], tags={262: 0}), "zero"),
        (tiff(DEEP[..., :2]), "grey with transparency"),
        (tiff(RGBA, tags={277: 6, 258: (8,) * 6}), "6 channels"),
    ],
)
def test_what_is_not_read_is_named_with_a_remedy(data: bytes, said: str) -> None:
    error = refused(data)

    assert error.reason == "unsupported_format"
    assert said in error.detail
    assert any(word in error.detail for word in ("save it", "convert it", "send"))


@pytest.mark.parametrize(
    "tags",
    [
        {256: None},
        {257: 0},
        {262: None},
        {273: None},
        {273: (8, 8)},
        {279: (0,)},
        {258: b"\x08" * 3},
        {258: (8,) * 9},
        {277: 2},
    ],
)
def test_a_damaged_directory(tags: dict[int, Value | None]) -> None:
    assert refused(tiff(RGB, tags=tags)).reason == "damaged"


@pytest.mark.parametrize("tags", [{273: (2**31,)}, {279: (10**9,)}])
def test_pixels_behind_the_end_of_the_file(tags: dict[int, Value | None]) -> None:
    assert refused(tiff(RGB, tags=tags)).reason == "truncated"


@pytest.mark.medium
def test_every_beginning_of_a_file_is_truncated() -> None:
    data = tiff(DEEP, deflate=True, rows=1)

    for end in range(8, len(data)):
        assert refused(data[:end]).reason == "truncated", end


def test_a_bomb_is_refused_without_the_memory() -> None:
    data = tiff(RGB, tags={256: 16_000, 257: 16_000})
    tracemalloc.start()
    error = refused(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert error.reason == "pixels"
    assert peak < 1_000_000


@pytest.mark.parametrize("count", [2**32 - 1, 300_000])
def test_a_tag_of_very_many_values(count: int) -> None:
    data = bytearray(file({256: 5, 257: 3, 262: 2, 273: 8, 277: 3, 258: 8, 279: 45}, bytes(45)))
    at = data.index(b"\x11\x01\x04\0") + 4
    data[at : at + 4] = count.to_bytes(4, "little")

    assert refused(bytes(data)).reason in ("damaged", "truncated")


@pytest.mark.medium
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_is_refused_or_taken_and_never_raises_otherwise(data: st.DataObject) -> None:
    pixels = data.draw(st.sampled_from([GREY, RGB, RGBA, DEEP]))
    whole = bytearray(tiff(pixels, data.draw(st.sampled_from("<>")), rows=1))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))

    try:
        info = inspect(bytes(whole))
    except PictureError:
        return
    assert info.width * info.height <= Settings().max_image_pixels
