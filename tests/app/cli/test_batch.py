"""``impasto batch run`` and ``matrix`` on this machine, run for real on small pictures."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.cli import program
from app.media.recipe_text import read_recipe
from tests.support.service import IMPASTO, wait_for
from tests.support.strange_pictures import noise, raw_png

QUICK = ("--size", "32", "--set", "steps=2")
MATRIX = ("--content", "photos/*.png", "--style", "paintings/*.png", "-o", "out")
NAMES = ["a--x", "a--y", "b--x", "b--y"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two contents and two styles in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    monkeypatch.delenv("IMPASTO_URL", raising=False)
    for seed, name in enumerate(("photos/a", "photos/b", "paintings/x", "paintings/y")):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(noise(size=(48, 36), seed=seed))
    return tmp_path


def matrix(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["batch", "matrix", *MATRIX, *arguments])


def run(lines: list[Any], *arguments: str) -> Result:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    Path("jobs.jsonl").write_text(text)
    return CliRunner().invoke(program, ["batch", "run", "jobs.jsonl", "-o", "out", *arguments])


def line(custom_id: str, content: str = "photos/a.png", **params: Any) -> dict[str, Any]:
    values = {"content": content, "style": "paintings/x.png", "size": 32, "steps": 2, **params}
    return {"custom_id": custom_id, "kind": "style_transfer", "params": values}


def lines_of(name: str) -> list[Any]:
    return [json.loads(text) for text in Path("out", name).read_text().splitlines()]


def times() -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in Path("out").glob("*.png")}


@pytest.mark.medium
def test_a_second_run_makes_only_what_is_missing_or_was_changed(folder: Path) -> None:
    first = matrix(*QUICK)
    assert first.exit_code == 0, first.output
    assert "4 of 4 done, 4 of them now" in first.stdout
    made = times()
    assert sorted(made) == NAMES
    with Image.open("out/b--y.png") as picture:
        assert picture.size == (32, 24)
    results = lines_of("results.jsonl")
    assert [(each["line"], each["custom_id"], each["files"]) for each in results] == [
        (number, name, {"image": f"{name}.png"}) for number, name in enumerate(NAMES, 1)
    ]
    recipe = results[3]["result"]["recipe"]
    assert (recipe["params"]["content"], recipe["params"]["style"]) == ("b.png", ["y.png"])
    with Path("out/b--y.png").open("rb") as file:
        assert read_recipe(file) == recipe
    assert lines_of("errors.jsonl") == []
    # The first shows how long one takes, and the others are computed together.
    assert [each["result"]["recipe"]["stack_size"] for each in results] == [1, 3, 3, 3]
    alone = ["style", "photos/b.png", "paintings/y.png", "-o", "alone.png", "--size", "32", "--steps", "2"]
    numbers = CliRunner().invoke(program, [*alone, "--json"])
    loss = json.loads(numbers.stdout)["losses"]["total"]
    assert results[3]["result"]["losses"]["total"] == pytest.approx(loss, rel=1e-2)
    # None together: the same as without a batch.
    assert matrix(*QUICK, "--reproducible", "-o", "one").exit_code == 0
    assert Path("alone.png").read_bytes() == Path("one/b--y.png").read_bytes()

    again = matrix(*QUICK)
    assert (again.exit_code, times()) == (0, made), again.output
    assert "4 of 4 done, 0 of them now" in again.stdout

    Path("out/a--y.png").unlink()
    assert "4 of 4 done, 1 of them now" in matrix(*QUICK).stdout
    assert {name for name, time in times().items() if time != made[name]} == {"a--y"}

    # Another style under the same name.
    made = times()
    Path("paintings/x.png").write_bytes(noise(size=(48, 36), seed=9))
    assert "4 of 4 done, 2 of them now" in matrix(*QUICK).stdout
    assert {name for name, time in times().items() if time != made[name]} == {"a--x", "b--x"}

    # One more content: the others stay.
    made = times()
    Path("photos/c.png").write_bytes(noise(size=(48, 36), seed=7))
    assert "6 of 6 done, 2 of them now" in matrix(*QUICK).stdout
    assert {name for name, time in times().items() if time != made.get(name)} == {"c--x", "c--y"}

    # Other params: all are made again.
    assert "6 of 6 done, 6 of them now" in matrix("--size", "32", "--set", "steps=1").stdout


@pytest.mark.medium
def test_a_zip_over_values_and_another_kind(folder: Path) -> None:
    result = matrix(*QUICK, "--zip", "--over", "style_weight=1,30", "--no-such", "3")
    assert result.exit_code == 2 and "--no-such" in result.stderr
    result = matrix(*QUICK, "--zip", "--over", "style_weight=1,30")
    assert result.exit_code == 0, result.output
    assert sorted(times()) == ["a--x--1", "b--y--30"]
    weights = [each["result"]["recipe"]["params"]["style_weight"] for each in lines_of("results.jsonl")]
    assert weights == [1, 30]
    dreams = ("--kind", "deep-dream", "--image", "photos/a.png", "--network", "vgg19-random", "--size", "32")
    quick = ("--steps", "1", "--octaves", "1", "--layers", "relu2_1", "--frames", "2", "-o", "dreams")
    result = CliRunner().invoke(program, ["batch", "matrix", *dreams, *quick, "--over", "seed=1,2"])
    assert result.exit_code == 0, result.output
    found = {str(path.relative_to("dreams")) for path in Path("dreams").rglob("a--*") if path.is_file()}
    assert found == {"a--1.png", "a--2.png"}
    assert {path.name for path in Path("dreams/a--2").iterdir()} == {"video.mp4"}


@pytest.mark.medium
def test_one_wrong_line_among_many_is_named_and_nothing_is_computed(folder: Path) -> None:
    (folder / "text.png").write_text("no picture at all")
    lines: list[Any] = [line(f"j{number}") for number in range(300)]
    lines[136] = line("bad", content="photos/z.png")
    result = run(lines)
    assert result.exit_code == 2
    said = result.stderr.splitlines()
    assert said[0] == "impasto: line 137: content: There is no file photos/z.png."
    assert len(said) == 2 and "1 line is wrong; nothing was computed" in said[1]
    assert not Path("out").exists()

    wrong: list[Any] = [
        line("a", size=7),
        line("b", style="text.png"),
        line("c", style=["paintings/x.png", "none.png"]),
        line("d", content=["photos/a.png", "photos/b.png"]),
        line("e", colour="x"),
        {"custom_id": "f", "kind": "train", "params": {"dataset": "digits", "architecture": "mlp"}},
        {"custom_id": "g", "kind": "painting"},
        "nonsense",
        line("h", content_mask="tall.png"),
    ]
    Path("tall.png").write_bytes(noise(size=(36, 48)))
    result = run(wrong)
    fields = ["size", "style", "style.1", "content", "colour", "kind", "kind", "line", "content_mask"]
    said = result.stderr.splitlines()
    assert result.exit_code == 2 and "9 lines are wrong" in said[-1]
    for number, (field, text) in enumerate(zip(fields, said, strict=False), 1):
        assert text.startswith(f"impasto: line {number}: {field}: "), text

    said = run([line(f"j{number}", size=1) for number in range(250)]).stderr.splitlines()
    assert len(said) == 102 and "and 150 more" in said[100] and "250 lines are wrong" in said[101]


@pytest.mark.medium
def test_wrong_lines_are_skipped_if_asked_and_failed_ones_are_tried_again(folder: Path) -> None:
    lines = [line("good"), line("wrong", size=1), "nonsense", line("cut"), line("more"), line("last")]
    # Whole by its structure, but its pixels cannot be decoded.
    data = raw_png(48, 36, b"nothing that can be inflated")
    whole = Path("photos/a.png").read_bytes()
    lines[3]["params"]["content"] = "strange.png"  # type: ignore[index]
    Path("strange.png").write_bytes(data)
    result = run(lines, "--errors", "skip")
    errors = {each["line"]: each for each in lines_of("errors.jsonl")}
    assert result.exit_code == 1 and set(errors) == {2, 3, 4}
    assert errors[4]["error"]["field"] == "content"
    assert errors[2]["error"]["field"] == "size" and errors[3]["custom_id"] is None
    # It was computed together with two others, which succeeded.
    sizes = [(e["custom_id"], e["result"]["recipe"]["stack_size"]) for e in lines_of("results.jsonl")]
    assert sizes == [("good", 1), ("more", 3), ("last", 3)]
    assert "errors.jsonl has the reasons" in result.stderr and "wrong: size: " in result.stderr
    made = times()["good"]
    Path("strange.png").write_bytes(whole)
    result = run([lines[0], lines[3]])
    assert result.exit_code == 0 and lines_of("errors.jsonl") == []
    assert times()["good"] == made and "cut" in times()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--content", "none/*.jpg", "--style", "paintings/*.png"), "--content: No file matches"),
        (("--content", "photos", "--style", "paintings/*.png"), "--content: photos is a folder: write"),
        (("--content", "photos/*.png"), "--style: style_transfer needs this"),
        (("--kind", "filters"), "--over: There is nothing to vary"),
        (("--kind", "painting"), "--kind: There is no kind 'painting'"),
        (("--image", "photos/*.png"), "--image: style_transfer takes no such picture"),
        (("--content", "photos/*.png", "--style", "*.txt"), "text.txt: This is not a picture"),
        (("--content", "photos/*.png", "--style", "paintings/*.png", "--size", "1"), "--size: "),
        (("--content", "photos/a.png", "photos/b.png", "--style", "paintings/*.png"), "photos/b.png: quote"),
        (("--content", "photos/*.png", "--style", "paintings/*", "--set", "style=a"), "--style: This was"),
        (("--content", "photos/*.png", "--style", "paintings/*", "--device", "abacus"), "--device: "),
        (("--content", "photos/*.png", "--style", "paintings/*", "--priority", "urgent"), "--priority: "),
    ],
)
def test_what_is_wrong_with_a_matrix_is_said_in_one_line(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    (folder / "text.txt").write_text("no picture at all")
    result = CliRunner().invoke(program, ["batch", "matrix", *arguments, "-o", "out"])
    assert result.exit_code == 2, result.output
    assert said in result.stderr.splitlines()[0]
    assert not list(folder.glob("out/*.png"))


@pytest.mark.slow
@pytest.mark.server
def test_a_run_that_was_killed_goes_on_and_an_interrupt_keeps_what_is_done(folder: Path) -> None:
    command = [str(IMPASTO), "batch", "matrix", *MATRIX, "--size", "48", "--steps", "30"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def stop(number: signal.Signals, done: int) -> tuple[int, str]:
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: len(times()) >= done or process.poll() is not None)
        process.send_signal(number)
        said = process.communicate(timeout=120)[1]
        return process.returncode, said

    assert stop(signal.SIGKILL, 1)[0] == -signal.SIGKILL
    for path in Path("out").glob("*.png"):
        with Image.open(path) as picture:
            picture.load()
    made = times()
    code, said = stop(signal.SIGINT, 2)
    assert code == 130 and "what is done is kept" in said and "Traceback" not in said
    result = matrix("--size", "48", "--steps", "30")
    assert result.exit_code == 0, result.output
    assert sorted(times()) == NAMES and len(lines_of("results.jsonl")) == 4
    # The one whose picture was there before the record said so may be made again.
    assert sum(times()[name] != time for name, time in made.items()) <= 1
    assert not Path("out/.unfinished").exists()


def test_no_picture_that_entries_are_made_from_is_replaced(folder: Path) -> None:
    before = (folder / "photos" / "a.png").read_bytes()
    result = run([line("a", size=32, steps=2)], "-o", "photos")
    assert result.exit_code == 1 and "photos/a.png: entries are made from this picture" in result.stderr
    assert (folder / "photos" / "a.png").read_bytes() == before
