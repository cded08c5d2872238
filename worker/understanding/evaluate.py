"""Evaluation: how often networks are right about pictures whose classes are known."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, fields
from functools import partial
from typing import Any

import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.evaluate import EvaluateParams
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member
from worker.contract.steps import File, Outcome, Steps, StepState
from worker.understanding.answers import marked_card, sheet_of
from worker.understanding.confusion_figure import confusion_figure
from worker.understanding.figures import percent
from worker.understanding.labels import classes_of_labels
from worker.understanding.prediction_run import (
    JSON_LINES,
    Record,
    items_of,
    networks_of,
    predicted,
    to_lines,
)
from worker.understanding.predictions import Prediction, average, classifiers
from worker.understanding.scores import ClassScores, class_scores, confusion, macro, top_error
from worker.understanding.sets import still
from worker.understanding.verdicts import TOP, ranking

# Rows of the tables of a result; the files have all.
SHOWN_CLASSES, SHOWN_CONFUSIONS = 100, 20
COLUMNS = 6


def evaluate(
    params: EvaluateParams,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Classify the labelled pictures of ``dataset``, and count.

    Several networks are an ensemble: the mean of their probabilities. Raises InputError if there are no
    labels, or some that are no classes; ComputationError if scores are not finite.
    """
    del compute
    voters = classifiers(params, inputs, network)
    classes = voters[0].network.classes
    every = items_of(inputs, params)
    items = [item for item in every if item.label is not None]
    if not items:
        raise InputError(
            "dataset", "None of its pictures has a label: sort them into folders of classes, or add a table."
        )
    name = " + ".join(voter.network.name for voter in voters)
    known = classes_of_labels((item.label or "" for item in items), classes, name, params.labels)
    describe = partial(_records, classes, known)
    records = yield from predicted(items, params, voters, describe, skip_broken=True, resume=resume)
    good = [(item, each) for item, each in zip(items, records, strict=True) if "error" not in each]
    if not good:
        raise InputError("dataset", f"None of its pictures can be decoded: {records[0]['error']}")
    counts = _confusion([each for _, each in good], len(classes))
    scores = class_scores(counts)
    result = {
        **networks_of(voters),
        "summary": _summary(len(every), items, [each for _, each in good], scores),
        "most_confused": _most_confused(counts, classes),
        "table": _table(classes, scores),
    }
    return Outcome(
        _figures(params, name, counts, classes, good, result["summary"]),
        result,
        files={
            "per_class": _scores_csv(classes, scores),
            "confusion": _confusion_csv(counts, classes),
            "predictions": File(to_lines(records), JSON_LINES, ".jsonl"),
        },
    )


def _records(
    classes: Sequence[str], known: dict[str, int], item: Member, predictions: Sequence[Prediction]
) -> list[Record]:
    """The line of a picture: its class, the rank and the probability that it has, and the most likely."""
    probabilities = average(predictions)
    order = probabilities.argsort(descending=True, stable=True).tolist()
    true = known[item.label or ""]
    return [
        {
            "name": item.name,
            "label": item.label,
            "class": classes[true],
            "index": true,
            "rank": order.index(true) + 1,
            "probability": float(probabilities[true]),
            "top": ranking(order[:TOP], probabilities, classes),
        }
    ]


def _confusion(records: Sequence[Record], classes: int) -> Tensor:
    true = torch.tensor([record["index"] for record in records])
    guessed = torch.tensor([record["top"][0]["index"] for record in records])
    return confusion(true, guessed, classes)


def _summary(
    members: int, items: Sequence[Member], records: Sequence[Record], scores: Sequence[ClassScores]
) -> dict[str, Any]:
    ranks = [record["rank"] for record in records]
    tried = [each for each in scores if each.support]
    return {
        "pictures": len(records),
        "without_label": members - len(items),
        "broken": len(items) - len(records),
        "classes": len(tried),
        "top1_error": top_error(ranks, 1),
        "top5_error": top_error(ranks, 5),
        # Of the classes that the set has; a class that no picture is taken for has no precision.
        "macro_precision": macro([each.precision for each in tried]),
        "macro_recall": macro([each.recall for each in tried]),
        "macro_f1": macro([each.f1 for each in tried]),
    }


def _seen(classes: Sequence[str], scores: Sequence[ClassScores]) -> list[tuple[str, ClassScores]]:
    """The classes that pictures have or are taken for."""
    return [pair for pair in zip(classes, scores, strict=True) if pair[1].support or pair[1].predicted]


def _table(classes: Sequence[str], scores: Sequence[ClassScores]) -> list[dict[str, Any]]:
    """Measures by class, the worst first."""
    rows = sorted(_seen(classes, scores), key=lambda pair: (pair[1].f1 or 0.0, pair[0]))
    return [{"class": title, **asdict(each)} for title, each in rows[:SHOWN_CLASSES]]


def _most_confused(counts: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The pairs of classes that are confused the most."""
    wrong = counts.clone().fill_diagonal_(0).flatten()
    places = wrong.argsort(descending=True, stable=True)[:SHOWN_CONFUSIONS].tolist()
    return [
        {
            "class": classes[place // len(classes)],
            "taken_for": classes[place % len(classes)],
            "pictures": int(wrong[place]),
        }
        for place in places
        if wrong[place]
    ]


def _figures(
    params: EvaluateParams,
    name: str,
    counts: Tensor,
    classes: Sequence[str],
    good: Sequence[tuple[Member, Record]],
    summary: dict[str, Any],
) -> dict[str, Tensor]:
    said = f"top-1 error {percent(summary['top1_error'])}, top-5 error {percent(summary['top5_error'])}"
    heading = f"{name} on {summary['pictures']:,} pictures: {said}"
    images = {"image": confusion_figure(counts, classes, heading)}
    # The surest mistakes come first, then what is right, the least sure first.
    order = sorted(good, key=lambda pair: (pair[1]["rank"] == 1, _doubt(pair[1])))[: params.shown]
    if order:
        images["sheet"] = sheet_of([marked_card(still(item), record) for item, record in order], COLUMNS)
    return images


def _doubt(record: Record) -> float:
    """Small for a mistake that is made with certainty, and for a right answer that is given without."""
    first = float(record["top"][0]["probability"])
    return first if record["rank"] == 1 else -first


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> File:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return File(text.getvalue().encode(), "text/csv", ".csv")


def _scores_csv(classes: Sequence[str], scores: Sequence[ClassScores]) -> File:
    rows = [[title, *astuple(each)] for title, each in _seen(classes, scores)]
    return _csv(["class", *(each.name for each in fields(ClassScores))], rows)


def _confusion_csv(counts: Tensor, classes: Sequence[str]) -> File:
    """Rows are the true classes; classes that neither are there nor are guessed are left out."""
    kept = (counts.sum(0) + counts.sum(1)).nonzero().flatten().tolist()
    names = [classes[place] for place in kept]
    lines = counts[kept][:, kept].tolist()
    return _csv(["class", *names], ([title, *line] for title, line in zip(names, lines, strict=True)))
