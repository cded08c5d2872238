"""The commands of what a network looks for."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.cli import program
from app.cli.demo_pictures import landscape

TINY = ["--network", "vgg19-random", "--size", "32", "--steps", "3"]


def size_of(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, list(arguments))


def numbers(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.medium
def test_channels_of_a_layer(tmp_path: Path) -> None:
    options = ["--layer", "conv2_1", "--channels", "0-1,5", "--transforms", "jitter=3,noise=0.02"]
    result = run("feature-visualization", *TINY, *options, "-o", "all.png", "--json")

    units = [each["unit"] for each in numbers(result)["pictures"]]
    assert units == ["conv2_1:0", "conv2_1:1", "conv2_1:5"]
    assert size_of("all.png") == (65, 65)
    for place in range(3):
        assert size_of(f"all-image_{place}.png") == (32, 32)

    again = run("feature-visualization", "--recipe", "all.png", "-o", "again.png")
    assert again.exit_code == 0, again.output
    assert Path("again.png").read_bytes() == Path("all.png").read_bytes()


@pytest.mark.medium
def test_a_sum_of_units_without_transforms() -> None:
    options = ["--terms", "conv2_1:3=1,conv1_1:2=-0.5", "--transforms", "none"]
    result = run("feature-visualization", *TINY, *options, "-o", "sum.png", "--json")

    (report,) = numbers(result)["pictures"]
    assert report["unit"] == "-0.5 conv1_1:2 + 1 conv2_1:3"
    assert report["artifact"] == "image"
    assert report["objective"]["end"] > report["objective"]["start"]


@pytest.mark.medium
def test_a_caricature_of_an_example() -> None:
    landscape(40, 30).save("photo.png")
    options = ["--objective", "caricature", "--layer", "relu2_1", "--image", "photo.png"]
    result = run("feature-visualization", *TINY, *options, "-o", "drawn.png", "--json")

    (report,) = numbers(result)["pictures"]
    assert (report["unit"], report["artifact"]) == ("relu2_1", "image")
    assert 0 < report["cosine"] < 1
    assert size_of("drawn.png") == (32, 32)

    again = run("feature-visualization", "--recipe", "drawn.png", "--image", "photo.png", "-o", "again.png")
    assert again.exit_code == 0, again.output
    assert Path("again.png").read_bytes() == Path("drawn.png").read_bytes()


@pytest.mark.medium
def test_an_inversion() -> None:
    landscape(40, 30).save("photo.png")
    result = run(
        "feature-inversion", "photo.png", *TINY, "--layers", "relu1_1,pool1", "-o", "strip.png", "--json"
    )

    assert [each["layer"] for each in numbers(result)["pictures"]] == ["relu1_1", "pool1"]
    assert size_of("strip.png") == (3 * 32 + 2, 24)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["class-visualization", *TINY, "--target", "cat"], "--network: vgg19-random cannot classify"),
        (["class-visualization", "--network", "vgg19"], "--target: This param is required."),
        (["class-visualization", "--network", "vgg19", "--target", "godfish"], "Did you mean 'goldfish'"),
        (["feature-visualization", *TINY, "--layer", "conv9_1"], "--layer: vgg19-random has no layer"),
        (
            ["feature-visualization", *TINY, "--objective", "direction"],
            "--image: Name the example; a direction is not drawn without one.",
        ),
        (["feature-visualization", *TINY, "--channels", "x"], "--channels: Value error, 'x' is neither"),
    ],
)
def test_what_is_wrong_names_the_option(arguments: list[str], said: str) -> None:
    result = run(*arguments, "-o", "out.png")

    assert result.exit_code != 0
    assert said in result.stderr
    assert not Path("out.png").exists()
