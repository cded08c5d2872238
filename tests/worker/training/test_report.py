"""The report of a training."""

import csv
import io
import json
from collections.abc import Sequence

import pytest
import torch

from app.datasets.split import Part
from app.errors import InputError
from worker.contract.inputs import Member, Source
from worker.media.clips import Clip
from worker.media.pictures import Picture
from worker.training.history import Epoch
from worker.training.report import OF_CELL, OF_CELLS, Predictions, Report, report

CLASSES = ["cat", "dog", "owl"]
HISTORY = [Epoch(1, 1.1, 0.4, 0.1, 1.0, 0.5, 0.4), Epoch(2, 0.7, 0.8, 0.05, 0.8, 0.75, 0.7)]


def _load() -> Picture:
    return Picture(torch.full((1, 3, 8, 8), 0.5))


def _member(place: int, label: int, part: Part) -> Member:
    return Member(Source("", _load), CLASSES[label % 3], f"{part}-{place}.png", part, f"id-{part}-{place}")


def _predictions(part: Part, right: Sequence[int], guessed: Sequence[int], classes: int = 3) -> Predictions:
    logits = 3.0 * torch.nn.functional.one_hot(torch.tensor(guessed), classes)
    # The later, the surer.
    logits *= 1 + torch.arange(len(right))[:, None] / 100
    members = [_member(place, label, part) for place, label in enumerate(right)]
    return Predictions(members, torch.tensor(right), logits)


def _report(**parts: Predictions) -> Report:
    given: dict[Part, Predictions] = {"train": _predictions("train", [0, 1, 2], [0, 1, 2]), **parts}  # type: ignore[dict-item]
    members = [member for each in given.values() for member in each.members]
    return report("cnn on pets", CLASSES, given, members, HISTORY, 2)


def test_the_measures_are_of_the_test_part() -> None:
    found = _report(
        validation=_predictions("validation", [0, 1, 2], [0, 1, 1]),
        test=_predictions("test", [0, 0, 1, 2], [0, 1, 1, 2]),
    )
    result = found.result
    assert (result["part"], result["test_accuracy"], result["top5"]) == ("test", 0.75, 1.0)
    assert result["val_accuracy"] == pytest.approx(2 / 3)
    assert result["split"] == {"train": 3, "validation": 3, "test": 4}
    assert (result["best_epoch"], result["epochs"], result["notes"]) == (2, 2, [])
    dog = result["per_class"][1]
    assert (dog["precision"], dog["recall"], dog["support"]) == (0.5, 1.0, 1)
    assert dog["f1"] == pytest.approx(2 / 3)
    assert result["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)


def test_parts_without_predictions_are_counted_in_the_set() -> None:
    test = _predictions("test", [0, 1], [0, 1])
    members = [*test.members, *(_member(place, 0, "train") for place in range(5))]
    found = report("cnn on pets", CLASSES, {"test": test}, members, HISTORY, 2)
    assert found.result["split"] == {"train": 5, "validation": 0, "test": 2}


def test_cells_of_the_confusion_matrix_name_their_pictures() -> None:
    confusion = _report(test=_predictions("test", [0, 0, 1, 2], [0, 1, 1, 2])).result["confusion"]
    assert confusion["labels"] == CLASSES
    assert confusion["counts"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert confusion["pictures"]["0,1"] == [{"image": "id-test-1", "name": "test-1.png"}]
    assert set(confusion["pictures"]) == {"0,0", "0,1", "1,1", "2,2"}


@pytest.mark.medium
def test_a_cell_names_a_dozen_pictures_at_most() -> None:
    confusion = _report(test=_predictions("test", [0] * 40, [1] * 40)).result["confusion"]
    assert confusion["labels"] == ["cat", "dog"]
    assert confusion["counts"] == [[0, 40], [0, 0]]
    assert len(confusion["pictures"]["0,1"]) == OF_CELL


def test_the_surest_mistake_is_named_first() -> None:
    mistakes = _report(test=_predictions("test", [0, 1, 2, 0], [1, 1, 0, 0])).result["mistakes"]
    assert [(each["name"], each["label"], each["taken_for"]) for each in mistakes] == [
        ("test-2.png", "owl", "cat"),
        ("test-0.png", "cat", "dog"),
    ]
    assert mistakes[0]["image"] == "id-test-2"
    assert mistakes[0]["probability"] > mistakes[1]["probability"]


def test_without_a_test_part_there_is_no_test_accuracy_and_it_is_said() -> None:
    result = _report(validation=_predictions("validation", [0, 1], [0, 2])).result
    assert (result["part"], result["test_accuracy"], result["val_accuracy"]) == ("validation", None, 0.5)
    assert "too small for a test part" in result["notes"][0]


def test_with_nothing_but_pictures_that_were_trained_on_it_is_said() -> None:
    result = _report().result
    assert (result["part"], result["test_accuracy"], result["val_accuracy"]) == ("train", None, None)
    assert "say nothing about others" in result["notes"][0]
    assert result["calibration"]["temperature"] == 1.0
    assert result["calibration"]["fitted_on"] is None


@pytest.mark.medium
def test_the_temperature_is_fitted_on_the_validation_part() -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.randn(400, 3, generator=generator)
    right = torch.multinomial(true.softmax(1), 1, generator=generator)[:, 0]
    # Three times as sure as it should be.
    logits = 3 * true
    members = [_member(place, label, "test") for place, label in enumerate(right.tolist())]
    halves = [Predictions(members[half], right[half], logits[half]) for half in (slice(200), slice(200, 400))]
    found = _report(validation=halves[0], test=halves[1])
    calibration = found.result["calibration"]
    assert calibration["temperature"] == found.temperature == pytest.approx(3, rel=0.25)
    assert calibration["ece_after"] < calibration["ece_before"] / 2
    assert sum(each["count"] for each in calibration["bins"]) == 200


def test_the_files_are_complete() -> None:
    found = _report(
        validation=_predictions("validation", [0, 1, 2], [0, 1, 1]),
        test=_predictions("test", [0, 0, 1, 2], [0, 1, 1, 2]),
    )
    tables = {
        name: list(csv.DictReader(io.StringIO(found.files[name].data.decode())))
        for name in ("history", "per_class", "split")
    }
    assert [row["epoch"] for row in tables["history"]] == ["1", "2"]
    assert [row["class"] for row in tables["per_class"]] == CLASSES
    assert [row["part"] for row in tables["split"]] == ["train"] * 3 + ["validation"] * 3 + ["test"] * 4
    lines = [json.loads(line) for line in found.files["predictions"].data.splitlines()]
    assert [line["part"] for line in lines] == ["validation"] * 3 + ["test"] * 4
    assert [line["rank"] for line in lines] == [1, 1, 3, 1, 2, 1, 1]


def test_figures_are_pictures() -> None:
    images = _report(test=_predictions("test", [0, 0, 1, 2], [0, 1, 1, 2])).images
    assert set(images) == {"image", "confusion", "calibration", "mistakes"}
    for picture in images.values():
        assert picture.shape[:2] == (1, 3)
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1


def test_without_epochs_the_picture_is_the_confusion_matrix() -> None:
    part = _predictions("train", [0, 1], [0, 1])
    found = report("svm on pets", CLASSES, {"train": part}, part.members, [], None)
    assert torch.equal(found.images["image"], found.images["confusion"])


def test_a_picture_that_was_deleted_meanwhile_is_left_out_of_the_sheet() -> None:
    def gone() -> Picture | Clip:
        raise InputError("dataset", "The file is gone.")

    part = _predictions("test", [0, 1], [1, 1])
    members = [Member(Source("", gone), "cat", "gone.png", "test"), part.members[1]]
    found = _report(test=Predictions(members, part.classes, part.logits))
    assert "mistakes" not in found.images
    assert [each["name"] for each in found.result["mistakes"]] == ["gone.png"]


@pytest.mark.medium
def test_a_thousand_classes_make_a_small_result() -> None:
    classes = [f"class {place}" for place in range(1000)]
    right = torch.arange(3000) % 1000
    logits = torch.randn(3000, 1000, generator=torch.Generator().manual_seed(0))
    members = [Member(Source("", _load), classes[place], f"{place}.png", "test") for place in right.tolist()]
    part = Predictions(members, right, logits)
    found = report("resnet18", classes, {"test": part}, members, HISTORY * 2000, 3)
    assert len(json.dumps(found.result)) < 1_000_000
    confusion = found.result["confusion"]
    assert len(confusion["labels"]) == 64
    assert sum(map(len, confusion["pictures"].values())) <= OF_CELLS
    assert len(found.result["per_class"]) == 100
    assert len(found.result["history"]) <= 1001
