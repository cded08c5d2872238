import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from app.cli import program
from models.palette import palette_facts
from models.procedural import CLASSES, draw
from worker.training import palette_run

runner = CliRunner()


def test_drawn_pictures_alone(tmp_path: Path) -> None:
    output = tmp_path / "drawn.png"
    options = ["--classes", "eye,fern", "--per-class", "2", "--size", "32", "--no-names", "-o", str(output)]
    ended = runner.invoke(program, ["palette", "draw", *options])
    assert ended.exit_code == 0, ended.stderr
    numbers = [CLASSES.index(name) for name in ("eye", "eye", "fern", "fern")]
    drawn = (draw(numbers, [0, 1, 0, 1], 32, "all") * 255).round().byte().permute(0, 2, 3, 1).numpy()
    with Image.open(output) as sheet:
        for place, picture in enumerate(drawn):
            left, top = place % 2 * 32, place // 2 * 32
            assert np.array_equal(np.asarray(sheet.crop((left, top, left + 32, top + 32))), picture)
        assert sheet.size == (64, 64)


def test_an_open_scenery_is_drawn(tmp_path: Path) -> None:
    sheets = []
    for scenery in ("rough", "open"):
        output = tmp_path / f"{scenery}.png"
        options = ["--classes", "heart", "--per-class", "4", "--size", "24", "--no-names", "-o", str(output)]
        ended = runner.invoke(program, ["palette", "draw", "--scenery", scenery, *options])
        assert ended.exit_code == 0, ended.stderr
        sheets.append(output.read_bytes())
    assert sheets[0] != sheets[1]


def test_classes_needs_a_second_network() -> None:
    ended = runner.invoke(program, ["palette", "evaluate", "classes"])
    assert ended.exit_code == 1
    assert "--second" in ended.stderr


def test_styles_needs_pictures() -> None:
    ended = runner.invoke(program, ["palette", "evaluate", "styles"])
    assert ended.exit_code == 1
    assert "--pictures" in ended.stderr


def test_a_judge_that_is_not_here_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_DATA_DIR", str(tmp_path / "data"))
    ended = runner.invoke(program, ["palette", "evaluate", "styles", "--pictures", str(tmp_path)])
    assert ended.exit_code == 1
    assert "impasto weights pull vgg19" in ended.stderr


def test_a_missing_network_file_is_named(tmp_path: Path) -> None:
    ended = runner.invoke(program, ["palette", "evaluate", "--network", str(tmp_path / "none.safetensors")])
    assert ended.exit_code == 1
    assert "none.safetensors" in ended.stderr


@pytest.mark.slow
def test_figures_are_written(tmp_path: Path) -> None:
    ended = runner.invoke(program, ["palette", "evaluate", "speed", "-o", str(tmp_path / "out")])
    assert ended.exit_code == 0, ended.stderr
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert figures["speed"]["ratio"] > 0


@pytest.mark.slow
@pytest.mark.long
def test_a_training_from_nothing_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Accuracies of a network that has learned nothing need few pictures.
    monkeypatch.setattr(palette_run, "PER_CLASS", 1)
    network = tmp_path / "own.safetensors"
    command = ["palette", "train", "--budget", "0.001", "--files", "1", "--seed", "3"]
    command += ["--folder", str(tmp_path / "work"), "-o", str(network)]
    ended = runner.invoke(program, command)
    assert ended.exit_code == 0, ended.stderr
    facts = palette_facts(network)
    assert facts["seed"] == 3
    assert 0 <= facts["accuracy"]["new_seeds"] < 0.2
    first = network.read_bytes()
    again = runner.invoke(program, command)
    assert again.exit_code == 0, again.stderr
    assert network.read_bytes() == first
    other = runner.invoke(program, [*command, "--seed", "4"])
    assert other.exit_code == 1
    assert "another training" in other.stderr
