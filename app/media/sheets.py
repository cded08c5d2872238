"""What sheets of pictures have in common: their paper, and how a picture is placed and a sheet is stored."""

from io import BytesIO

from PIL import Image, ImageCms

MEDIA_TYPE = "image/jpeg"
JPEG_QUALITY = 88
# Pixels of the files that one sheet decodes: a few seconds' worth.
MAX_PIXELS = 500_000_000
PAPER, INK, FAINT = "white", "#202020", "#707070"


def fit(picture: Image.Image, side: int) -> Image.Image:
    """A picture that is at most ``side`` pixels long; a small one as many times as large as fits."""
    times = side // max(picture.size)
    if times < 2:
        return picture
    size = (picture.width * times, picture.height * times)
    return picture.resize(size, Image.Resampling.NEAREST)


def to_srgb(picture: Image.Image) -> Image.Image:
    """A picture in the colors of sheets, if its profile, as it is in its ``info``, is another and of use."""
    profile = picture.info.get("icc_profile")
    if not profile:
        return picture
    try:
        changed = ImageCms.profileToProfile(
            picture, BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode=picture.mode
        )
    except (OSError, ImageCms.PyCMSError):
        return picture
    return picture if changed is None else changed


def paste(sheet: Image.Image, picture: Image.Image, left: int, top: int, width: int, height: int) -> None:
    """Put a picture into the middle of a box of a sheet."""
    place = (left + (width - picture.width) // 2, top + (height - picture.height) // 2)
    sheet.paste(picture, place, picture if picture.mode == "RGBA" else None)


def to_jpeg(sheet: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """A sheet as the bytes of a JPEG."""
    out = BytesIO()
    sheet.save(out, "JPEG", quality=quality)
    return out.getvalue()
