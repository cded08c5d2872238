"""The command as a whole."""

from importlib.metadata import version

import pytest
from PIL import ImageStat
from typer.testing import CliRunner

from app.cli import program
from app.cli.demo_pictures import brushwork, landscape
from app.cli.options import option_name
from app.kinds.style_transfer import StyleTransferParams


def test_it_tells_its_version() -> None:
    result = CliRunner().invoke(program, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"impasto {version('impasto')}\n")


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(program, ["--help"])
    assert result.exit_code == 0
    assert all(command in result.stdout for command in ("serve", "style", "demo"))


def test_help_of_style_names_every_param() -> None:
    result = CliRunner().invoke(program, ["style", "--help"], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    assert "CONTENT" in result.stdout and "STYLE" in result.stdout
    options = [
        option_name(name) for name in StyleTransferParams.model_fields if name not in ("content", "style")
    ]
    assert [option for option in options if option not in result.stdout] == []


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(program, ["paint"])
    assert result.exit_code == 2 and "paint" in result.stderr


@pytest.mark.medium
def test_the_pictures_of_the_demonstration_are_the_same_every_time() -> None:
    for draw in (landscape, brushwork):
        picture = draw(120, 90)
        assert (picture.size, picture.mode) == ((120, 90), "RGB")
        assert picture.tobytes() == draw(120, 90).tobytes()
        # Neither empty nor a single tone.
        assert min(ImageStat.Stat(picture).stddev) > 10
