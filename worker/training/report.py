"""The report of a training: how good the network is, and where it is wrong."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from functools import cached_property
from typing import Any, get_args

import torch
from torch import Tensor

from app.datasets.split import Part
from app.errors import InputError
from worker.contract.inputs import Member
from worker.contract.steps import File
from worker.training.confidence import (
    expected_calibration_error,
    probabilities,
    reliability,
    temperature_of_few,
)
from worker.training.curves_figure import curves_figure
from worker.training.history import Epoch
from worker.training.reliability_figure import reliability_figure
from worker.understanding.answers import marked_card, sheet_of
from worker.understanding.confusion_figure import confusion_figure, shown_classes
from worker.understanding.figures import beside, percent
from worker.understanding.prediction_run import JSON_LINES, Record, to_lines
from worker.understanding.scores import ClassScores, class_scores, confusion, macro, top_error
from worker.understanding.sets import still
from worker.understanding.tables import csv_file
from worker.understanding.verdicts import TOP, ranking

PARTS: tuple[Part, ...] = get_args(Part)
_PHRASES: dict[Part, str] = {"train": "training", "validation": "validation", "test": "test"}

# Pictures of a cell of the confusion matrix, and of all cells together, that a result names.
OF_CELL, OF_CELLS = 12, 2000
# Rows of other tables of a result; the files have all.
SHOWN_CLASSES, SHOWN_EPOCHS, SHOWN_MISTAKES = 100, 1000, 24
COLUMNS = 6


@dataclass(frozen=True)
class Predictions:
    """What a network says of the pictures of a part: logits (n, C) float32 on the CPU.

    ``classes`` (n,) are the right ones, by index.
    """

    members: Sequence[Member]
    classes: Tensor
    logits: Tensor

    def __len__(self) -> int:
        return len(self.members)

    @classmethod
    def none(cls, classes: int) -> "Predictions":
        """Those of a part without pictures."""
        return cls([], torch.zeros(0, dtype=torch.int64), torch.zeros(0, classes))

    @cached_property
    def guessed(self) -> Tensor:
        """What each picture is taken for, (n,); the first of several that are equally likely."""
        return self.logits.argsort(dim=1, descending=True, stable=True)[:, 0]

    @property
    def accuracy(self) -> float | None:
        """The share that is right; None without pictures."""
        return float((self.guessed == self.classes).double().mean()) if len(self) else None


@dataclass(frozen=True)
class Report:
    """Entries of a result, artifacts by name, and the temperature for the network's card."""

    result: dict[str, Any]
    images: dict[str, Tensor]
    files: dict[str, File]
    temperature: float


def report(
    title: str,
    classes: Sequence[str],
    parts: Mapping[Part, Predictions],
    members: Sequence[Member],
    history: Sequence[Epoch],
    best_epoch: int | None,
) -> Report:
    """The report of a network with these class names; ``title`` says in figures what was trained.

    Everything is said of the test part. If that is empty it is said of the validation part, or else of what
    was trained on, ``part`` names it, and a line of ``notes`` says what that means. The temperature is fitted
    on the validation part. ``members`` are the whole set, for the file of the split; ``history`` is empty and
    ``best_epoch`` None where nothing was trained by epochs.
    """
    validation = parts.get("validation", Predictions.none(len(classes)))
    part = next(each for each in reversed(PARTS) if each in parts and len(parts[each]))
    judged = parts[part]
    temperature = temperature_of_few(validation.logits, validation.classes)
    likely = probabilities(judged.logits, temperature)
    counts = confusion(judged.classes, judged.guessed, len(classes))
    scores = class_scores(counts)
    reported = [each for each in PARTS if each in parts and (each != "train" or part == "train")]
    records = {each: _records(each, parts[each], classes, temperature) for each in reported}
    mistakes = _mistakes(judged, likely)
    before, after = (reliability(judged.logits, judged.classes, each) for each in (1.0, temperature))
    said = f"{_PHRASES[part]} accuracy {percent(judged.accuracy or 0.0)}"
    matrix = confusion_figure(counts, classes, f"{title}\n{said} of {len(judged):,} pictures")
    sheet = _sheet(judged, records[part], mistakes)
    images = {
        "image": beside([curves_figure(_thinned(history), best_epoch), matrix]) if history else matrix,
        "confusion": matrix,
        "calibration": reliability_figure(before, after, f"accuracy on the {_PHRASES[part]} part"),
    }
    result = {
        "part": part,
        "val_accuracy": validation.accuracy,
        "test_accuracy": judged.accuracy if part == "test" else None,
        "top5": 1 - top_error([record["rank"] for record in records[part]], TOP),
        "macro_f1": macro([each.f1 for each in scores if each.support]),
        "classes": list(classes),
        "split": {each: _count(each, parts, members) for each in PARTS},
        "best_epoch": best_epoch,
        "epochs": len(history),
        "history": [asdict(row) for row in _thinned(history)],
        "confusion": _confusion(part, judged, counts, classes),
        "per_class": _per_class(classes, scores),
        "mistakes": [
            {
                "name": judged.members[place].name,
                "image": judged.members[place].image_id,
                "label": classes[int(judged.classes[place])],
                "taken_for": classes[int(judged.guessed[place])],
                "probability": float(likely[place].max()),
            }
            for place in mistakes
        ],
        "calibration": {
            "temperature": temperature,
            "fitted_on": "validation" if len(validation) else None,
            "ece_before": expected_calibration_error(before),
            "ece_after": expected_calibration_error(after),
            "bins": [asdict(each) for each in after],
        },
        "notes": _notes(part, len(validation)),
    }
    return Report(
        result,
        images if sheet is None else images | {"mistakes": sheet},
        _files(classes, scores, [record for each in records.values() for record in each], members, history),
        temperature,
    )


def _count(part: Part, parts: Mapping[Part, Predictions], members: Sequence[Member]) -> int:
    """Pictures of a part: those with predictions, or if it has none, the members."""
    return len(parts[part]) if part in parts else sum(member.part == part for member in members)


def _notes(part: Part, validated: int) -> list[str]:
    """What the numbers do not mean."""
    found = []
    if part == "validation":
        found.append(
            "The set is too small for a test part. The measures are of the validation part, by which the "
            "best epoch was chosen: they are too good."
        )
    if part == "train":
        found.append(
            "The set is too small for a test part and a validation part. The measures are of the pictures "
            "that were trained on, and say nothing about others."
        )
    if not validated:
        found.append(
            "Without a validation part the last epoch was kept, and no temperature was fitted: the "
            "probabilities may be far too sure."
        )
    return found


def _records(
    part: Part, predictions: Predictions, classes: Sequence[str], temperature: float
) -> list[Record]:
    """A line for each picture: its class, the rank and the probability that it has, and the most likely."""
    likely = probabilities(predictions.logits, temperature)
    found = []
    for place, member in enumerate(predictions.members):
        true, row = int(predictions.classes[place]), likely[place]
        # By logits, as probabilities may be equal where these are not.
        order = predictions.logits[place].argsort(descending=True, stable=True)
        found.append(
            {
                "name": member.name,
                "part": part,
                "class": classes[true],
                "index": true,
                "rank": order.tolist().index(true) + 1,
                "probability": float(row[true]),
                "top": ranking(order[:TOP].tolist(), row, classes),
            }
        )
    return found


def _thinned(history: Sequence[Epoch]) -> Sequence[Epoch]:
    """At most SHOWN_EPOCHS of the epochs, evenly, and the last."""
    every = math.ceil(len(history) / SHOWN_EPOCHS)
    return history if every <= 1 else [*history[:-1:every], history[-1]]


def _confusion(part: Part, judged: Predictions, counts: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """The confusion matrix of the classes that its figure shows, and some of the pictures of each cell.

    A cell is "row,column": places among ``labels`` of the right class and of what pictures are taken for.
    """
    shown = shown_classes(counts)
    places = {index: place for place, index in enumerate(shown)}
    pictures: dict[str, list[dict[str, str | None]]] = {}
    named = Counter[str]()
    # Mistakes first, as there is a limit.
    guessed = judged.guessed
    order = (guessed == judged.classes).long().argsort(stable=True).tolist()
    for place in order:
        true, taken = int(judged.classes[place]), int(guessed[place])
        if true not in places or taken not in places or named.total() >= OF_CELLS:
            continue
        cell = f"{places[true]},{places[taken]}"
        if named[cell] < OF_CELL:
            member = judged.members[place]
            pictures.setdefault(cell, []).append({"image": member.image_id, "name": member.name})
            named[cell] += 1
    return {
        "part": part,
        "labels": [classes[index] for index in shown],
        "counts": counts[shown][:, shown].tolist(),
        "pictures": pictures,
    }


def _per_class(classes: Sequence[str], scores: Sequence[ClassScores]) -> list[dict[str, Any]]:
    """The measures of each class in order; of many classes those that do worst."""
    rows = list(zip(classes, scores, strict=True))
    if len(rows) > SHOWN_CLASSES:
        worst = sorted(range(len(rows)), key=lambda place: (scores[place].f1 or 0.0, place))
        rows = [rows[place] for place in sorted(worst[:SHOWN_CLASSES])]
    return [{"class": name, **asdict(each)} for name, each in rows]


def _mistakes(judged: Predictions, likely: Tensor) -> list[int]:
    """The places of the mistakes, the surest first."""
    wrong = (judged.guessed != judged.classes).nonzero().flatten()
    return wrong[likely[wrong].amax(1).argsort(descending=True, stable=True)][:SHOWN_MISTAKES].tolist()


def _sheet(judged: Predictions, records: Sequence[Record], mistakes: Sequence[int]) -> Tensor | None:
    """The pictures of mistakes with what they are taken for; without any, what was the least sure."""
    unsure = sorted(range(len(records)), key=lambda place: float(records[place]["probability"]))
    cards = []
    for place in mistakes or unsure[:COLUMNS]:
        try:
            cards.append(marked_card(still(judged.members[place]), records[place]))
        except InputError:
            # Deleted since it was decoded: the training is worth more than its picture.
            continue
    return sheet_of(cards, COLUMNS) if cards else None


def _files(
    classes: Sequence[str],
    scores: Sequence[ClassScores],
    records: Sequence[Record],
    members: Sequence[Member],
    history: Sequence[Epoch],
) -> dict[str, File]:
    """The tables, in full."""
    return {
        "history": csv_file([field.name for field in fields(Epoch)], map(astuple, history)),
        "per_class": csv_file(
            ["class", *(field.name for field in fields(ClassScores))],
            ([name, *astuple(each)] for name, each in zip(classes, scores, strict=True)),
        ),
        "predictions": File(to_lines(records), JSON_LINES, ".jsonl"),
        "split": csv_file(
            ["name", "label", "part"],
            ([member.name, member.label or "", member.part or ""] for member in members),
        ),
    }
