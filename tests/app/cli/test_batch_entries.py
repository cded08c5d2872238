"""Reading the entries of a batch, names of files, and the record of a folder of results."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from app.cli.batch.entries import Entry, read_lines
from app.cli.batch.matrix import Axis, Recipe, common_params, entries_of, picture_axis, value_axis
from app.cli.batch.record import RECORD, output_folder
from app.kinds.style_transfer import StyleTransferParams


def test_every_wrong_line_is_named_with_its_field(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"custom_id": "a", "kind": "filters"}\n'
        b"\n"
        b"{not json}\n"
        b'{"kind": "filters"}\n'
        b'{"custom_id": "a", "kind": "filters"}\n'
        b'{"custom_id": "b", "kind": "filters", "param": {}}\r\n'
        b'{"custom_id": "c", "kind": "filters", "params": {"size": 3}}'
    )
    read = read_lines(path)
    assert [(entry.line, entry.custom_id, entry.params) for entry in read.entries] == [
        (1, "a", {}),
        (7, "c", {"size": 3}),
    ]
    assert [(problem.line, problem.field) for problem in read.problems] == [
        (2, "line"),
        (3, "line"),
        (4, "custom_id"),
        (5, "custom_id"),
        (6, "param"),
    ]
    assert "Line 1" in read.problems[3].detail


def test_a_cross_has_the_last_axis_innermost() -> None:
    axes = [Axis("content", ["/p/a.png", "/p/b.png"], ["a", "b"]), Axis("seed", ["1", "2"], ["1", "2"])]
    entries = entries_of(Recipe("style_transfer", {"size": "32"}, axes, "cross"))
    assert [(entry.line, entry.custom_id) for entry in entries] == [
        (1, "a--1"),
        (2, "a--2"),
        (3, "b--1"),
        (4, "b--2"),
    ]
    assert entries[2].params == {"size": "32", "content": "/p/b.png", "seed": "1"}
    zipped = entries_of(Recipe("style_transfer", {}, axes, "zip"))
    assert [entry.custom_id for entry in zipped] == ["a--1", "b--2"]


def test_names_of_a_matrix_differ_and_stay_where_values_are_added() -> None:
    one = Axis("a", [1, 2], ["x", "X--y"])
    names = [
        e.custom_id for e in entries_of(Recipe("k", {}, [one, Axis("b", [1, 2], ["y z", "z"])], "cross"))
    ]
    assert names == ["x--y-z", "x--z", "x-y--y-z", "x-y--z"]
    more = [e.custom_id for e in entries_of(Recipe("k", {}, [one, Axis("b", [1], ["y z"])], "cross"))]
    assert set(more) < set(names)


def test_values_are_read_as_options_of_the_kind_are() -> None:
    cls = StyleTransferParams
    assert value_axis(cls, "style-weight=1, 10") == Axis("style_weight", ["1", "10"], ["1", "10"])
    layers = value_axis(cls, 'style_layers=[["relu1_1"], {"relu2_1": 2}]')
    assert layers.values == [["relu1_1"], {"relu2_1": 2}]
    assert layers.labels == ["relu1_1", "relu2_1=2"]
    assert common_params(cls, ["size=64", "style_weights=1,3", "--style-layers=relu1_1=2"]) == {
        "size": "64",
        "style_weights": ["1", "3"],
        "style_layers": {"relu1_1": "2"},
    }


def exits_with(capsys: pytest.CaptureFixture[str], *parts: str) -> None:
    said = capsys.readouterr().err
    assert said.startswith("impasto: ") and said.count("\n") == 1
    assert all(part in said for part in parts), said


def test_patterns_are_sorted_and_wrong_ones_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b/2.png", "b/1.png", "c/1.jpg", "b/folder.png/x", "[1].png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    axis = picture_axis("content", ["b/*.png", "[1].png"])
    assert axis.labels == ["1", "2", "[1]"]
    assert axis.values[0] == str(tmp_path / "b/1.png")
    for patterns, parts in (
        (["d/*.png"], ("--content", "'d/*.png'")),
        (["*/1.*"], ("--content", "b/1.png", "c/1.jpg", "rename")),
    ):
        with pytest.raises(typer.Exit):
            picture_axis("content", patterns)
        exits_with(capsys, *parts)
    for text in ("size", "size=", "size=1,1", "size=[1"):
        with pytest.raises(typer.Exit):
            value_axis(StyleTransferParams, text)
        exits_with(capsys, "--over", text)
    axes = [Axis("a", [1, 2], ["1", "2"]), Axis("b", [1], ["1"])]
    with pytest.raises(typer.Exit):
        entries_of(Recipe("k", {}, axes, "zip"))
    exits_with(capsys, "--zip", "--a 2, --b 1")
    axes = [Axis("a", [0] * 300, ["0"] * 300), Axis("b", [0] * 300, ["0"] * 300)]
    with pytest.raises(typer.Exit):
        entries_of(Recipe("k", {}, axes, "cross"))
    exits_with(capsys, "90,000")


A, B = (Entry(line, name, "filters", {}) for line, name in ((1, "a"), (2, "b")))
KEYS = {"a": "ka", "b": "kb"}


def test_what_is_recorded_is_done_until_it_is_asked_otherwise_or_its_file_is_gone(tmp_path: Path) -> None:
    with output_folder(tmp_path / "out", [A, B]) as folder:
        files = {
            name: folder.save("a", name, ending, [b"12", b"3"])
            for name, ending in (("image", ".png"), ("video", ".mp4"))
        }
        assert files == {"image": ("a.png", 3), "video": ("a/video.mp4", 3)}
        folder.add(A, "ka", files, {"result": {"x": 1}})
        folder.note({"batch": "1"})
        assert folder.missing([A, B], KEYS) == [B]
    with output_folder(tmp_path / "out", [A, B]) as folder:
        assert folder.notes == [{"batch": "1"}]
        assert folder.missing([A, B], KEYS) == [B]
        assert folder.missing([A, B], KEYS | {"a": "other"}) == [A, B]
        folder.write_results([A, B], KEYS, [{"line": 2, "state": "failed"}])
        results = [json.loads(line) for line in (folder.path / "results.jsonl").read_text().splitlines()]
        assert results == [
            {
                "line": 1,
                "custom_id": "a",
                "kind": "filters",
                "state": "succeeded",
                "files": {"image": "a.png", "video": "a/video.mp4"},
                "result": {"x": 1},
            }
        ]
        assert (folder.path / "errors.jsonl").read_text() == '{"line": 2, "state": "failed"}\n'
        (folder.path / "a/video.mp4").write_bytes(b"")
        assert folder.missing([A, B], KEYS) == [A, B]
    assert sorted(os.listdir(tmp_path / "out")) == [
        "a",
        "a.png",
        "batch.jsonl",
        "errors.jsonl",
        "results.jsonl",
    ]


@pytest.mark.medium
def test_a_kill_at_any_byte_of_the_record_loses_no_more_than_its_last_line(tmp_path: Path) -> None:
    with output_folder(tmp_path, [A, B]) as folder:
        for entry, key in ((A, "ka"), (B, "kb")):
            folder.add(entry, key, {}, {})
    whole = (tmp_path / RECORD).read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole) + 1):
        (tmp_path / RECORD).write_bytes(whole[:size])
        with output_folder(tmp_path, [A, B]) as folder:
            left = folder.missing([A, B], KEYS)
            assert len(left) == 2 - max(0, sum(end <= size for end in ends) - 1)
            for entry in left:
                folder.add(entry, KEYS[entry.custom_id], {}, {})
        assert (tmp_path / RECORD).read_bytes() == whole


def test_a_folder_of_results_is_one_runs_at_a_time_and_no_others_file_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with output_folder(tmp_path, []), pytest.raises(typer.Exit), output_folder(tmp_path, []):
        pass
    exits_with(capsys, "Another run", str(tmp_path))
    (tmp_path / RECORD).write_text('{"custom_id": "a"}\n')
    with pytest.raises(typer.Exit), output_folder(tmp_path, []):
        pass
    exits_with(capsys, "--output", "another folder")
    assert (tmp_path / RECORD).read_text() == '{"custom_id": "a"}\n'
    with pytest.raises(typer.Exit), output_folder(tmp_path / RECORD / "x", []):
        pass
    exits_with(capsys, "--output")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    with output_folder(tmp_path, [A]) as folder:
        with pytest.raises(ConnectionError):
            folder.save("a", "image", ".png", broken())
        assert not list(folder.path.rglob("*a.png*"))
