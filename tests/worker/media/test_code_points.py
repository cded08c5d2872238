"""Pictures whose colors are given by code points (ITU-T H.273), not by a profile. Values known by hand."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch

from app.images.shrinking import shrink
from app.media import PictureError
from app.media.headers import Cicp
from app.media.heif import _code_points
from app.media.stills import read_header
from tests.support import strange_pictures as strange
from tests.support.avifs import avif10
from tests.support.heics import heic
from tests.support.loading import levels, load

BT709, BT2020, P3 = 1, 9, 12
SRGB, LINEAR, PQ, HLG = 13, 8, 16, 18
Color = tuple[float, float, float]


def curved(light: float) -> float:
    """Light in [0, 1] as sRGB (IEC 61966-2-1), in units of 1/255."""
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


def png(color: Color, points: tuple[int, int], bits: int = 16, before: bytes = b"") -> bytes:
    top = 2**bits - 1
    pixel = struct.pack(">3H" if bits == 16 else "3B", *(round(each * top) for each in color))
    chunk = strange.chunk(b"cICP", bytes([*points, 0, 1]))
    return strange.raw_png(4, 2, [pixel * 4] * 2, bits=bits, before=chunk + before)


def avif(color: Color, points: tuple[int, int]) -> bytes:
    data = strange.plain(
        "AVIF", (48, 32), tuple(round(255 * each) for each in color), quality=100, subsampling="4:4:4"
    )
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", *points) + data[at + 4 :]


def heif(color: Color, points: tuple[int, int]) -> bytes:
    pixels = np.full((32, 48, 3), np.rint(255 * np.array(color)), np.uint8)
    return heic(pixels, code_points=points)


def deep_heif(color: Color, points: tuple[int, int]) -> bytes:
    pixels = np.full((32, 48, 3), np.rint(65535 * np.array(color)), np.uint16)
    return heic(pixels, bits=10, code_points=points)


def deep_avif(color: Color, points: tuple[int, int]) -> bytes:
    return avif10(np.full((64, 64, 3), np.rint(65535 * np.array(color)), np.uint16), points)


MAKERS: dict[str, Callable[[Color, tuple[int, int]], bytes]] = {
    "PNG": lambda color, points: png(color, points, 8),
    "PNG of 16 bits": png,
    "AVIF": avif,
    "AVIF of 10 bits": deep_avif,
    "HEIC": heif,
    "HEIC of 10 bits": deep_heif,
}

# Light of the peak where a diffuse white is 1; and what the shoulder makes of that white: 0.765.
PEAK = 1000 / 203
STEEP = (PEAK - 0.5) / 0.5
AT_WHITE = 0.5 + 0.5 * (0.5 / (PEAK - 0.5)) * STEEP / (1 + (STEEP - 1) * (0.5 / (PEAK - 0.5)))

KNOWN: dict[str, tuple[Color, tuple[int, int], Color]] = {
    # CSS Color 4, section 10.3: red, lime and grey of sRGB in Display P3.
    "red in P3": ((0.917488, 0.200287, 0.138561), (P3, SRGB), (255, 0, 0)),
    "lime in P3": ((0.458402, 0.985265, 0.298295), (P3, SRGB), (0, 255, 0)),
    "grey in P3": ((0.5, 0.5, 0.5), (P3, SRGB), (127.5, 127.5, 127.5)),
    # Outside sRGB: clipped.
    "red of P3": ((1, 0, 0), (P3, SRGB), (255, 0, 0)),
    # BT.2087: red of BT.709 in linear BT.2020.
    "red in BT.2020": ((0.6274, 0.0691, 0.0164), (BT2020, LINEAR), (255, 0, 0)),
    "linear": ((0.5, 0.2, 0.8), (BT709, LINEAR), (curved(0.5), curved(0.2), curved(0.8))),
    # 100, 203 and 1000 cd/m² are 50.8, 58.1 and 75.2 % of PQ: BT.2408, tables 1 and 2.
    "half of PQ": ((0.5081,) * 3, (BT2020, PQ), (curved(100 / 203),) * 3),
    "white of PQ": ((0.5807,) * 3, (BT2020, PQ), (curved(AT_WHITE),) * 3),
    "peak of PQ": ((0.7518,) * 3, (BT2020, PQ), (255,) * 3),
    "beyond the peak of PQ": ((1.0,) * 3, (BT2020, PQ), (255,) * 3),
    "black of PQ": ((0.0,) * 3, (BT2020, PQ), (0,) * 3),
    # Half is a twelfth of the light of the scene, and that to 1.2 of a display's.
    "half of HLG": ((0.5,) * 3, (BT2020, HLG), (curved(PEAK * (1 / 12) ** 1.2),) * 3),
    "white of HLG": ((0.75,) * 3, (BT2020, HLG), (curved(AT_WHITE),) * 3),
    "peak of HLG": ((1.0,) * 3, (BT2020, HLG), (255,) * 3),
    # As viewers have it: the curve of films is that of sRGB.
    "film": ((0.7, 0.4, 0.2), (BT709, 1), (178.5, 102, 51)),
    "unknown": ((0.7, 0.4, 0.2), (2, 2), (178.5, 102, 51)),
}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.medium
def test_colors_become_those_of_srgb(maker: str, name: str) -> None:
    color, points, expected = KNOWN[name]
    seen = levels(load(MAKERS[maker](color, points)))
    # A level of 8 bits is up to five where a curve is steep.
    tolerance = 0.8 if maker == "PNG of 16 bits" else 8 if "10" in maker else 5
    if LINEAR in points or name.startswith(("red", "lime")):
        # Of a color at the edge of sRGB the last level is a dark one.
        tolerance = 1.5 if maker == "PNG of 16 bits" else 12
    assert seen.mean((0, 1)).tolist() == pytest.approx(expected, abs=tolerance)
    assert float((seen - seen[0, 0]).abs().max()) <= 2


@pytest.mark.parametrize("name", ["red in P3", "half of PQ", "white of HLG", "film"])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_small_copy_has_the_same_colors(maker: str, name: str) -> None:
    color, points, _ = KNOWN[name]
    data = MAKERS[maker](color, points)
    small = np.asarray(shrink(data, read_header(data), 160).convert("RGB"), np.float32)
    torch.testing.assert_close(torch.tensor(small), levels(load(data)), rtol=0, atol=3)


def test_hue_is_kept_in_the_shoulder() -> None:
    """A bright orange of 600, 300 and 150 cd/m² (69.6, 62.2 and 54.9 % of PQ): 4 : 2 : 1 of light."""
    seen = levels(load(png((0.69646, 0.62229, 0.54933), (BT709, PQ))))[0, 0] / 255
    light = ((seen + 0.055) / 1.055) ** 2.4
    assert float(light[0]) < 1
    assert (light / light[2]).tolist() == pytest.approx([4, 2, 1], rel=0.01)


def test_a_grey_png_is_brightened_too() -> None:
    data = strange.grey16([[32768] * 4] * 2, before=strange.chunk(b"cICP", bytes([BT709, LINEAR, 0, 1])))
    assert levels(load(data))[0, 0].tolist() == pytest.approx([curved(0.5)] * 3, abs=0.1)


def test_transparency_stays() -> None:
    pixel = bytes([128, 128, 128, 51])
    chunk = strange.chunk(b"cICP", bytes([BT709, LINEAR, 0, 1]))
    picture = load(strange.raw_png(4, 2, [pixel * 4] * 2, color_type=6, before=chunk))
    assert picture.alpha is not None and float(picture.alpha.mean()) == pytest.approx(0.2)


LINEAR_PROFILE = strange.chunk(b"iCCP", b"a\0\0" + zlib.compress(strange.profile("RGB", gamma=1.0)))


def test_code_points_of_a_png_count_more_than_its_profile() -> None:
    assert levels(load(png((0.5,) * 3, (BT709, SRGB), before=LINEAR_PROFILE)))[0, 0, 0] == pytest.approx(
        127.5, abs=1
    )
    # Those that are not known count nothing.
    data = png((0.5,) * 3, (BT709, 9), before=LINEAR_PROFILE)
    assert levels(load(data))[0, 0, 0] == pytest.approx(curved(0.5), abs=1)


def test_a_profile_of_an_avif_counts_more_than_its_code_points() -> None:
    data = strange.plain("AVIF", (48, 32), (128,) * 3, quality=100, icc_profile=strange.profile("RGB"))
    at = data.index(b"nclx") + 4
    data = data[:at] + struct.pack(">HH", BT2020, PQ) + data[at + 4 :]
    assert read_header(data).cicp is None
    assert levels(load(data))[8, 8].tolist() == pytest.approx([188] * 3, abs=2)


def test_code_points_of_the_main_picture_count() -> None:
    """Not those of its transparency, which has a property of its own."""
    color = (200, 120, 40, 128)
    data = strange.plain("AVIF", (48, 32), color, mode="RGBA", quality=100)
    assert read_header(data).cicp == (BT709, SRGB)


def test_what_is_damaged_has_none() -> None:
    """Whatever a box says, nothing but the error of a picture comes of it, and soon."""
    data = bytearray(avif((0.5, 0.5, 0.5), (P3, SRGB)))
    assert _code_points(bytes(data)) == Cicp(P3, SRGB)
    start, stop = data.index(b"meta"), data.index(b"mdat")
    for at in range(start, stop):
        for value in (0, 1, 0x7F, 0xFF):
            spoilt = bytes(data[:at]) + bytes([value]) + bytes(data[at + 1 :])
            try:
                found = _code_points(spoilt)
            except PictureError:
                continue
            assert found is None or isinstance(found, Cicp)
    for length in range(start, stop, 3):
        try:
            _code_points(bytes(data[:length]))
        except PictureError as error:
            assert error.reason in ("truncated", "damaged")


def test_associations_without_end_are_refused() -> None:
    count = struct.pack(">I", 0xFFFFFFFF)
    data = avif((0.5, 0.5, 0.5), (P3, SRGB))
    at = data.index(b"ipma") + 8
    with pytest.raises(PictureError, match="pieces"):
        _code_points(data[:at] + count + data[at + 4 :])
