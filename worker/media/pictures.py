"""Reads pictures from files, and writes them to files.

A picture is float32 RGB ``(1, 3, H, W)`` with sRGB values in [0, 1]; alpha, if any, is a tensor
of its own, ``(1, 1, H, W)``, 0 transparent to 1 opaque.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin
from torch import Tensor
from torch.nn import functional

from app.errors import ComputationError, InputError
from app.kinds.fields import BitDepth
from app.media.cicp import to_srgb
from app.media.errors import PictureError, damaged, truncated
from app.media.headers import Cicp
from app.media.inspect import OpenedPicture, displayed, open_picture
from app.media.orientation import turned
from app.media.recipe_text import RECIPE_KEY, dump_recipe
from worker.media.deep_pictures import is_deep, read_deep
from worker.media.profiles import read_matrix_profile, srgb_profile

logger = logging.getLogger(__name__)

PREVIEW_MEDIA_TYPE = "image/jpeg"

_LANCZOS = Image.Resampling.LANCZOS
# How far JPEG's own reduction and the box filter may go before Lanczos does the rest: Pillow's
# documentation calls results from 2 (JPEG) and 3 (box) on indistinguishable from Lanczos alone.
_JPEG_MARGIN = 2
_BOX_MARGIN = 3.0
# Less than half a level of 16 bits.
_INVISIBLE = 1e-6
# Numbers of a picture that are encoded at a time.
_BAND = 1 << 22


@dataclass(frozen=True)
class Picture:
    """A picture ready for a network.

    ``rgb`` is float32 ``(1, 3, H, W)``, sRGB in [0, 1], over white where the file is transparent.
    ``alpha`` is float32 ``(1, 1, H, W)`` in [0, 1], or None for an opaque picture.
    ``file_sides`` are height and width of the file, as displayed, before it was reduced; None: it was not.
    """

    rgb: Tensor
    alpha: Tensor | None = None
    file_sides: tuple[int, int] | None = None

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width in pixels of the file, as displayed."""
        return self.file_sides or (self.rgb.shape[-2], self.rgb.shape[-1])


def load_picture(
    file: BinaryIO | Path, field: str, side: int | None = None, short: int | None = None
) -> Picture:
    """Decode a still picture file to sRGB, as it is meant to be displayed.

    Honors EXIF orientation, ICC profiles, transparency and 16 bits a channel. Reduced so that the longer
    side has at most ``side`` pixels; never enlarged. A JPEG is decoded at a fraction of its size where that
    leaves its shorter side twice ``short`` pixels: what is made of it at ``short`` is the same to a few
    levels, and it takes a third of the time. Raises InputError naming ``field`` for a file that cannot be
    decoded; errors of the file system are not caught.
    """
    data = file.read_bytes() if isinstance(file, Path) else file.read()
    try:
        opened = open_picture(data)
        try:
            rgb, alpha = _decode(opened, side, short)
        except MemoryError as error:
            size = f"{opened.header.width}×{opened.header.height}"
            raise InputError(
                field, f"There is not enough memory for {size} pixels. Send a smaller copy."
            ) from error
        except Exception as error:  # Pillow's and FFmpeg's decoders raise a dozen types for damaged data
            logger.info("cannot decode the picture of %s", field, exc_info=True)
            whole = opened.header.ends
            raise (damaged("its pixels cannot be decoded") if whole else truncated()) from error
        finally:
            opened.image.close()
    except PictureError as error:
        raise InputError(field, error.detail) from error
    width, height = displayed(opened.header, opened.orientation)
    return Picture(rgb, alpha, (height, width))


def reduced_sides(first: int, second: int, side: int | None) -> tuple[int, int]:
    """The two sides of a picture that is loaded at most ``side`` pixels long (None: in full)."""
    scale = min(1.0, side / max(first, second)) if side is not None else 1.0
    return max(1, round(first * scale)), max(1, round(second * scale))


def encode_png(rgb: Tensor, alpha: Tensor | None = None, recipe: dict[str, Any] | None = None) -> bytes:
    """An 8-bit sRGB PNG with its recipe as text; the same bytes for the same picture and recipe.

    ``rgb`` is ``(1, 3, H, W)`` in [0, 1], or ``(1, 4, H, W)`` with alpha last; ``alpha`` is ``(1, 1,
    h, w)`` and is resized to fit. Values outside [0, 1] are clipped; ComputationError if any is not
    finite.
    """
    if alpha is not None:
        alpha = resize(alpha.to(rgb), (rgb.shape[-2], rgb.shape[-1]))
        rgb = torch.cat([rgb[:, :3], alpha], dim=1)
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", b"\0")  # intent: perceptual
    if recipe is not None:
        info.add_itxt(RECIPE_KEY, dump_recipe(recipe))
    out = BytesIO()
    to_image(rgb).save(out, "PNG", pnginfo=info)
    return out.getvalue()


@torch.no_grad()
def encode_preview(rgb: Tensor, max_side: int = 512) -> bytes:
    """A small JPEG of ``rgb``, ``(1, 3, H, W)`` in [0, 1], with at most ``max_side`` pixels a side.

    It is made small on its device, so that little is copied from there. ComputationError if a value is not
    finite.
    """
    height, width = rgb.shape[-2:]
    scale = min(1, max_side / max(height, width))
    small = resize(rgb[:, :3], (max(1, round(height * scale)), max(1, round(width * scale))))
    out = BytesIO()
    to_image(small).save(out, "JPEG", quality=85)
    return out.getvalue()


def resize(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize ``(N, C, H, W)`` to ``size`` (height, width), antialiased, without leaving the value range."""
    if tuple(picture.shape[-2:]) == size:
        return picture
    return functional.interpolate(picture, size, mode="bilinear", align_corners=False, antialias=True)


def straight(picture: Tensor, alpha: Tensor) -> Tensor:
    """A picture (1, 3, H, W) that was made on white, as the colors under ``alpha`` (1, 1, h, w).

    Laid on white they are that picture again; on anything else no white shows at soft edges. Where it is
    darker than anything under ``alpha`` can be, they go as far there as all three stay at 0 or more: clipped
    one by one they would be black. Where nothing is seen of them they are as they were.
    """
    picture = picture.clamp(0, 1)
    alpha = resize(alpha.to(picture), (picture.shape[-2], picture.shape[-1]))
    # Below all levels of 16 bits nothing is seen.
    seen = alpha > _INVISIBLE
    less = (1 - alpha) * (1 - picture) / alpha.clamp_min(_INVISIBLE)
    share = (picture / less.clamp_min(_INVISIBLE)).amin(dim=1, keepdim=True).clamp(0, 1)
    return torch.where(seen, picture - share * less, picture)


def to_image(picture: Tensor) -> Image.Image:
    """A picture ``(1, C, H, W)`` in [0, 1] in 8 bits; ComputationError if a value is not finite."""
    return Image.fromarray(levels_of(picture, 8))


def levels_of(picture: Tensor, bits: BitDepth) -> NDArray[Any]:
    """A picture (1, C, H, W) in [0, 1] in whole levels of so many bits, (H, W, C).

    To the nearest, half to even: truncation would darken by half a level. Raises ComputationError if a value
    is not finite.
    """
    require_finite(picture)
    _, channels, height, width = picture.shape
    levels = np.empty((height, width, channels), np.uint8 if bits == 8 else np.uint16)
    top = 0
    for band in _bands(picture):
        rounded = band[0].detach().float().clamp(0, 1).mul(2**bits - 1).round()
        # Of 8 bits, so that a device sends as few bytes as there are.
        rows = rounded.to(torch.uint8 if bits == 8 else torch.int32).permute(1, 2, 0).contiguous().cpu()
        levels[top : top + len(rows)] = rows.numpy()
        top += len(rows)
    return levels


def require_finite(picture: Tensor) -> None:
    """Raises ComputationError if a value is not finite."""
    if not all(bool(torch.isfinite(band).all()) for band in _bands(picture)):
        raise ComputationError("The picture has values that are not finite numbers. Try other weights.")


def _bands(picture: Tensor) -> Sequence[Tensor]:
    """A picture (1, C, H, W), some rows at a time: what is made of one whole would take copies of it."""
    rows = max(1, _BAND * picture.shape[-2] // max(1, picture.numel()))
    return torch.split(picture, rows, -2)


def _decode(picture: OpenedPicture, side: int | None, short: int | None) -> tuple[Tensor, Tensor | None]:
    image = picture.image
    if side is None and short is not None:
        # Pillow leaves no side shorter than asked for.
        image.draft(None, (short * _JPEG_MARGIN, short * _JPEG_MARGIN))
    deep = is_deep(picture)
    # Pillow turns a TIFF by itself, and no other format.
    is_turned = picture.header.format == "TIFF" and not deep
    width, height = (picture.header.width, picture.header.height) if deep else image.size
    size = reduced_sides(width, height, side)
    if side is not None and side < max(width, height):
        image.draft(None, (size[0] * _JPEG_MARGIN, size[1] * _JPEG_MARGIN))  # reduces only JPEGs
    fit = partial(_fit, size=size, orientation=1 if is_turned else picture.orientation)
    icc: bytes | None = image.info.get("icc_profile")
    cicp = picture.header.cicp
    if icc == srgb_profile() or cicp is not None:
        icc = None
    if deep:
        colors, opacity = read_deep(picture, fit)
        rgb = _shown(_deep_to_srgb(colors, icc), cicp)
        return rgb, None if opacity is None else _plane(opacity)
    base, alpha = _separate(image, picture.header.bits)
    rgb = _shown(_to_srgb(fit(base), icc), cicp)
    return rgb, None if alpha is None else _plane(_in_unit(fit(alpha)))


def _shown(colors: NDArray[np.float32], cicp: Cicp | None) -> Tensor:
    """Colors (H, W, 3), sRGB or those of code points, as sRGB (1, 3, H, W)."""
    if cicp is not None and not cicp.is_srgb:
        colors = to_srgb(colors, cicp)
    return torch.from_numpy(colors).permute(2, 0, 1)[None].contiguous()


def _plane(values: NDArray[np.float32]) -> Tensor:
    """A channel (H, W) as (1, 1, H, W)."""
    return torch.from_numpy(values)[None, None]


def _fit(image: Image.Image, size: tuple[int, int], orientation: int) -> Image.Image:
    if image.size != size:
        image = image.resize(size, _LANCZOS, reducing_gap=_BOX_MARGIN)
    return turned(image, orientation)


def _separate(image: Image.Image, bits: int) -> tuple[Image.Image, Image.Image | None]:
    """Decode into colour over white (modes L, RGB, CMYK, or F in [0, 1]) and alpha (L, None if opaque).

    Colour goes over white before anything is resized. That is the same as resizing premultiplied
    colour, since resizing is linear: what lies under transparent pixels does not bleed.
    """
    image.load()
    key = image.info.get("transparency")
    if image.mode in ("I;16", "I;16B"):
        # Pillow would clip to 8 bits when it converts.
        levels = np.asarray(image)
        grey = levels.astype(np.float32) / np.float32(65535)
        if key is None:
            return Image.fromarray(grey), None
        opaque = levels != key
        grey[~opaque] = 1
        return Image.fromarray(grey), Image.fromarray(opaque.astype(np.uint8) * np.uint8(255))
    if image.mode == "CMYK":
        return image, None
    if image.mode == "RGBa":
        image = image.convert("RGBA")
    if key is not None:
        image.info["transparency"] = _to_eight_bits(key, image.mode, bits)
        image = image.convert("RGBA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if image.mode not in ("LA", "RGBA"):
        return image, None
    base, alpha = image.convert(image.mode[:-1]), image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return base, None
    white = Image.new(base.mode, base.size, "white")
    return Image.composite(base, white, alpha), alpha


def _to_eight_bits(key: Any, mode: str, bits: int) -> Any:
    """The transparent colour of a PNG in the scale of its decoded pixels.

    The file gives it in its own bit depth; Pillow widens grey of 2 and 4 bits, but leaves the transparent
    colour as it was.
    """
    if mode == "L" and bits < 8:
        return key * 255 // (2**bits - 1)
    return key


def _to_srgb(image: Image.Image, icc: bytes | None) -> NDArray[np.float32]:
    """Colours as ``(H, W, 3)`` sRGB in [0, 1], through the picture's own profile if it has a usable one."""
    grey = image.mode in ("L", "F")
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    converted = _through_profile(ramp if grey else image, icc) if icc else None
    if not grey:
        return _in_unit(converted or image.convert("RGB"))
    levels = np.clip(np.asarray(image) if image.mode == "F" else _in_unit(image), 0, 1)
    if converted is None:
        return np.repeat(levels[..., None], 3, axis=-1)
    # 8 bits in, 8 bits out at 256 knots; between them the 16 bits of the picture survive.
    curve, knots = _in_unit(converted)[0], np.linspace(0, 1, 256)
    channels = [np.interp(levels, knots, curve[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _deep_to_srgb(colors: NDArray[np.float32], icc: bytes | None) -> NDArray[np.float32]:
    """Colors with 16 bits, (H, W, 3) or grey (H, W, 1), as (H, W, 3) sRGB in [0, 1], through their profile.

    A profile that is more than curves and a matrix is applied to 8 bits.
    """
    if colors.shape[2] == 1:
        return _to_srgb(Image.fromarray(colors[..., 0]), icc)
    if icc is None:
        return colors
    if (profile := read_matrix_profile(icc)) is not None:
        return profile.to_srgb(colors)
    levels = np.rint(colors * 255).astype(np.uint8)
    converted = _through_profile(Image.fromarray(levels), icc)
    return colors if converted is None else _in_unit(converted)


def _in_unit(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _through_profile(image: Image.Image, icc: bytes) -> Image.Image | None:
    """Colours of ``image`` (L, RGB or CMYK) as sRGB by its profile; None if the profile cannot be used.

    Relative colorimetric with black point compensation, which is what picture editors convert with.
    """
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
        if image.mode == "L":
            # Little CMS optimizes a grey curve into a table too coarse for dark tones: 10 levels off.
            flags |= ImageCms.Flags.NOOPTIMIZE
            if profile.profile.xcolor_space.strip() == "RGB":
                image = image.convert("RGB")  # a grey file whose writer left the RGB profile in
        return ImageCms.profileToProfile(
            image,
            profile,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=flags,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        logger.warning("ignored a colour profile that cannot be used: %s", error)
        return None
