from pathlib import Path

import pytest
import torch

from models.procedural import CLASSES, draw
from worker.training import drawings
from worker.training.drawings import DrawnSet, draw_set, set_folder


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawings, "PER_CLASS", 1)


def write_file(folder: Path, number: int) -> None:
    set_folder(folder, 16).mkdir(parents=True, exist_ok=True)
    drawings._draw_file((set_folder(folder, 16), 16, number, "rough"))


@pytest.mark.medium
def test_pictures_are_those_of_their_seeds(tmp_path: Path) -> None:
    for number in (0, 1):
        write_file(tmp_path, number)
    drawn = DrawnSet(tmp_path, size=16, files=2)
    assert len(drawn) == 2 * len(CLASSES)
    chosen = torch.tensor([70, 3])
    assert drawn.classes[chosen].tolist() == [6, 3]
    expected = (draw([6, 3], [1, 0], 16) * 255).round().byte()
    assert torch.equal(drawn.pictures(chosen), expected)


@pytest.mark.medium
def test_a_set_that_is_there_is_not_drawn_again(tmp_path: Path) -> None:
    write_file(tmp_path, 0)
    before = (set_folder(tmp_path, 16) / "0000.npy").stat().st_mtime_ns
    assert list(draw_set(tmp_path, size=16, files=1, processes=1)) == [1]
    assert (set_folder(tmp_path, 16) / "0000.npy").stat().st_mtime_ns == before
    assert [path.name for path in set_folder(tmp_path, 16).iterdir()] == ["0000.npy"]


@pytest.mark.medium
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_file(tmp_path, 0)
    with pytest.raises(FileNotFoundError, match=r"0001\.npy"):
        DrawnSet(tmp_path, size=16, files=2)
