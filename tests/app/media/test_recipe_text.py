"""Recipes are looked for in files that anybody sent."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.heics import heic
from tests.support.strange_pictures import plain

# In a process of its own, for this one has decoded clips.
PROGRAM = """
import sys
import app.main
from app.media import read_recipe

for path in sys.argv[1:]:
    with open(path, "rb") as file:
        assert read_recipe(file) is None
assert "av" not in sys.modules
"""


@pytest.mark.medium
def test_no_still_picture_is_given_to_ffmpeg(tmp_path: Path) -> None:
    pixels = np.zeros((16, 24, 3), np.uint8)
    for name, data in (("a.avif", plain("AVIF")), ("b.heic", heic(pixels))):
        (tmp_path / name).write_bytes(data)
        assert data[4:8] == b"ftyp"
    subprocess.run([sys.executable, "-c", PROGRAM, *tmp_path.iterdir()], check=True)
