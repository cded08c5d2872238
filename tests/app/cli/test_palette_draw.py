from PIL import Image
from typer.testing import CliRunner

from app.cli.palette import palette


def test_draw_writes_rows_of_classes(tmp_path):
    path = tmp_path / "sheet.png"
    result = CliRunner().invoke(
        palette, ["draw", "-o", str(path), "--classes", "stripes, eye", "--per-class", "3", "--size", "20"]
    )
    assert result.exit_code == 0, result.output
    with Image.open(path) as sheet:
        assert sheet.size == (3 * 20, 2 * (20 + 18) + 6)


def test_an_unknown_class_is_named(tmp_path):
    result = CliRunner().invoke(
        palette, ["draw", "-o", str(tmp_path / "sheet.png"), "--classes", "stripes,unicorn"]
    )
    assert result.exit_code == 2
    assert "unicorn" in result.output


def test_a_sheet_that_cannot_be_written_is_said(tmp_path):
    for name in ("missing/sheet.png", "sheet.foo"):
        result = CliRunner().invoke(palette, ["draw", "-o", str(tmp_path / name), "--classes", "eye"])
        assert result.exit_code == 2 and result.output.startswith("impasto: --output: "), result.output


def test_a_network_that_could_not_be_written_is_not_trained(tmp_path):
    folder = tmp_path / "training"
    result = CliRunner().invoke(
        palette, ["train", "-o", str(tmp_path / "missing/a.safetensors"), "--folder", str(folder)]
    )
    assert result.exit_code == 2 and "There is no folder" in result.output
    assert not folder.exists()
