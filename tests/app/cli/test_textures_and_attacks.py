"""The commands that make textures and deceive."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.cli import program
from app.cli.demo_pictures import landscape


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    landscape(40, 30).save("photo.png")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, list(arguments))


def numbers(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def size_of(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.mark.medium
def test_a_texture_and_its_recipe() -> None:
    options = ["--network", "vgg19-random", "--size", "48", "--aspect", "1.5", "--seamless", "--steps", "3"]
    result = run("texture-synthesis", "photo.png", *options, "-o", "tile.png", "--json")

    assert numbers(result)["texture"] == {"width": 40, "height": 30}
    assert size_of("tile.png") == (48, 32)
    again = run("texture-synthesis", "photo.png", "--recipe", "tile.png", "-o", "again.png")
    assert again.exit_code == 0, again.output
    assert Path("again.png").read_bytes() == Path("tile.png").read_bytes()


@pytest.mark.medium
def test_an_attack_and_its_recipe() -> None:
    options = [
        "--image",
        "photo.png",
        "--method",
        "pgd-l2",
        "--epsilon",
        "300",
        "--steps",
        "2",
        "--size",
        "32",
    ]
    result = run("adversarial", *options, "-o", "fooled.png", "--json")

    found = numbers(result)
    assert found["norms"]["l2"] <= 300 + 1e-3
    assert {"success", "before", "after", "saved"} <= set(found)
    for name in ("fooled.png", "fooled-original.png", "fooled-perturbation.png"):
        assert size_of(name) == (32, 32)
    again = run("adversarial", "--image", "photo.png", "--recipe", "fooled.png", "-o", "again.png")
    assert again.exit_code == 0, again.output
    assert Path("again.png").read_bytes() == Path("fooled.png").read_bytes()


def test_noise_that_is_not_believed_yet() -> None:
    options = ["--method", "fooling", "--target", "eye", "--steps", "2", "--size", "32"]
    result = run("adversarial", *options, "-o", "noise.png", "--json")

    found = numbers(result)
    assert found["success"] is False
    assert 0 < found["confidence"] < 0.996


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["adversarial", "--target", "eye"], "--image: Name the picture to change"),
        (["adversarial", "--method", "fooling"], "--target: Name the class"),
        (["adversarial", "--method", "magic"], "--method: "),
        (["adversarial", "--image", "photo.png", "--target", "eyes"], "Did you mean 'eye'"),
        (["texture-synthesis", "photo.png", "--layers", "relu7"], "--layers: palette has no layer 'relu7'"),
        (["texture-synthesis", "photo.png", "--aspect", "100"], "--aspect: "),
    ],
)
def test_what_is_wrong_names_the_option(arguments: list[str], said: str) -> None:
    result = run(*arguments, "-o", "out.png")

    assert result.exit_code != 0
    assert said in result.stderr
    assert not Path("out.png").exists()
