"""Evaluation of networks on sets with labels."""

import csv
import io
import json
from typing import Any

import pytest
import torch

from app.errors import InputError
from app.kinds.evaluate import EvaluateParams
from tests.support.networks import color_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member, Source
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.media.pictures import Picture
from worker.understanding import prediction_run
from worker.understanding.confusion_figure import MOST, shown_classes
from worker.understanding.evaluate import evaluate
from worker.understanding.labels import classes_of_labels
from worker.understanding.scores import class_scores, confusion

# The colors of pictures, with the labels that they have: the network takes each for its strongest color.
RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
TURQUOISE = (0.0, 0.8, 0.7)
MEMBERS = [(RED, "Red"), (RED, "red"), (TURQUOISE, "blue"), (BLUE, "blue"), (GREEN, "green"), (RED, "green")]


def a_set(members: list[tuple[tuple[float, ...], str | None]]) -> Inputs:
    def member(place: int) -> Member:
        color, label = members[place]
        picture = Picture(torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, 20, 30))
        return Member(Source("", lambda: picture), label, f"{place}.png")

    return Inputs(sets={"dataset": [member(place) for place in range(len(members))]})


def run(inputs: Inputs, resume: StepState | None = None, **values: Any) -> Outcome:
    params = EvaluateParams.model_validate({"dataset": "x", "size": 16, **values})
    return run_steps(evaluate(params, inputs, color_network(), Compute(torch.device("cpu")), resume))


def test_counts_by_hand() -> None:
    result = run(a_set([*MEMBERS, (RED, None)])).result
    summary = result["summary"]
    assert (summary["pictures"], summary["without_label"], summary["classes"]) == (6, 1, 3)
    # The turquoise one is taken for green, and the last red one for red.
    assert summary["top1_error"] == pytest.approx(2 / 6) and summary["top5_error"] == 0
    rows = {row["class"]: row for row in result["table"]}
    assert rows["red"] == {
        "class": "red", "precision": pytest.approx(2 / 3), "recall": 1, "f1": pytest.approx(0.8),
        "support": 2, "predicted": 3,
    }  # fmt: skip
    assert rows["green"]["precision"] == rows["green"]["recall"] == 0.5
    assert (rows["blue"]["precision"], rows["blue"]["recall"]) == (1, 0.5)
    assert summary["macro_recall"] == pytest.approx(2 / 3)
    assert [(row["class"], row["taken_for"]) for row in result["most_confused"]] == [
        ("green", "red"),
        ("blue", "green"),
    ]


def test_files_have_every_class_and_picture() -> None:
    outcome = run(a_set(MEMBERS))
    table = list(csv.reader(io.StringIO(outcome.files["confusion"].data.decode())))
    assert table == [
        ["class", "red", "green", "blue"],
        ["red", "2", "0", "0"],
        ["green", "1", "1", "0"],
        ["blue", "0", "1", "1"],
    ]
    lines = [json.loads(line) for line in outcome.files["predictions"].data.splitlines()]
    assert [line["rank"] == 1 for line in lines] == [True, True, False, True, True, False]
    assert lines[2]["class"] == "blue" and lines[2]["top"][0]["class"] == "green"
    scores = list(csv.DictReader(io.StringIO(outcome.files["per_class"].data.decode())))
    assert [row["class"] for row in scores] == ["red", "green", "blue"]
    assert set(outcome.images) == {"image", "sheet"}


def test_resumed_is_uninterrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_run, "BATCH", 2)
    states: list[StepState] = []
    params = EvaluateParams.model_validate({"dataset": "x", "size": 16})

    def keep(step: Step) -> None:
        states.append(step.state())

    whole = run_steps(evaluate(params, a_set(MEMBERS), color_network(), Compute(torch.device("cpu"))), keep)
    again = run(a_set(MEMBERS), states[0])
    assert again.result == whole.result
    assert {name: file.data for name, file in again.files.items()} == {
        name: file.data for name, file in whole.files.items()
    }
    assert torch.equal(again.images["sheet"], whole.images["sheet"])


def test_labels_are_classes_by_name_or_by_index() -> None:
    classes = ["tabby", "tiger cat", "crane", "crane"]
    assert classes_of_labels(["Tabby", "tiger_cat"], classes, "n", "names") == {"Tabby": 0, "tiger_cat": 1}
    assert classes_of_labels(["3", "0"], classes, "n", "indices") == {"3": 3, "0": 0}
    with pytest.raises(InputError, match="several classes 'crane' \\(2, 3\\)"):
        classes_of_labels(["crane"], classes, "n", "names")
    with pytest.raises(InputError, match="'taby' \\('tabby'"):
        classes_of_labels(["taby", "tabby"], classes, "n", "names")
    with pytest.raises(InputError, match="0 to 3"):
        classes_of_labels(["4"], classes, "n", "indices")


def test_digits_are_no_colors() -> None:
    with pytest.raises(InputError, match="3 of 4 labels are no classes of colors: '0'; '1'; '2'") as error:
        run(a_set([(RED, "0"), (RED, "1"), (RED, "2"), (RED, "red")]))
    assert error.value.field == "dataset"
    with pytest.raises(InputError, match="None of its pictures has a label"):
        run(a_set([(RED, None)]))


def test_a_class_without_pictures_or_guesses_has_no_shares() -> None:
    scores = class_scores(confusion(torch.tensor([0, 0]), torch.tensor([1, 1]), 3))
    assert (scores[0].precision, scores[0].recall, scores[0].f1) == (None, 0, 0)
    assert (scores[1].precision, scores[1].recall, scores[1].f1) == (0, None, 0)
    assert (scores[2].precision, scores[2].recall, scores[2].f1) == (None, None, None)


def test_of_many_classes_those_with_the_most_mistakes_are_shown() -> None:
    count = MOST + 10
    counts = torch.eye(count, dtype=torch.int64) * 5
    counts[3, 70] = counts[70, 3] = 4
    counts[10:MOST, 0] = 1
    shown = shown_classes(counts)
    assert len(shown) == MOST and {0, 3, 70} <= set(shown) and shown == sorted(shown)
