"""The commands that classify, on files and folders."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import program

SAMPLES = Path(__file__).parents[3] / "app" / "web" / "static" / "samples"


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    for name in ("planet", "mushroom"):
        (tmp_path / "set" / name).mkdir(parents=True)
        shutil.copy(SAMPLES / f"drawn-{name}.jpg", tmp_path / "set" / name / "a.jpg")
        shutil.copy(SAMPLES / f"drawn-{name}.jpg", tmp_path / f"{name}.jpg")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, [*arguments, "--network", "palette"])


def numbers(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.medium
def test_files_make_a_table() -> None:
    result = run("classify", "planet.jpg", "mushroom.jpg")
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if ".jpg" in line]
    assert [row.split()[0] for row in rows] == ["planet.jpg", "mushroom.jpg"]
    assert "planet 9" in rows[0] and "%" in rows[0] and "mushroom" in rows[1]


@pytest.mark.medium
def test_one_file_has_numbers_and_a_figure() -> None:
    found = numbers(run("classify", "planet.jpg", "--top", "2", "--figure", "-o", "bars.png", "--json"))
    assert found["top"][0]["class"] == "planet" and len(found["top"]) == 2
    assert Path("bars.png").is_file()
    without = run("classify", "planet.jpg", "-o", "none.png")
    assert without.exit_code == 2
    assert without.stderr == "impasto: --output: none.png: A picture is drawn with --figure alone: add it.\n"


@pytest.mark.medium
def test_a_folder_is_a_set() -> None:
    found = numbers(run("classify", "--dataset", "set", "-o", "all.jsonl", "--json"))
    assert found["pictures_total"] == 2
    lines = [json.loads(line) for line in Path("all.jsonl").read_text().splitlines()]
    assert {line["label"]: line["top"][0]["class"] for line in lines} == {
        "planet": "planet",
        "mushroom": "mushroom",
    }
    judged = numbers(run("evaluate", "set", "-o", "confusion.png", "--json"))
    assert judged["summary"]["top1_error"] == 0
    for name in ("confusion.png", "confusion-sheet.png", "confusion-per_class.csv"):
        assert Path(name).is_file()


def test_a_file_that_is_no_picture_is_named() -> None:
    Path("bad.jpg").write_bytes(b"nothing")
    result = run("classify", "planet.jpg", "bad.jpg")
    assert result.exit_code == 2 and result.stderr.startswith("impasto: bad.jpg: ")
    assert run("classify").stderr.startswith("impasto: PICTURES: Name a picture")
