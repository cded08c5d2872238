"""Kinds that take a set: over the service, and on the command line."""

import json
import threading
from pathlib import Path

import pytest
from alembic import command
from typer.testing import CliRunner

from app.cli import make_program
from app.database.migrations import configuration
from app.datasets.repository import all_members, find_dataset, get_dataset, list_datasets
from app.datasets.service import DatasetService
from app.errors import InputError
from app.images.repository import image_key
from app.jobs import repository
from app.jobs.errors import ParamsError
from app.jobs.job import Job
from app.jobs.states import State
from app.kinds import KINDS
from app.settings import Settings
from tests.support import counting
from tests.support.counting import CountingParams
from tests.support.worker_context import queue_import as queue
from tests.support.worker_context import run, submit
from tests.support.zips import class_folders, picture, zipped
from worker.datasets.local import LocalSet, open_local
from worker.datasets.members import load_sets
from worker.runtime.context import WorkerContext
from worker.runtime.run_job import run_next


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, counting.SPEC.name, counting.SPEC)


def run_short(context: WorkerContext) -> Job:
    assert run_next(context, ["short"], threading.Event())
    return repository.list_jobs(context.engine, limit=1)[0]


@pytest.mark.medium
def test_digits_are_made_on_first_use_and_named_by_their_content(context: WorkerContext) -> None:
    job = submit(context, CountingParams(dataset="digits", at_most=40))
    made = find_dataset(context.engine, "digits")
    assert made is not None and made.state == "open" and job.params["dataset"] == made.id
    done = run_short(context)
    assert done.state is State.SUCCEEDED and done.result is not None, done.error
    # scikit-learn's first ten digits are 0 to 9.
    assert done.result["names"][:10] == [f"{digit}/{digit:04}.png" for digit in range(10)]
    made = find_dataset(context.engine, "digits")
    assert made is not None and (made.state, made.members) == ("closed", 1797)
    reference = f"{made.id}@{made.sha256}"
    recipe = done.result["recipe"]
    assert (recipe["params"]["dataset"], recipe["inputs"]["dataset"]) == (reference, [made.sha256])
    # A recipe from elsewhere, where the set has another id.
    again = submit(context, CountingParams(dataset=f"other@{made.sha256}", at_most=40))
    assert again.params["dataset"] == reference
    assert run_short(context).result == {**done.result, "compute_seconds": pytest.approx(0, abs=60)}


@pytest.mark.medium
def test_a_member_whose_file_is_gone_is_called_by_its_name(context: WorkerContext) -> None:
    submit(context, CountingParams(dataset="digits", at_most=40))
    run_short(context)
    datasets = DatasetService(context.settings, context.engine, context.storage)
    made = get_dataset(context.engine, "digits")
    sets, _ = load_sets(datasets, CountingParams(dataset=made.reference))
    member = sets["dataset"][1]
    assert member.image_id is not None
    context.storage.delete(image_key(member.image_id))
    with pytest.raises(InputError, match=r"The file of 1/0001\.png is gone: make the set again"):
        member.source.load()


def test_a_set_that_cannot_be_used_is_refused_when_the_job_is_submitted(context: WorkerContext) -> None:
    datasets = DatasetService(context.settings, context.engine, context.storage)
    datasets.begin("open")
    for reference, reason in (
        ("open", "is open: close it first"),
        ("none", "no set 'none'"),
        (f"none@{'0' * 64}", "No set with the content"),
    ):
        with pytest.raises(ParamsError, match=reason) as refused:
            submit(context, CountingParams(dataset=reference))
        assert refused.value.field == "dataset"
    assert [dataset.name for dataset in list_datasets(context.engine, limit=9)] == ["open"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of class folders, a ZIP of the same, and a table beside its pictures."""
    files = class_folders(cat=2, dog=1)
    for name, data in files.items():
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "pets" / ".hidden.png").write_bytes(b"x")
    (tmp_path / "pets" / "cat" / "damaged.png").write_bytes(picture(1)[:50])
    (tmp_path / "pets.zip").write_bytes(zipped({**files, "dog/damaged.png": b"x"}))
    rows = "".join(f"pets/{name},{name.partition('/')[0]}\n" for name in files)
    (tmp_path / "pets.csv").write_text(f"file,label\n{rows}")
    return tmp_path


def opened(path: Path | str, context: WorkerContext) -> LocalSet:
    return open_local(str(path), "dataset", (None, None), context.settings)


def labels(found: LocalSet) -> list[tuple[str, str | None]]:
    return [(member.name, member.label) for member in found.members]


def test_folders_and_zips_are_the_set_that_a_service_makes(context: WorkerContext, pictures: Path) -> None:
    folder, archive = opened(pictures / "pets", context), opened(pictures / "pets.zip", context)
    assert labels(folder) == labels(archive)
    assert labels(folder) == [("cat/0.png", "cat"), ("cat/1.png", "cat"), ("dog/0.png", "dog")]
    assert folder.sha256 == archive.sha256
    assert [name for name, _ in folder.skipped + archive.skipped] == ["cat/damaged.png", "dog/damaged.png"]
    table = opened(pictures / "pets.csv", context)
    assert [label for _, label in labels(table)] == ["cat", "cat", "dog"]
    for found in (folder, archive, table):
        loaded = [member.source.load().rgb for member in found.members]  # type: ignore[union-attr]
        assert [tuple(rgb.shape) for rgb in loaded] == [(1, 3, 8, 9)] * 3
        assert [round(float(rgb[0, 0, 0, 0]) * 255) for rgb in loaded] == [0, 1, 2]
    service = DatasetService(context.settings, context.engine, context.storage)
    dataset = queue(context, zipped(class_folders(cat=2, dog=1)))
    assert run(context).state is State.SUCCEEDED
    made = get_dataset(service.engine, dataset.params["dataset"])
    assert made.sha256 == folder.sha256
    sets, hashes = load_sets(service, CountingParams(dataset=made.reference))
    assert hashes == {"dataset": folder.sha256}
    assert [member.part for member in sets["dataset"]] == [member.part for member in folder.members]
    assert sorted(str(member.part) for member in folder.members) == ["train", "train", "validation"]
    stored = [member.image_id for member in all_members(service.engine, made.id)]
    assert [member.image_id for member in sets["dataset"]] == stored
    assert {member.image_id for member in folder.members} == {None}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent", "name a folder, a ZIP, a CSV beside pictures, or a built-in set: digits, palette"),
        ("empty", "no picture in it"),
        ("text.zip", "no ZIP"),
        ("absent.csv", "cannot be read"),
        ("wrong.csv", "1 files that are not there, such as 'a.png'"),
        ("bare.csv", "no column 'label'"),
    ],
)
def test_what_is_no_set_says_so(context: WorkerContext, tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("text")
    (tmp_path / "wrong.csv").write_text("file,label\na.png,x\n")
    (tmp_path / "bare.csv").write_text("file\na.png\n")
    with pytest.raises(InputError, match=reason) as refused:
        opened(tmp_path / name, context)
    assert refused.value.field == "dataset"


@pytest.mark.medium
def test_a_command_takes_a_set(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pictures)
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    program = make_program()
    result = CliRunner().invoke(program, ["counting", "pets.zip", "-o", "out.json"])
    assert result.exit_code == 0, result.output
    assert json.loads(Path("out.json").read_text())["labels"] == {"cat": 2, "dog": 1}
    result = CliRunner().invoke(program, ["counting", "digits", "--at-most", "20"])
    assert set(json.loads(result.stdout)["labels"].values()) == {2}
    wrong = CliRunner().invoke(program, ["counting", "nothing"])
    assert wrong.exit_code == 2 and "There is no 'nothing'" in wrong.stderr


def test_the_data_folder_of_a_former_version_says_so(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_DATA_DIR", str(pictures / "data"))
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    (pictures / "data").mkdir()
    command.upgrade(configuration(Settings(data_dir=pictures / "data").resolved_database_url), "0008")
    refused = CliRunner().invoke(make_program(), ["counting", "pets"])
    assert refused.exit_code == 2 and "start `impasto serve` once" in refused.stderr, refused.output
    # A path is no set of the data folder.
    monkeypatch.chdir(pictures)
    assert CliRunner().invoke(make_program(), ["counting", "pets.zip"]).exit_code == 0
