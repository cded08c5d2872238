"""Writing a file whole, or not at all."""

import os
from pathlib import Path

import pytest
import typer

from app.cli.output_files import beside, check_output, write_file


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_file(path, b"first")
    write_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["a.png"]


def test_it_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    write_file(tmp_path / "a.png", b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_file(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_name_as_long_as_the_file_system_takes_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".png")
    check_output("--output", path)
    assert os.listdir(tmp_path) == []
    write_file(path, b"all of it")
    assert path.read_bytes() == b"all of it"
    second = beside(path, "style-2", ".png")
    assert second.name == "x" * 243 + "-style-2.png"
    write_file(second, b"")
    assert beside(tmp_path / "ü.png", "image", ".jpg").name == "ü-image.jpg"


@pytest.mark.parametrize("name", ["a.jpg", "a", "missing/a.png", "folder.png", "x" * 252 + ".png", "a\0.png"])
def test_what_cannot_be_written_is_said_before_any_work(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(typer.Exit) as exit:
        check_output("--output", tmp_path / name)
    assert exit.value.exit_code == 2
    said = capsys.readouterr().err
    assert said.startswith("impasto: --output: ") and said.count("\n") == 1


def test_a_link_stays_and_the_file_that_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "a.png", tmp_path / "there" / "b.png"
    link.symlink_to(target)
    check_output("--output", link)
    assert link.is_symlink() and not target.exists()
    for data in (b"first", b"second"):
        write_file(link, data)
        assert link.is_symlink() and target.read_bytes() == data
    assert os.listdir(target.parent) == ["b.png"]


@pytest.mark.parametrize("leads_to", ["missing/b.png", "a.png"], ids=["no folder", "itself"])
def test_a_link_that_leads_nowhere_is_said(
    tmp_path: Path, leads_to: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / leads_to)
    with pytest.raises(typer.Exit):
        check_output("--output", tmp_path / "a.png")
    assert capsys.readouterr().err.count("\n") == 1 and (tmp_path / "a.png").is_symlink()
