"""``impasto demo``: what a new user tries first."""

import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from app.media.recipe_text import read_recipe
from tests.support.service import IMPASTO

pytestmark = [pytest.mark.server, pytest.mark.slow]


def test_it_paints_through_rest_and_leaves_only_the_picture(tmp_path: Path) -> None:
    # Somebody else's settings must not lead the demonstration astray.
    environment = {
        **os.environ,
        "TMPDIR": str(tmp_path),
        "IMPASTO_DATABASE_URL": "postgresql://nobody@nowhere/",
    }
    result = subprocess.run(
        [IMPASTO, "demo", "-o", "demo.png", "--size", "48"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr
    assert str(tmp_path / "demo.png") in result.stdout.replace("\n", "")
    with Image.open(tmp_path / "demo.png") as picture:
        assert picture.size == (48, 36)
    with (tmp_path / "demo.png").open("rb") as file:
        recipe = read_recipe(file)
    assert recipe is not None and recipe["params"]["size"] == 48
    assert [path.name for path in tmp_path.iterdir()] == ["demo.png"]
