"""Pictures as telephones and programs keep them: HEIC, AVIF, BMP. Values are known by hand."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app.errors import InputError
from app.media import inspect_upload
from app.settings import Settings
from tests.support import strange_pictures as strange
from tests.support.avifs import avif10
from tests.support.heics import heic
from tests.support.loading import levels, load

ORANGE, RED = (200, 120, 40), (255, 0, 0)


def quarters() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """48×32, orange; the left upper quarter is red."""
    pixels = np.full((32, 48, 3), ORANGE, np.uint8)
    pixels[:16, :24] = RED
    return pixels


def avif(pixels: np.ndarray[Any, Any], **options: Any) -> bytes:
    return strange.encode(Image.fromarray(pixels), "AVIF", quality=100, subsampling="4:4:4", **options)


def bmp(pixels: np.ndarray[Any, Any]) -> bytes:
    return strange.encode(Image.fromarray(pixels), "BMP")


def corners(data: bytes) -> dict[str, list[float]]:
    seen = levels(load(data))
    return {
        "left upper": seen[3, 3].tolist(),
        "right upper": seen[3, -4].tolist(),
        "left lower": seen[-4, 3].tolist(),
        "right lower": seen[-4, -4].tolist(),
    }


MAKERS = {"HEIF": heic, "AVIF": avif, "BMP": bmp}
MEDIA_TYPES = {"HEIF": "image/heic", "AVIF": "image/avif", "BMP": "image/bmp"}


@pytest.mark.parametrize("format", MAKERS)
def test_colors_and_sides(format: str) -> None:
    data = MAKERS[format](quarters())
    info = inspect_upload(BytesIO(data), Settings())
    assert (info.format, info.media_type) == (format, MEDIA_TYPES[format])
    assert (info.width, info.height, info.frames, info.has_alpha) == (48, 32, 1, False)
    seen = corners(data)
    assert seen.pop("left upper") == pytest.approx(RED, abs=3)
    for color in seen.values():
        assert color == pytest.approx(ORANGE, abs=3)


# Quarters counter-clockwise, and where the red quarter is seen then.
@pytest.mark.parametrize(
    ("turns", "corner"), [(0, "left upper"), (1, "left lower"), (2, "right lower"), (3, "right upper")]
)
def test_a_heic_is_turned_by_its_own_property_and_by_no_exif_data(turns: int, corner: str) -> None:
    data = heic(quarters(), turns=turns, exif=strange.exif(6).removeprefix(b"Exif\0\0"))
    info = inspect_upload(BytesIO(data), Settings())
    assert (info.width, info.height) == ((32, 48) if turns % 2 else (48, 32))
    for place, color in corners(data).items():
        assert color == pytest.approx(RED if place == corner else ORANGE, abs=3)


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(2, "right upper"), (3, "right lower"), (4, "left lower"), (6, "right upper"), (8, "left lower")],
)
def test_an_avif_is_turned(orientation: int, corner: str) -> None:
    data = avif(quarters(), exif=strange.exif(orientation))
    info = inspect_upload(BytesIO(data), Settings())
    assert (info.width, info.height) == ((32, 48) if orientation > 4 else (48, 32))
    for place, color in corners(data).items():
        assert color == pytest.approx(RED if place == corner else ORANGE, abs=4)


def test_transparency_of_a_heic_is_kept() -> None:
    alpha = np.full((32, 48), 51, np.uint8)
    data = heic(quarters(), alpha=alpha)
    assert inspect_upload(BytesIO(data), Settings()).has_alpha
    picture = load(data)
    assert picture.alpha is not None
    assert float(picture.alpha.mean()) == pytest.approx(0.2, abs=0.01)
    # Over white.
    assert levels(picture)[-4, -4].tolist() == pytest.approx((244, 228, 212), abs=3)


def test_transparency_of_an_avif_is_kept() -> None:
    pixels = np.dstack([quarters(), np.full((32, 48), 51, np.uint8)])
    picture = load(avif(pixels))
    assert picture.alpha is not None
    assert float(picture.alpha.mean()) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("make", [heic, avif])
def test_colors_go_through_the_profile(make: Any) -> None:
    """Linear light: half of it is 188 of 255 in sRGB."""
    pixels = np.full((32, 48, 3), 128, np.uint8)
    options = {"profile": strange.profile("RGB")} if make is heic else {"icc_profile": strange.profile("RGB")}
    assert levels(load(make(pixels, **options)))[8, 8].tolist() == pytest.approx((188,) * 3, abs=2)


def test_ten_bits_of_a_heic_become_eight() -> None:
    pixels = quarters().astype(np.uint16) * 257
    seen = corners(heic(pixels, bits=10))
    assert seen["left upper"] == pytest.approx(RED, abs=3)
    assert seen["right lower"] == pytest.approx(ORANGE, abs=3)


def test_ten_bits_of_an_avif_become_eight() -> None:
    pixels = quarters().astype(np.uint16).repeat(2, 0).repeat(2, 1) * 257
    data = avif10(pixels)
    # The property that says how deep it is.
    assert data[data.index(b"pixi") + 8 :][:4] == bytes([3, 10, 10, 10])
    info = inspect_upload(BytesIO(data), Settings())
    assert (info.format, info.width, info.height) == ("AVIF", 96, 64)
    seen = corners(data)
    assert seen.pop("left upper") == pytest.approx(RED, abs=3)
    for color in seen.values():
        assert color == pytest.approx(ORANGE, abs=3)


def test_ten_bits_of_an_avif_keep_their_tones() -> None:
    """A ramp from black to white, with no tone lost, dark or twice as bright."""
    ramp = np.linspace(0, 65535, 128).astype(np.uint16)
    seen = levels(load(avif10(np.broadcast_to(ramp[None, :, None], (64, 128, 3)))))
    expected = torch.linspace(0, 255, 128)[None, :, None].expand(64, 128, 3)
    torch.testing.assert_close(seen, expected, rtol=0, atol=3)


def test_a_heic_of_the_general_brand_is_taken() -> None:
    assert inspect_upload(BytesIO(heic(quarters(), brand=b"mif1")), Settings()).format == "HEIF"


def test_an_avif_that_moves_is_refused() -> None:
    frames = [Image.new("RGB", (24, 16), (80 * each, 0, 0)) for each in range(3)]
    data = strange.encode(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="animated"):
        load(data)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_every_sort_of_bmp(mode: str) -> None:
    image = Image.fromarray(quarters()).convert(mode)
    seen = levels(load(strange.encode(image, "BMP")))
    expected = np.asarray(image.convert("RGB"), np.float32)
    # Pillow writes alpha, but nothing says that it is.
    torch.testing.assert_close(seen, torch.from_numpy(expected), rtol=0, atol=1)


def test_a_bmp_from_top_to_bottom() -> None:
    data = bytearray(bmp(quarters()[::-1]))
    data[22:26] = (-32).to_bytes(4, "little", signed=True)
    assert corners(bytes(data))["left upper"] == pytest.approx(RED)


def test_a_gif_of_one_frame_is_a_picture() -> None:
    data = strange.encode(Image.fromarray(quarters()), "GIF")
    info = inspect_upload(BytesIO(data), Settings())
    assert (info.media_type, info.frames) == ("image/gif", 1)
    assert corners(data)["left upper"] == pytest.approx(RED)


@pytest.mark.parametrize("format", MAKERS)
def test_what_is_cut_off_is_told(format: str) -> None:
    data = MAKERS[format](quarters())
    for share in (0.2, 0.5, 0.98):
        with pytest.raises(InputError) as caught:
            load(data[: int(share * len(data))])
        assert caught.value.field == "content"
        assert "cut off" in caught.value.detail or "damaged" in caught.value.detail
