"""Makers of ZIPs, ordinary ones and such as only an attacker makes."""

import io
import zipfile
from collections.abc import Mapping

from tests.support.strange_pictures import plain


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of files by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def picture(number: int) -> bytes:
    """A small picture that differs from those of other numbers."""
    return plain(size=(9, 8), color=(number % 256, number // 256 % 256, 7))


def class_folders(**counts: int) -> dict[str, bytes]:
    """Pictures by name, so many in the folder of each class."""
    names = [f"{label}/{place}.png" for label, count in counts.items() for place in range(count)]
    return {name: picture(number) for number, name in enumerate(names)}
