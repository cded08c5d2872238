"""``impasto style``, run for real on small pictures."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.cli import program
from app.media.recipe_text import read_recipe
from tests.support.service import IMPASTO, wait_for
from tests.support.strange_pictures import noise, plain

QUICK = ("--size", "32", "--steps", "2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a content and two styles in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    for number, name in enumerate(("content.png", "style.png", "other.png")):
        (tmp_path / name).write_bytes(noise(size=(48, 36), seed=number))
    return tmp_path


def style(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["style", *arguments])


def recipe_of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        recipe = read_recipe(file)
    assert recipe is not None
    return recipe


def test_it_paints_and_says_where(folder: Path) -> None:
    result = style("content.png", "style.png", "-o", "out.png", *QUICK)
    assert result.exit_code == 0, result.output
    assert "out.png" in result.stdout
    with Image.open(folder / "out.png") as picture:
        assert (picture.size, picture.mode) == ((32, 24), "RGB")


def test_options_reach_the_engine(folder: Path) -> None:
    result = style(
        *("content.png", "style.png", "other.png", "-o", "out.png", *QUICK),
        *("--style-weights", "1,3", "--style-layers", "relu1_1=2", "--seed", "5"),
        *("--init-image", "other.png", "--color", "content", "--style-weight", "7"),
    )
    assert result.exit_code == 0, result.output
    params = recipe_of(folder / "out.png")["params"]
    assert params["style_weights"] == [1, 3]
    assert params["style_layers"] == {"relu1_1": 2}
    assert (params["seed"], params["init"], params["color"], params["style_weight"]) == (
        5,
        "image",
        "content",
        7,
    )
    assert params["style"] == ["style.png", "other.png"]


@pytest.mark.medium
@pytest.mark.parametrize(("name", "format"), [("a.jpg", "JPEG"), ("a.webp", "WEBP"), ("a.tif", "TIFF")])
def test_the_extension_says_the_format(folder: Path, name: str, format: str) -> None:
    result = style("content.png", "style.png", "-o", name, *QUICK)
    assert result.exit_code == 0, result.output
    with Image.open(folder / name) as picture:
        assert (picture.size, picture.format) == ((32, 24), format)
    assert recipe_of(folder / name)["params"]["format"] == format.lower()


@pytest.mark.medium
def test_a_recipe_of_16_bits_into_files_of_other_formats(folder: Path) -> None:
    first = style("content.png", "style.png", "-o", "deep.tiff", "--bit-depth", "16", *QUICK)
    assert first.exit_code == 0, first.output
    again = style("content.png", "style.png", "-o", "deep.png", "--recipe", "deep.tiff")
    assert again.exit_code == 0, again.output
    with (folder / "deep.png").open("rb") as file:
        assert file.read(25)[24] == 16
    shallow = style("content.png", "style.png", "-o", "deep.jpg", "--recipe", "deep.tiff")
    assert shallow.exit_code == 2
    assert "--bit-depth" in shallow.output


@pytest.mark.medium
def test_a_recipe_makes_the_same_picture_again(folder: Path) -> None:
    assert style("content.png", "style.png", "-o", "one.png", *QUICK, "--seed", "3").exit_code == 0
    result = style("content.png", "style.png", "-o", "two.png", "--recipe", "one.png")
    assert result.exit_code == 0, result.output
    assert "note" not in result.stderr
    assert (folder / "one.png").read_bytes() == (folder / "two.png").read_bytes()


def test_a_recipe_notes_other_pictures_and_yields_to_options(folder: Path) -> None:
    assert style("content.png", "style.png", "-o", "one.png", *QUICK).exit_code == 0
    result = style("content.png", "other.png", "-o", "two.png", "--recipe", "one.png", "--seed", "9")
    assert result.exit_code == 0, result.output
    assert "style is not the picture" in result.stderr and "content is not" not in result.stderr
    params = recipe_of(folder / "two.png")["params"]
    assert (params["size"], params["steps"], params["seed"]) == (32, 2, 9)


def test_the_contents_transparency_is_kept(folder: Path) -> None:
    (folder / "content.png").write_bytes(plain(size=(48, 36), mode="RGBA", color=(200, 120, 40, 128)))
    assert style("content.png", "style.png", "-o", "out.png", *QUICK).exit_code == 0
    with Image.open(folder / "out.png") as picture:
        assert picture.mode == "RGBA"
        assert picture.getchannel("A").getextrema() == (128, 128)


@pytest.mark.medium
def test_masks_say_where(folder: Path) -> None:
    for name, levels in (("left.png", (255, 0)), ("right.png", (0, 255))):
        mask = Image.new("L", (48, 36), levels[0])
        mask.paste(levels[1], (24, 0, 48, 36))
        mask.save(folder / name)
    masks = ("--style-masks", "left.png", "--style-masks", "right.png", "--content-mask", "content.png")
    pictures = ("content.png", "style.png", "other.png")
    assert style(*pictures, *masks, "-o", "out.png", *QUICK).exit_code == 0

    recipe = recipe_of(folder / "out.png")
    assert recipe["params"]["style_masks"] == ["left.png", "right.png"]
    assert len(recipe["inputs"]["style_masks"]) == 2 and len(recipe["inputs"]["content_mask"]) == 1
    again = style(*pictures, *masks[:4], "-o", "again.png", "--recipe", "out.png")
    assert again.exit_code == 0
    assert "out.png was made with --content-mask, which is left out" in again.stderr


def test_a_mask_of_another_shape_is_refused_before_torch_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "app.cli.local_run", None)
    Image.new("L", (36, 48), 255).save(folder / "tall.png")
    result = style("content.png", "style.png", "--content-mask", "tall.png", "-o", "out.png", *QUICK)
    assert (result.exit_code, result.stderr) == (
        2,
        "impasto: --content-mask: The mask has 36×48 pixels, the content 48×36, in other proportions: crop "
        "or stretch the mask to those of the content.\n",
    )


@pytest.mark.medium
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("missing.png", "style.png"), "CONTENT"),
        (("content.png", "missing.png"), "STYLE"),
        (("content.png", "text.txt"), "STYLE"),
        (("content.png", "style.png", "--preset", "van-gogh"), "--preset"),
        (("content.png", "style.png", "--size", "large"), "--size"),
        (("content.png", "style.png", "--size", "7"), "--size"),
        (("content.png", "style.png", "--network", "alexnet2"), "--network"),
        (("content.png", "style.png", "--style-layers", "relu9_9"), "--style-layers"),
        (("content.png", "style.png", "--style-layers", "relu1_1=x"), "--style-layers"),
        (("content.png", "style.png", "--style-weight", "nan"), "--style-weight"),
        (("content.png", "style.png", "--content-weight", "-1"), "--content-weight"),
        (("content.png", "style.png", "--style-weights", "1,2"), "--style-weights"),
        (("content.png", "style.png", "--init", "image"), "--init-image"),
        (("content.png", "style.png", "--init-image", "missing.png"), "--init-image"),
        (("content.png", "style.png", "--style-masks", "tall.png"), "--style-masks"),
        (("content.png", "style.png", "--content-mask", "black.png"), "--content-mask"),
        (("content.png", "style.png", "--device", "abacus"), "--device"),
        (("content.png", "style.png", "--recipe", "content.png"), "--recipe"),
        (("content.png", "style.png", "--recipe", "missing.png"), "--recipe"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_the_option(
    folder: Path, arguments: tuple[str, ...], named: str
) -> None:
    (folder / "text.txt").write_text("no picture at all")
    Image.new("L", (48, 48), 255).save(folder / "tall.png")
    Image.new("L", (48, 36), 0).save(folder / "black.png")
    result = style(*arguments, "-o", "out.png")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"impasto: {named}")
    assert result.stderr.count("\n") == 1
    assert not (folder / "out.png").exists()


@pytest.mark.medium
def test_torch_is_not_loaded_before_it_is_needed() -> None:
    script = (
        "import sys; from app.cli import program; "
        "program(['style', '--help'], standalone_mode=False); print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"


@pytest.mark.server
def test_an_interrupt_leaves_no_file(folder: Path) -> None:
    before = sorted(os.listdir(folder))
    with (folder.parent / "log").open("w+") as log:
        process = subprocess.Popen(
            [IMPASTO, "style", "content.png", "style.png", "-o", "out.png", "--steps", "20000"],
            env={**os.environ, "FORCE_COLOR": "1"},
            stderr=log,
        )
        try:
            # The bar is there once the steps run.
            wait_for(lambda: "20000" in (folder.parent / "log").read_text())
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()
        log.seek(0)
        said = log.read()
    assert "nothing was written" in said and "Traceback" not in said
    assert sorted(os.listdir(folder)) == before


@pytest.mark.medium
def test_a_painting_is_continued_from_its_state_or_its_picture(folder: Path) -> None:
    one_scale = ("--size", "32", "--style-weight", "30")
    whole = style("content.png", "style.png", "-o", "whole.png", *one_scale, "--steps", "5")
    assert whole.exit_code == 0, whole.output
    first = style("content.png", "style.png", "-o", "a.png", *one_scale, "--steps", "3", "--keep-state")
    assert first.exit_code == 0, first.output
    assert "The state is in a-state.safetensors" in first.stdout

    pair = ("content.png", "style.png")
    second = style(*pair, "-o", "b.png", "--continue-from", "a-state.safetensors", "--steps", "2")
    assert second.exit_code == 0, second.output
    with Image.open("b.png") as more, Image.open("whole.png") as expected:
        assert more.tobytes() == expected.tobytes()
    assert recipe_of(folder / "b.png")["params"]["style_weight"] == 30

    third = style(*pair, "-o", "c.jpg", "--continue-from", "a.png", "--style-weight", "5")
    assert third.exit_code == 0, third.output
    recipe = recipe_of(folder / "c.jpg")
    assert (recipe["params"]["steps"], recipe["params"]["style_weight"]) == (3, 5)
    assert {*recipe["inputs"]} == {"content", "style", "continue_from"}
    assert "is not the picture" not in second.output + third.output

    again = style(*pair, "-o", "d.png", "--recipe", "b.png", "--continue-from", "a-state.safetensors")
    assert again.exit_code == 0, again.output
    assert (folder / "d.png").read_bytes() == (folder / "b.png").read_bytes()

    refused = {
        ("--recipe", "b.png"): "--continue-from",
        ("--continue-from", "a.png", "--size", "64"): "--size: The job to continue has 32.",
        ("--continue-from", "nothing.png"): "nothing.png",
        ("--continue-from", "whole.safetensors"): "--continue-from",
    }
    (folder / "whole.safetensors").write_bytes((folder / "a-state.safetensors").read_bytes()[:5000])
    for options, said in refused.items():
        result = style(*pair, "-o", "e.png", *options)
        assert result.exit_code != 0
        assert said in result.output, result.output


def test_shares_in_a_recipe_are_for_as_many_styles(folder: Path) -> None:
    one, two = ("content.png", "style.png"), ("content.png", "style.png", "other.png")
    made = style(*two, "-o", "a.png", *QUICK, "--style-weights", "1,3")
    assert made.exit_code == 0, made.output

    for number, settings in enumerate((("--recipe", "a.png"), ("--continue-from", "a.png"))):
        # The same size as text is no other size.
        result = style(*one, "-o", f"b{number}.png", *settings, "--size", "32", "--steps", "1")
        assert result.exit_code == 0, result.output
        assert recipe_of(folder / f"b{number}.png")["params"]["style_weights"] == [1]
        assert ("--style-weights of a.png is for other pictures" in result.output) == (number == 0)

    swapped = style(
        "content.png", "other.png", "style.png", "-o", "c.png", "--recipe", "a.png", "--steps", "1"
    )
    assert swapped.exit_code == 0, swapped.output
    assert recipe_of(folder / "c.png")["params"]["style_weights"] == [1, 3]


def test_an_empty_option_takes_a_picture_away_too(folder: Path) -> None:
    pair = ("content.png", "style.png")
    mask = plain(size=(48, 36), mode="L", color=(200,))
    (folder / "mask.png").write_bytes(mask)
    masked = style(*pair, "-o", "masked.png", *QUICK, "--content-mask", "mask.png")
    assert masked.exit_code == 0, masked.output

    for number, settings in enumerate((["--recipe", "masked.png"], ["--continue-from", "masked.png"])):
        empty = ("--content-mask", "", "--style-masks", "")
        result = style(*pair, "-o", f"whole{number}.png", *settings, *empty, "--steps", "1")
        assert result.exit_code == 0, result.output
        assert "content_mask" not in recipe_of(folder / f"whole{number}.png")["inputs"]


def test_a_picture_that_was_not_there_is_no_other_one(folder: Path) -> None:
    pair = ("content.png", "style.png")
    (folder / "mask.png").write_bytes(plain(size=(48, 36), mode="L", color=(200,)))
    style(*pair, "-o", "whole.png", *QUICK)

    result = style(*pair, "-o", "masked.png", "--recipe", "whole.png", "--content-mask", "mask.png")

    assert result.exit_code == 0, result.output
    assert "is not the picture" not in result.stderr


def test_an_empty_option_takes_away_that_of_a_recipe(folder: Path) -> None:
    pair = ("content.png", "style.png")
    made = style(*pair, "-o", "a.png", *QUICK, "--style-size", "16", "--style-weight", "3")
    assert made.exit_code == 0, made.output

    for number, settings in enumerate((("--recipe", "a.png"), ("--continue-from", "a.png"))):
        result = style(*pair, "-o", f"b{number}.png", *settings, "--style-size", "", "--steps", "1")
        assert result.exit_code == 0, result.output
        params = recipe_of(folder / f"b{number}.png")["params"]
        assert (params["style_size"], params["style_weight"]) == (None, 3)


def test_a_picture_of_another_kind_is_continued_as_any_picture(folder: Path) -> None:
    dream = ("content.png", "-o", "dream.png", "--size", "32", "--octaves", "1", "--steps", "1")
    assert CliRunner().invoke(program, ["deep-dream", *dream]).exit_code == 0

    result = style("content.png", "style.png", "-o", "a.png", "--continue-from", "dream.png", *QUICK)

    assert result.exit_code == 0, result.output
    assert recipe_of(folder / "a.png")["params"]["steps"] == 2


def test_no_picture_that_it_is_made_from_is_replaced(folder: Path) -> None:
    before = (folder / "content.png").read_bytes()
    refused = style("content.png", "style.png", "-o", "./content.png", *QUICK)
    assert refused.exit_code == 2
    assert refused.output.startswith("impasto: --output: content.png is made from this file")
    assert (folder / "content.png").read_bytes() == before
