"""The command that prints an architecture."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.cli import program
from app.cli.tables import print_table


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["architecture", *arguments])


def test_a_table_in_the_terminal_without_a_file(tmp_path: Path) -> None:
    result = run("--layers", "CONV5x5-10/1p2-RELU", "--input", "3,32,32")
    assert result.exit_code == 0, result.output
    assert "10 × 32 × 32" in result.stdout and "760" in result.stdout
    assert "(32 - 5 + 2*2) / 1 + 1 = 32" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_its_files_and_its_json(tmp_path: Path) -> None:
    layers = '[{"type": "conv", "filters": 10, "size": 5, "padding": 2}]'
    result = run("--layers", layers, "--input", "32", "-o", "table.png", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["totals"]["parameters"] == 760
    with Image.open(tmp_path / "table.png") as picture:
        assert picture.width > 800
    assert {path.name for path in tmp_path.iterdir()} == {"table.png", "table-table.csv", "table-markdown.md"}


def test_an_impossible_stride_is_said_in_one_line() -> None:
    result = run("--layers", "CONV3-1/3", "--input", "7")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("impasto: --layers: conv1: (7 - 3) / 3 + 1 = 2.33...")


@pytest.mark.parametrize("entry", [None, [], {}, 3, [1, 2]])
def test_what_is_no_table_prints_nothing(entry: object, capsys: pytest.CaptureFixture[str]) -> None:
    print_table("numbers", entry)
    assert capsys.readouterr().out == ""


def test_columns_follow_the_keys_or_those_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"a_b": 1234, "c": 0.123456, "d": None}, {"a_b": 5, "e": [1, 2, 3]}]
    print_table("two rows", rows)
    out = capsys.readouterr().out
    assert "two rows" in out and "a b" in out and "1,234" in out and "0.1235" in out and "1 × 2 × 3" in out
    print_table("one", rows, ("c",))
    assert "a b" not in capsys.readouterr().out
