"""``impasto datasets`` against a real service on a real socket, with a worker."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.cli import program
from app.settings import Settings
from tests.support.zips import class_folders, picture, zipped
from worker.runtime.context import make_context
from worker.runtime.run_job import run_next


@pytest.fixture
def service(address: str, settings: Settings) -> Iterator[str]:
    """A service whose jobs are run."""
    context = make_context(settings, "w1", "cpu")
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            run_next(context, ["long"], threading.Event())

    worker = threading.Thread(target=work)
    worker.start()
    yield address
    stop.set()
    worker.join()
    context.engine.dispose()


def impasto(address: str, *arguments: str) -> Result:
    return CliRunner().invoke(program, ["datasets", *arguments, "--url", address])


@pytest.mark.medium
def test_a_folder_becomes_a_set(service: str, tmp_path: Path) -> None:
    for name, data in {**class_folders(cat=2, dog=1), "dog/cut.png": picture(9)[:50]}.items():
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        # As files have it that were unpacked from some images of containers.
        os.utime(path, (0, 0))
    made = impasto(service, "create", "pets", str(tmp_path / "pets"), "--open")
    assert made.exit_code == 0, made.output
    assert (
        "open, 3 members" in made.stdout and "dog/cut.png is left out. The picture is cut off" in made.stderr
    )
    (tmp_path / "more.zip").write_bytes(zipped({"x.png": picture(77)}))
    added = impasto(service, "add", "pets", str(tmp_path / "more.zip"), "--label", "[bird]")
    assert added.exit_code == 0 and "open, 4 members" in added.stdout, added.output
    assert "closed, 4 members" in impasto(service, "close", "pets").stdout
    shown = impasto(service, "show", "pets").stdout
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if "│" in line]
    assert rows == [["[bird]", "1", "1", "0", "0"], ["cat", "2", "1", "1", "0"], ["dog", "1", "1", "0", "0"]]
    assert "widths in pixels: 8 to 15: 4" in shown and "one picture, which is only trained on: 2" in shown
    assert json.loads(impasto(service, "show", "pets", "--json").stdout)["statistics"]["imbalance"] == 2
    listed = json.loads(impasto(service, "list", "--json").stdout)
    assert [item["name"] for item in listed] == ["pets"]
    assert "pets" in impasto(service, "list").stdout
    sheet = impasto(service, "sheet", "pets", "-o", str(tmp_path / "sheet.jpg"), "--columns", "3")
    assert sheet.exit_code == 0, sheet.output
    with Image.open(tmp_path / "sheet.jpg") as picture_of_all:
        assert picture_of_all.size == (192 + 3 * 100, 3 * 100)
    assert impasto(service, "rename", "pets", "animals").exit_code == 0
    (tmp_path / "labels.csv").write_text("file,label\ncat/1.png,lynx\n")
    changes = ["--rename", "dog=", "--drop", "[bird]", "--member", "cat/0.png=big cat"]
    made = impasto(service, "relabel", "animals", "pets", *changes, "--labels", str(tmp_path / "labels.csv"))
    assert made.exit_code == 0 and "closed, 3 members" in made.stdout, made.output
    labels = json.loads(impasto(service, "show", "pets", "--json").stdout)["labels"]
    assert [each["label"] for each in labels] == ["big cat", "lynx", None]
    again = impasto(service, "relabel", "animals", "few", "--drop-member", "0", "--drop-member", "2")
    assert "closed, 2 members" in again.stdout, again.output
    wrong = impasto(service, "relabel", "animals", "other", "--rename", "cat")
    assert wrong.exit_code == 2 and "'cat' has no equals sign" in wrong.stderr
    assert impasto(service, "delete", "pets").exit_code == 0
    gone = impasto(service, "show", "pets")
    assert gone.exit_code == 1 and "404: There is no set 'pets'" in gone.stderr


@pytest.mark.medium
def test_a_built_in_set_is_made(service: str) -> None:
    options = ["--source", "palette", "--classes", "gear,spiral", "--count", "2", "--size", "16"]
    made = impasto(service, "create", "small", *options)
    assert made.exit_code == 0 and "small" in made.stdout and "closed, 4 members" in made.stdout, made.output
    refused = impasto(service, "create", "--source", "palette", "--count", "2")
    assert refused.exit_code == 1 and "needs a name of its own" in refused.stderr
