"""Built-in sets: CIFAR-10 from small files of the right format, and palette with options."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.datasets import cifar10
from app.datasets.builtin import PaletteOptions, parse_options
from app.datasets.errors import InvalidDataset
from app.datasets.repository import find_dataset, get_dataset
from app.datasets.service import DatasetService
from app.errors import InputError
from app.jobs.errors import ParamsError
from app.jobs.filling import make_built_in
from app.jobs.states import State
from app.kinds import KINDS
from tests.support import counting
from tests.support.counting import CountingParams
from tests.support.worker_context import job_service, run, submit
from worker.datasets.builtin import open_built_in
from worker.datasets.local import open_local
from worker.datasets.members import load_sets
from worker.runtime.context import WorkerContext

PICTURES = 3


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "PICTURES", PICTURES)
    monkeypatch.setitem(KINDS, counting.SPEC.name, counting.SPEC)


def records() -> NDArray[np.uint8]:
    """Six files of records: picture n of class n % 10, red n, green 100 + column, blue its row."""
    count = 6 * PICTURES
    found = np.zeros((count, 3, 32, 32), np.uint8)
    found[:, 0] = np.arange(count)[:, None, None]
    found[:, 1] = 100 + np.arange(32)
    found[:, 2] = np.arange(32)[:, None]
    labels = np.arange(count, dtype=np.uint8)[:, None] % 10
    return np.concatenate([labels, found.reshape(count, -1)], axis=1).reshape(6, PICTURES, cifar10.RECORD)


def put_folder(data_dir: Path) -> Path:
    folder = data_dir / cifar10.FOLDER
    folder.mkdir(parents=True)
    for name, content in zip(cifar10.FILES, records(), strict=True):
        (folder / name).write_bytes(content.tobytes())
    (folder / "batches.meta.txt").write_text("airplane\n")
    return folder


def put_archive(data_dir: Path, *, leave_out: str = "", extra: dict[str, bytes] | None = None) -> Path:
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / cifar10.ARCHIVE
    contents = {f"{cifar10.FOLDER}/{n}": c.tobytes() for n, c in zip(cifar10.FILES, records(), strict=True)}
    with tarfile.open(path, "w:gz") as archive:
        for name, data in {**contents, **(extra or {})}.items():
            if not leave_out or not name.endswith(leave_out):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return path


def test_the_pictures_of_cifar10_are_read(tmp_path: Path) -> None:
    put_folder(tmp_path)
    found = open_built_in(parse_options("cifar10", {}), tmp_path)
    assert len(found) == 18
    pictures = list(found.pictures(0, 100))
    assert [p.name for p in pictures[:2]] == ["train/airplane/00000.png", "train/automobile/00001.png"]
    assert [p.name for p in pictures[14:16]] == ["train/deer/00014.png", "test/dog/00000.png"]
    assert pictures[9].label == "truck"
    assert [int(p.pixels[0, 0, 0]) for p in pictures] == list(range(18))
    assert pictures[5].pixels.shape == (32, 32, 3)
    assert pictures[5].pixels[7, 20].tolist() == [5, 120, 7]
    assert [p.name for p in found.pictures(16, 18)] == [p.name for p in pictures[16:]]


def test_cifar10_is_a_set_whose_test_part_is_the_published_one(context: WorkerContext) -> None:
    put_folder(context.settings.data_dir)
    submit(context, CountingParams(dataset="cifar10", at_most=40))
    done = run(context)
    assert done.state is State.SUCCEEDED, done.error
    service = DatasetService(context.settings, context.engine, context.storage)
    made = get_dataset(context.engine, "cifar10")
    assert (made.state, made.members, made.source) == ("closed", 18, "cifar10")
    members = load_sets(service, CountingParams(dataset=made.reference))[0]["dataset"]
    assert [member.name for member in members if member.part == "test"] == [
        "test/dog/00000.png",
        "test/frog/00001.png",
        "test/horse/00002.png",
    ]
    local = open_local("cifar10", "dataset", (None, None), context.settings)
    assert local.sha256 == made.sha256
    assert [member.part for member in local.members] == [member.part for member in members]


def test_the_archive_is_unpacked_once_and_nothing_else_of_it(tmp_path: Path) -> None:
    archive = put_archive(
        tmp_path / "data", extra={"../outside.bin": b"x", "cifar-10-batches-bin/x.html": b"x"}
    )
    folder = cifar10.unpacked(tmp_path / "data")
    assert sorted(path.name for path in folder.iterdir()) == sorted(cifar10.FILES)
    assert (folder / "test_batch.bin").read_bytes() == records()[5].tobytes()
    assert sorted(path.name for path in tmp_path.rglob("*.bin")) == sorted(cifar10.FILES)
    archive.unlink()
    assert cifar10.unpacked(tmp_path / "data") == folder


def test_what_is_wrong_with_the_files_is_said(tmp_path: Path) -> None:
    with pytest.raises(cifar10.Cifar10Error, match=r"put cifar-10-binary.tar.gz of .* into .*/nothing, or"):
        cifar10.unpacked(tmp_path / "nothing")
    put_archive(tmp_path / "short", leave_out="data_batch_3.bin")
    with pytest.raises(cifar10.Cifar10Error, match="has not all of"):
        cifar10.unpacked(tmp_path / "short")
    cut = put_archive(tmp_path / "cut")
    cut.write_bytes(cut.read_bytes()[:200])
    with pytest.raises(cifar10.Cifar10Error, match="cannot be read"):
        cifar10.unpacked(tmp_path / "cut")
    large = {f"{cifar10.FOLDER}/test_batch.bin": bytes(PICTURES * cifar10.RECORD + 1)}
    put_archive(tmp_path / "large", extra=large)
    with pytest.raises(cifar10.Cifar10Error, match=r"test_batch.bin has 9,220 bytes"):
        cifar10.unpacked(tmp_path / "large")
    for name in ("short", "cut", "large"):
        assert [path.name for path in (tmp_path / name).iterdir()] == [cifar10.ARCHIVE]
    folder = put_folder(tmp_path / "files")
    (folder / "data_batch_2.bin").write_bytes(b"x")
    assert "data_batch_2.bin has 1 bytes and not 9,219" in str(cifar10.problem_of(tmp_path / "files"))
    (folder / "data_batch_2.bin").unlink()
    assert f"There is no {folder / 'data_batch_2.bin'}" in str(cifar10.problem_of(tmp_path / "files"))


def test_an_unknown_class_is_damage(tmp_path: Path) -> None:
    path = put_folder(tmp_path) / "data_batch_1.bin"
    path.write_bytes(b"\x0a" + path.read_bytes()[1:])
    with pytest.raises(cifar10.Cifar10Error, match="a picture has the class 10"):
        list(open_built_in(parse_options("cifar10", {}), tmp_path).pictures(0, 1))


def test_cifar10_without_its_files_is_refused_where_it_is_asked_for(context: WorkerContext) -> None:
    with pytest.raises(ParamsError, match="put cifar-10-binary") as refused:
        submit(context, CountingParams(dataset="cifar10"))
    assert refused.value.field == "dataset"
    with pytest.raises(InputError, match="put cifar-10-binary") as unusable:
        open_local("cifar10", "dataset", (None, None), context.settings)
    assert unusable.value.field == "dataset"
    datasets = DatasetService(context.settings, context.engine, context.storage)
    with pytest.raises(InvalidDataset, match="put cifar-10-binary") as invalid:
        make_built_in(job_service(context), datasets, "cifar10", None, {})
    assert invalid.value.field == "source"
    assert find_dataset(context.engine, "cifar10") is None
    folder = put_folder(context.settings.data_dir)
    submit(context, CountingParams(dataset="cifar10"))
    (folder / "test_batch.bin").unlink()
    done = run(context)
    assert done.error is not None and "test_batch.bin" in done.error["detail"]
    assert done.error["field"] == "dataset"


def test_limits_hold_for_palette_and_not_for_sets_that_are_always_the_same(context: WorkerContext) -> None:
    settings = context.settings.model_copy(update={"max_dataset_members": 10})
    put_folder(settings.data_dir)
    datasets = DatasetService(settings, context.engine, context.storage)
    jobs = job_service(context)
    with pytest.raises(
        InvalidDataset, match=r"6 pictures of 2 classes are 12, and a set may have 10: .* most 5"
    ):
        make_built_in(jobs, datasets, "palette", "p", {"classes": ["gear", "spiral"], "count": 6})
    with pytest.raises(InvalidDataset, match="of 64 classes are 1,024"):
        make_built_in(jobs, datasets, "palette", None, {})
    make_built_in(jobs, datasets, "cifar10", None, {})
    assert run(context).state is State.SUCCEEDED
    assert get_dataset(context.engine, "cifar10").members == 18


def test_palette_draws_any_classes_and_any_count() -> None:
    options = parse_options(
        "palette", {"classes": ["gear", "spiral", "polka dots"], "count": 3, "seed": 8, "size": 24}
    )
    assert isinstance(options, PaletteOptions)
    found = open_built_in(options, Path())
    assert len(found) == 9
    pictures = list(found.pictures(2, 5))
    assert [p.name for p in pictures] == ["gear/000010.png", "spiral/000008.png", "spiral/000009.png"]
    assert {p.pixels.shape for p in pictures} == {(24, 24, 3)}
    every = parse_options("palette", {"count": 700})
    assert len(open_built_in(every, Path())) == 64 * 700
