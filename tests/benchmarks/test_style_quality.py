import math
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from app.cli.demo_pictures import landscape
from app.errors import InputError
from app.networks.catalogue import SHIPPED
from benchmarks.style_quality.__main__ import main
from benchmarks.style_quality.drawings import mask, pen
from benchmarks.style_quality.figures_file import Run, common_pairs, first_setting, write_run
from benchmarks.style_quality.measures import GREY, chroma, copied, speckle, strong_edges
from benchmarks.style_quality.painting import cache_key, code_hash
from benchmarks.style_quality.pairs import LIST, choose, listed_pairs
from benchmarks.style_quality.report import Result, curve_ratio, geometric_mean, mean_figures, ratios, table
from benchmarks.style_quality.settings import Setting, parse_setting, parse_settings, parse_weights
from benchmarks.style_quality.sheets import shuffled, write_blind
from models.network import Network
from models.registry import load_network

SIDE = 33


def result(setting: str, pair: str, picture: str = "p.png", **figures: float) -> Result:
    return Result(setting, 15.0, pair, figures, picture, ("c", "s"))


def test_geometric_mean() -> None:
    assert geometric_mean([1, 4, 16]) == pytest.approx(4)
    assert geometric_mean([3, 0]) == 0
    assert math.isnan(geometric_mean([]))


def test_means_are_over_the_pairs_that_have_a_figure() -> None:
    results = [result("a", "x", style=1, chroma=0.5), result("a", "y", style=4)]
    assert mean_figures(results) == pytest.approx({"style": 2, "chroma": 0.5})


def test_ratios_are_over_common_pairs() -> None:
    ours = [result("a", "x", style=1), result("a", "y", style=8), result("a", "z", style=100)]
    theirs = [result("b", "x", style=2), result("b", "y", style=4)]
    assert ratios(ours, theirs) == pytest.approx({"style": 1})


def test_a_curve_below_the_first_by_a_fifth() -> None:
    # style = 1 / content, and a fifth less at other contents.
    first = [(1.0, 1.0), (2.0, 0.5), (4.0, 0.25)]
    other = [(8.0, 0.1), (1.5, 0.8 / 1.5)]
    assert curve_ratio(first, other) == pytest.approx(0.8)
    assert curve_ratio(first, first) == pytest.approx(1)


@pytest.mark.parametrize("other", [[(5.0, 1.0), (6.0, 1.0)], [(2.0, 1.0)]])
def test_curves_without_a_common_range_do_not_compare(other: list[tuple[float, float]]) -> None:
    assert math.isnan(curve_ratio([(1.0, 1.0), (4.0, 0.25)], other))


def test_table() -> None:
    assert table(["a", "bc"], [["long", "1"]]) == "a     bc\nlong   1"


RECIPE: dict[str, Any] = {
    "params": {"content": "a.png", "style": ["b.png"], "steps": 200},
    "inputs": {"content": ["c0"], "style": ["57"]},
}


def test_the_key_is_that_of_content_and_code() -> None:
    key = cache_key(RECIPE, "code")
    renamed = {**RECIPE, "params": {**RECIPE["params"], "content": "z.png", "style": ["y.png"]}}
    assert cache_key(renamed, "code") == key
    others = [
        cache_key(RECIPE, "other code"),
        cache_key({**RECIPE, "params": {**RECIPE["params"], "steps": 201}}, "code"),
        cache_key({**RECIPE, "inputs": {"content": ["c1"], "style": ["57"]}}, "code"),
    ]
    assert len({key, *others}) == 4


def test_the_code_is_that_of_what_paints(tmp_path: Path) -> None:
    for file in ("worker/losses/gram.py", "worker/training/loop.py"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text("one")
    code_hash.cache_clear()
    before = code_hash(tmp_path)
    (tmp_path / "worker/training/loop.py").write_text("two")
    code_hash.cache_clear()
    assert code_hash(tmp_path) == before
    (tmp_path / "worker/losses/gram.py").write_text("two")
    code_hash.cache_clear()
    assert code_hash(tmp_path) != before


def test_a_setting() -> None:
    found = parse_setting(
        "new: style-weight=4, content_layers=relu2_1=0.5,relu3_1=1,style_layers=relu1_1,relu2_1"
    )
    assert found == Setting(
        "new",
        {
            "style_weight": "4",
            "content_layers": "relu2_1=0.5,relu3_1=1",
            "style_layers": "relu1_1,relu2_1",
        },
    )
    params = found.resolve(SHIPPED, "pair", 128, None).model_dump()
    assert (params["style_weight"], params["size"]) == (4, 128)
    assert params["content_layers"] == {"relu2_1": 0.5, "relu3_1": 1}
    assert params["style_layers"] == {"relu1_1": 1, "relu2_1": 1}
    assert found.resolve(SHIPPED, "pair", 128, 60.0).model_dump()["style_weight"] == 60


def test_a_setting_with_a_network_file() -> None:
    assert parse_setting("new:palette=a/b.safetensors") == Setting("new", {}, Path("a/b.safetensors"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (":steps=2", "name"),
        ("steps=2", "name"),
        ("published:steps=2", "name"),
        ("a:stepz=2", "stepz"),
        ("a:steps=2,fast", "fast"),
        ("a:steps=2,steps=3", "twice"),
        ("a:size=512", "--size"),
        ("a:style_layers=relu1_1,content=b.png", "content"),
    ],
)
def test_a_setting_that_is_none(text: str, word: str) -> None:
    with pytest.raises(InputError, match=word) as error:
        parse_setting(text)
    assert error.value.field == "setting"


@pytest.mark.parametrize(
    "text", ["a:steps=none", "a:style_layers=relu9_1", "a:network=none", "a:style_weight=-1"]
)
def test_params_that_are_wrong_are_named(text: str) -> None:
    setting = parse_setting(text)
    with pytest.raises(InputError, match=f"a: {text[2:].partition('=')[0]}") as error:
        setting.resolve(SHIPPED, "pair", 128, None)
    assert error.value.field == "setting"


def test_names_of_settings_differ() -> None:
    with pytest.raises(InputError, match="'a'"):
        parse_settings(["a:steps=2", "a:steps=3"])


def test_style_weights() -> None:
    assert parse_weights("15, 1,4,15") == [1, 4, 15]
    for text in ("", "1,x", "0", "-1", "inf", "nan"):
        with pytest.raises(InputError) as error:
            parse_weights(text)
        assert error.value.field == "style-weights"


def test_listed_pairs(tmp_path: Path) -> None:
    for name in ("a.png", "b c.png", "d.png"):
        (tmp_path / name).touch()
    (tmp_path / LIST).write_text("# contents and styles\n\na.png 'b c.png'\nb\\ c.png a.png d.png  # done\n")
    first, second = listed_pairs(tmp_path)
    assert (first.name, first.published) == ("a+b c", None)
    assert (second.content, second.published) == (tmp_path / "b c.png", tmp_path / "d.png")
    assert choose([first, second], "b c+a") == [second]


@pytest.mark.parametrize(
    "text", ["a.png\n", "a.png a.png a.png a.png\n", "a.png none.png\n", "'a.png a.png\n", ""]
)
def test_a_list_that_is_wrong(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / LIST).write_text(text)
    with pytest.raises(InputError, match="line 1" if text else "no pairs") as error:
        listed_pairs(tmp_path)
    assert error.value.field == "pairs"


def test_pairs_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / LIST).write_text("a.png a.png\na.png a.png\n")
    with pytest.raises(InputError, match=r"a\+a"):
        choose(listed_pairs(tmp_path), None)


def test_chroma() -> None:
    grey = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(1, 3, 8, 8)
    assert chroma(grey) == pytest.approx(0, abs=1e-7)
    # Red less its mean is (2, -1, -1) / 3.
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 1
    assert chroma(red) == pytest.approx(math.sqrt(2) / 3)
    assert chroma(0.5 + 0.1 * red) == pytest.approx(0.1 * math.sqrt(2) / 3, rel=1e-5)


@pytest.mark.medium
def test_the_pen_drawing_is_grey() -> None:
    assert chroma(as_tensor(pen())) < GREY / 100


def places() -> tuple[Tensor, Tensor]:
    """The row and the column of each pixel from the middle."""
    line = torch.arange(SIDE) - SIDE // 2
    return torch.meshgrid(line, line, indexing="ij")


def on_white(ink: Tensor) -> Tensor:
    """A drawing (1, 3, H, W) with ink (H, W), 0 for none to 1 for black."""
    return 1 - ink.float().expand(1, 3, *ink.shape)


def test_dots_are_speckle() -> None:
    y, x = places()
    # Of 25 pixels one is black: 255 / 25 levels.
    assert speckle(on_white((y % 5 == 0) & (x % 5 == 0))) == pytest.approx(255 / 25, rel=0.2)


def test_speckle_of_a_part() -> None:
    y, x = places()
    picture = on_white((y % 5 == 0) & (x % 5 == 0) & (x > 0))
    left = (x < -3).expand(1, 1, SIDE, SIDE)
    assert speckle(picture, left) == 0
    assert speckle(picture, ~left) > speckle(picture)


def test_strong_edges_are_where_it_changes_and_what_is_beside() -> None:
    picture = torch.zeros(1, 3, 20, 20)
    assert not bool(strong_edges(picture).any())
    assert speckle(picture, strong_edges(picture)) == 0
    picture[..., 10:] = 1
    assert strong_edges(picture)[0, 0].sum(0).nonzero().flatten().tolist() == [8, 9, 10]
    noise = torch.rand(1, 3, 50, 50, generator=torch.Generator().manual_seed(0))
    assert 0.1 < float(strong_edges(noise).float().mean()) < 0.9


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_strokes_and_edges_are_not(degrees: int) -> None:
    y, x = places()
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    away, along = y * cos - x * sin, y * sin + x * cos
    assert speckle(on_white((away + 0.5).clamp(0, 1))) < 0.01
    line = (1.2 - away.abs()).clamp(0, 1)
    in_dots = speckle(on_white(line * (along.round() % 4 < 2)))
    assert in_dots > 1.5
    assert speckle(on_white(line)) < in_dots / 8


@pytest.fixture(scope="module")
def lite0() -> Network:
    return load_network("efficientnet_lite0")


def as_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None] / 255


@pytest.mark.medium
def test_a_face_of_the_style_is_copied_and_its_texture_is_not(lite0: Network) -> None:
    content, style = (as_tensor(draw().resize((256, 192))) for draw in (landscape, mask))
    faced = content.clone()
    faced[..., 10:140, 100:200] = 0.5 * content[..., 10:140, 100:200] + 0.5 * style[..., 20:150, 40:140]
    tiles = style.unfold(2, 32, 32).unfold(3, 32, 32).flatten(2, 3)
    order = torch.randperm(tiles.shape[2], generator=torch.Generator().manual_seed(0))
    rows = tiles[:, :, order].unflatten(2, (6, 8))
    shuffled_tiles = rows.permute(0, 1, 2, 4, 3, 5).flatten(4, 5).flatten(2, 3)
    textured = 0.5 * content + 0.5 * shuffled_tiles
    itself, of_face, of_tiles, of_content = (
        copied(lite0, picture, style) or 0.0 for picture in (style, faced, textured, content)
    )
    assert itself == pytest.approx(1, abs=1e-4)
    assert of_face > 2 * max(of_tiles, of_content) > 0


@pytest.mark.medium
def test_what_is_narrower_than_a_window_has_no_copies(lite0: Network) -> None:
    assert copied(lite0, torch.rand(1, 3, 32, 256), torch.rand(1, 3, 64, 64)) is None


def test_the_sides_of_blind_pairs_are_random_and_balanced() -> None:
    pairs = [str(number) for number in range(9)]
    drawn = [shuffled(pairs, "a", "b", random.Random(seed)) for seed in range(40)]
    for sheets in drawn:
        assert sorted(each.pair for each in sheets) == pairs
        assert all({each.left, each.right} == {"a", "b"} for each in sheets)
        assert sum(each.left == "a" for each in sheets) in (4, 5)
    for places in (Counter(sheets[0].pair for sheets in drawn), Counter(sheets[0].left for sheets in drawn)):
        assert len(places) > 1


def test_blind_sheets_and_their_key(tmp_path: Path) -> None:
    import json

    def picture(name: str, color: str, size: tuple[int, int] = (40, 30)) -> Path:
        Image.new("RGB", size, color).save(tmp_path / name)
        return tmp_path / name

    inputs = {name: (picture("c.png", "white"), picture("s.png", "black")) for name in ("x", "y", "z")}
    ours, theirs = str(picture("o.png", "red")), str(picture("t.png", "blue", (80, 60)))
    results = [result(s, p, q) for p in ("x", "y", "z") for s, q in (("ours", ours), ("published", theirs))]
    folder = tmp_path / "blind"
    assert write_blind(results[:-1], inputs, ("ours", "published"), folder, 3) == 2
    key = json.loads((folder / "key.json").read_text())
    assert sorted(entry["pair"] for entry in key.values()) == ["x", "y"]
    for number, entry in key.items():
        with Image.open(folder / f"{number}.png") as sheet:
            below = sheet.height * 3 // 4 - 10
            colors = [sheet.getpixel((sheet.width * place // 4, below)) for place in (1, 3)]
        wanted = {"ours": (255, 0, 0), "published": (0, 0, 255)}
        assert colors == [wanted[entry["left"]], wanted[entry["right"]]]


def test_an_earlier_run_comes_first_where_its_pictures_are_the_same(tmp_path: Path) -> None:
    earlier = [result("today", "x", str(tmp_path / "p.png"), style=1), result("today", "y", style=1)]
    write_run(Run(command=[], size=256, results=[*earlier, result("other", "x")]), tmp_path)
    path = tmp_path / "figures.json"
    assert first_setting(path, 256, {"x": ("c", "s"), "y": ("c", "another")}) == earlier[:1]
    for size, inputs in ((512, {"x": ("c", "s")}), (256, {"x": ("c", "another")})):
        with pytest.raises(InputError) as error:
            first_setting(path, size, inputs)
        assert error.value.field == "against"


def test_means_compare_the_pairs_of_every_setting() -> None:
    results = [result("a", "x"), result("a", "y"), result("b", "y")]
    assert [(each.setting, each.pair) for each in common_pairs(results)] == [("a", "y"), ("b", "y")]


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["style_quality", *options])
    main()


@pytest.mark.parametrize(
    "options",
    [
        ["--setting", "a:stepz=2"],
        ["--style-weights", "none"],
        ["--pairs", "none"],
        ["--only", "none", "--no-drawn", "--no-photographs"],
        ["--no-drawn", "--no-photographs"],
    ],
)
def test_errors_name_the_option(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, *options, "-o", str(tmp_path / "out"))
    assert error.value.code == 2
    named = "--no-drawn" if "--no-drawn" in options else options[0]
    assert f"error: {named}:" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_goes_on_with_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--size", "64", "--only", "tower+pen", "--no-photographs", "--style-weights", "1,9"]
    options += ["--threads", "1", "-o", str(tmp_path)]
    for content in ("tower", "pen"):
        Image.new("RGB", (96, 64), {"tower": "teal", "pen": "grey"}[content]).save(
            tmp_path / f"{content}.png"
        )
    Image.new("RGB", (64, 43), "navy").save(tmp_path / "done.png")
    (tmp_path / LIST).write_text("tower.png pen.png done.png\n")
    options += ["--pairs", str(tmp_path), "--no-drawn"]
    run(monkeypatch, *options, "--setting", "short:steps=2", "--setting", "shorter:steps=1")
    shown = capsys.readouterr()
    assert "shorter 9, of published" in shown.out
    assert "style at equal content" in shown.out
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "pictures").iterdir()}
    assert len(kept) == 4
    assert {path.name for path in tmp_path.iterdir()} >= {"figures.json", "curves.png", "contact-sheet.jpg"}
    run(monkeypatch, *options, "--setting", "again:steps=2", "--blind", "again", "published")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "pictures").iterdir()} == kept
    assert (tmp_path / "blind" / "001.png").exists()
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, *options, "--blind", "none", "published")
    assert error.value.code == 2
