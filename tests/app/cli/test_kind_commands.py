"""Commands made from params classes, run for real on small pictures."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.cli import program
from app.cli.options import option_name
from app.kinds import KINDS, KindSpec, Params
from app.media.recipe_text import read_recipe
from tests.support import clips
from tests.support.strange_pictures import noise
from worker.media.clips import open_clip

QUICK = ("--network", "vgg19-random", "--size", "32", "--steps", "1", "--octaves", "2", "--layers", "relu2_1")
WITH_COMMAND = [spec for spec in KINDS.values() if spec.command is not None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a picture, another one and a clip in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    for number, name in enumerate(("photo.png", "guide.png")):
        (tmp_path / name).write_bytes(noise(size=(48, 36), seed=number))
    (tmp_path / "waves.gif").write_bytes(clips.gif(3))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, list(arguments))


def recipe_of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        recipe = read_recipe(file)
    assert recipe is not None
    return recipe


@pytest.mark.parametrize("spec", WITH_COMMAND, ids=lambda spec: spec.name)
def test_every_kind_has_a_command_with_an_option_for_each_param(spec: KindSpec[Params]) -> None:
    result = CliRunner().invoke(program, [str(spec.command), "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for name, info in spec.params.model_fields.items():
        inputs = {**spec.params.picture_fields(), **spec.params.dataset_fields()}
        is_argument = name in inputs and info.is_required()
        shown = name.upper() if is_argument else option_name(name)
        assert ("PICTURES" if name in (spec.arguments or ()) else shown) in result.stdout


@pytest.mark.medium
def test_a_dream_and_its_numbers(folder: Path) -> None:
    result = run("deep-dream", "photo.png", "-o", "out.png", *QUICK, "--json")
    assert result.exit_code == 0, result.output
    with Image.open(folder / "out.png") as picture:
        assert picture.size == (32, 24)
    numbers = json.loads(result.stdout)
    assert numbers["objective"][0]["term"] == "relu2_1"
    assert "out.png" in result.stderr
    assert recipe_of(folder / "out.png")["params"]["octaves"] == 2


@pytest.mark.medium
def test_lists_and_pictures_reach_the_engine(folder: Path) -> None:
    result = run("deep-dream", "photo.png", "-o", "out.png", *QUICK, "--channels", "3,7")
    assert result.exit_code == 0, result.output
    assert recipe_of(folder / "out.png")["params"]["channels"] == [3, 7]
    result = run("deep-dream", "photo.png", "-o", "out.png", *QUICK, "--guide", "guide.png")
    assert result.exit_code == 0, result.output
    assert len(recipe_of(folder / "out.png")["inputs"]["guide"]) == 1


@pytest.mark.medium
@pytest.mark.parametrize("ending", ["mp4", "webp"])
def test_a_video_is_written_in_the_format_of_its_name(folder: Path, ending: str) -> None:
    result = run("deep-dream", "photo.png", "-o", f"out.{ending}", *QUICK, "--frames", "3")
    assert result.exit_code == 0, result.output
    assert open_clip((folder / f"out.{ending}").read_bytes(), "out").count == 3
    with Image.open(folder / "out-image.png") as picture:
        assert picture.size == (32, 24)
    assert recipe_of(folder / f"out.{ending}") == recipe_of(folder / "out-image.png")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("deep-dream", "photo.png", "-o", "out.mp4", *QUICK), "with --frames alone"),
        (
            ("deep-dream", "photo.png", "-o", "out.mp4", *QUICK, "--frames", "2", "--format", "webp"),
            "--format",
        ),
        (("texture-synthesis", "photo.png", "-o", "out.png", "--format", "jpeg"), "JPEG"),
    ],
)
def test_a_file_that_the_job_does_not_make_is_refused_before_it(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = sorted(folder.iterdir())
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("impasto: --output: out.") and said in result.stderr
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("file", "option", "said"),
    [("photo.png", ("--zoom", "1.2"), "with frames alone"), ("waves.gif", ("--rotation", "5"), "of a zoom")],
)
def test_what_does_nothing_for_a_picture_or_a_clip_is_refused(
    folder: Path, file: str, option: tuple[str, str], said: str
) -> None:
    result = run("deep-dream", file, "-o", "out.png", *QUICK, *option)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"impasto: {option[0]}: ") and said in result.stderr


@pytest.mark.medium
def test_a_clip_goes_in_and_a_clip_comes_out(folder: Path) -> None:
    result = run("deep-dream", "waves.gif", "-o", "out.png", *QUICK)
    assert result.exit_code == 0, result.output
    assert open_clip((folder / "out-video.mp4").read_bytes(), "out").count == 3


@pytest.mark.medium
@pytest.mark.parametrize("ending", ["png", "mp4", "webp"])
def test_a_recipe_makes_the_same_again(folder: Path, ending: str) -> None:
    options = (*QUICK, "--seed", "3", *(() if ending == "png" else ("--frames", "2")))
    assert run("deep-dream", "photo.png", "-o", f"one.{ending}", *options).exit_code == 0
    result = run("deep-dream", "photo.png", "-o", f"two.{ending}", "--recipe", f"one.{ending}")
    assert result.exit_code == 0, result.output
    assert "note" not in result.stderr
    assert (folder / f"one.{ending}").read_bytes() == (folder / f"two.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("missing.png", *QUICK), "IMAGE"),
        (("photo.png", *QUICK, "--guide", "missing.png"), "--guide"),
        (("photo.png", *QUICK, "--guide", "waves.gif"), "--guide"),
        (("photo.png", *QUICK, "--layers", "relu9_9"), "--layers"),
        (("photo.png", *QUICK, "--channels", "64"), "--channels"),
        (("photo.png", *QUICK, "--channels", "one"), "--channels (0)"),
        (("photo.png", *QUICK, "--channels", "1", "--strongest", "2"), "--strongest"),
        (("photo.png", *QUICK, "--layers", "relu2_1,relu3_1", "--channels", "1"), "--channels"),
        (("photo.png", *QUICK, "--format", "avi"), "--format"),
        (("photo.png", *QUICK, "--frames", "1"), "--frames"),
        (("photo.png", *QUICK, "--recipe", "guide.png"), "--recipe"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_the_option(
    folder: Path, arguments: tuple[str, ...], named: str
) -> None:
    result = run("deep-dream", *arguments, "-o", "out.png")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"impasto: {named}: ")
    assert result.stderr.count("\n") == 1
    assert not (folder / "out.png").exists()


def test_a_format_that_the_kind_does_not_have_is_told_before_any_work(folder: Path) -> None:
    result = run("deep-dream", "photo.png", "-o", "out.avi", *QUICK)
    assert result.exit_code == 2 and ".png or .mp4 or .webp" in result.stderr


@pytest.mark.medium
def test_a_recipe_of_another_kind_is_refused(folder: Path) -> None:
    assert run("deep-dream", "photo.png", "-o", "out.png", *QUICK).exit_code == 0
    result = run("style", "photo.png", "guide.png", "-o", "two.png", "--recipe", "out.png")
    assert result.exit_code == 2 and "(deep_dream)" in result.stderr
    assert "take `impasto deep-dream --recipe out.png`" in result.stderr
