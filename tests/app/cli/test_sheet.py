import zlib
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from app.cli import program
from tests.support import strange_pictures as strange

RUNNER = CliRunner()


def save(path: Path, color: str, size: tuple[int, int], mode: str = "RGB") -> str:
    Image.new(mode, size, color).save(path)
    return str(path)


def test_pictures_stand_side_by_side_in_rows(tmp_path: Path) -> None:
    files = [
        save(tmp_path / "a.png", "red", (40, 20)),
        save(tmp_path / "b.png", "lime", (20, 20)),
        save(tmp_path / "c.png", "blue", (64, 32)),
    ]
    output = tmp_path / "sheet.png"

    done = RUNNER.invoke(program, ["sheet", *files, "-o", str(output), "--columns", "2", "--width", "32"])

    assert done.exit_code == 0, done.output
    with Image.open(output) as made:
        # Each is 32 px wide, 6 px apart; the rows are 32 and 16 px high.
        assert made.size == (70, 54)
        assert made.getpixel((5, 5)) == (255, 0, 0)
        assert made.getpixel((5, 25)) == (255, 255, 255)
        assert made.getpixel((45, 25)) == (0, 255, 0)
        assert made.getpixel((5, 45)) == (0, 0, 255)
        assert made.getpixel((45, 45)) == (255, 255, 255)


def test_labels_take_a_line_above(tmp_path: Path) -> None:
    files = [save(tmp_path / f"{name}.png", "black", (32, 32)) for name in "ab"]
    output = tmp_path / "sheet.jpg"

    done = RUNNER.invoke(program, ["sheet", *files, "-o", str(output), "--width", "32", "--labels", "I, II"])

    assert done.exit_code == 0, done.output
    with Image.open(output) as made:
        assert made.size == (70, 32 + 18)
        line = made.convert("L").crop((0, 0, 70, 18))
        assert line.getextrema()[0] < 100
        assert line.getpixel((60, 9)) > 240


def test_names_of_the_files_are_captions(tmp_path: Path) -> None:
    files = [save(tmp_path / f"{name}.png", "black", (32, 32)) for name in ("I", "II")]
    made = {}
    for captions in (("--names",), ("--labels", "I,II")):
        output = tmp_path / "sheet.png"
        done = RUNNER.invoke(program, ["sheet", *files, "-o", str(output), "--width", "32", *captions])
        assert done.exit_code == 0, done.output
        made[captions] = output.read_bytes()
    assert len({*made.values()}) == 1

    both = RUNNER.invoke(program, ["sheet", *files, "-o", "sheet.png", "--names", "--labels", "a,b"])
    assert both.exit_code == 2 and "--names" in both.output


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", "#00000000", (32, 32), "RGBA")
    output = tmp_path / "sheet.webp"
    assert RUNNER.invoke(program, ["sheet", file, "-o", str(output)]).exit_code == 0
    with Image.open(output) as made:
        assert made.size == (320, 320)
        assert made.convert("RGB").getpixel((160, 160)) == (255, 255, 255)


def sheet_of(data: bytes, tmp_path: Path) -> bytes:
    """The pixels of a sheet of one picture file."""
    file, output = tmp_path / "picture", tmp_path / "sheet.png"
    file.write_bytes(data)
    done = RUNNER.invoke(program, ["sheet", str(file), "-o", str(output), "--width", "32"])
    assert done.exit_code == 0, done.output
    with Image.open(output) as made:
        assert made.width == 32
        return made.tobytes()


@pytest.mark.parametrize(("code", "body"), [(0xE0, b"JFIF"), (0xEE, b"Adobe"), (0xE2, b"ICC_PROFILE\0\1")])
def test_metadata_that_are_cut_off_do_not_matter(code: int, body: bytes, tmp_path: Path) -> None:
    whole = strange.rotated(6, "JPEG")
    assert sheet_of(strange.with_segment(code, body, whole), tmp_path) == sheet_of(whole, tmp_path)


def test_damaged_exif_data_do_not_matter(tmp_path: Path) -> None:
    damaged = strange.plain("JPEG", exif=b"Exif\0\0rubbish")
    assert sheet_of(damaged, tmp_path) == sheet_of(strange.plain("JPEG"), tmp_path)


def test_of_an_animation_the_first_frame_is_shown(tmp_path: Path) -> None:
    for format in ("GIF", "WEBP", "PNG"):
        assert set(sheet_of(strange.animated(format), tmp_path)) == {0}


def test_formats_are_shown_that_no_job_takes(tmp_path: Path) -> None:
    assert sheet_of(strange.plain("PPM"), tmp_path) == sheet_of(strange.plain(), tmp_path)


def test_grey_of_16_bits_keeps_its_shades(tmp_path: Path) -> None:
    assert set(sheet_of(strange.grey16([[0x7FFF] * 4] * 4), tmp_path)) == {127}


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--labels", "one, two, three"], "There are 3 labels for 2 pictures"),
        (["-o", "sheet.gif"], "must end in .jpg or .png or .webp"),
    ],
)
def test_what_does_not_fit_is_refused(extra: list[str], said: str, tmp_path: Path) -> None:
    files = [save(tmp_path / f"{name}.png", "black", (32, 32)) for name in "ab"]
    done = RUNNER.invoke(program, ["sheet", *files, "-o", str(tmp_path / "s.png"), *extra])
    assert done.exit_code != 0
    assert said in done.output
    assert not (tmp_path / "s.png").exists()


@pytest.mark.parametrize(
    ("size", "suffix", "said"),
    [
        ((1, 140), "webp", "--width: The sheet would have 64 x 17,926 pixels: a .webp has 16,383 on a side"),
        ((1, 520), "png", "--width: The sheet would have 64 x 66,566 pixels"),
        ((1, 2000), "jpg", "PICTURE: "),
    ],
)
def test_a_sheet_that_is_too_large_is_refused(
    size: tuple[int, int], suffix: str, said: str, tmp_path: Path
) -> None:
    files = [save(tmp_path / "a.png", "red", size)] * 2
    options = ["-o", str(tmp_path / f"sheet.{suffix}"), "--columns", "1", "--width", "64"]

    done = RUNNER.invoke(program, ["sheet", *files, *options])

    assert done.exit_code == 2 and done.stderr.startswith(f"impasto: {said}"), done.output
    assert not (tmp_path / f"sheet.{suffix}").exists()


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not a picture")
    whole = Path(save(tmp_path / "whole.png", "red", (64, 64))).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    # A header alone, of 60,000 by 60,000 pixels.
    size = (60_000).to_bytes(4, "big") * 2
    header = b"IHDR" + size + whole[24:29]
    (tmp_path / "vast.png").write_bytes(
        whole[:8] + whole[8:12] + header + zlib.crc32(header).to_bytes(4, "big") + whole[33:]
    )
    cases = {
        "notes.png": "is not a picture",
        "missing.png": "cannot be read",
        "half.png": "cannot be read",
        "vast.png": "cannot be read",
    }
    for name, said in cases.items():
        done = RUNNER.invoke(program, ["sheet", str(tmp_path / name), "-o", str(tmp_path / "s.png")])
        assert done.exit_code != 0
        assert name in done.output.replace("\n", "")
        assert said in done.output


def test_a_sheet_replaces_none_of_its_pictures(tmp_path: Path) -> None:
    files = [save(tmp_path / name, "red", (8, 8)) for name in ("a.png", "b.png")]
    (tmp_path / "link.png").symlink_to("b.png")
    before = (tmp_path / "b.png").read_bytes()
    for output in ("b.png", "link.png"):
        refused = RUNNER.invoke(program, ["sheet", *files, "-o", str(tmp_path / output)])
        assert refused.exit_code == 2 and "would be lost" in refused.output
    assert (tmp_path / "b.png").read_bytes() == before
