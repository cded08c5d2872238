"""Predictions for many pictures, a batch at a time, resumable between batches."""

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from torch import Tensor

from app.errors import InputError
from app.kinds.classifying import ClassifyingParams
from worker.contract.inputs import Inputs, Member
from worker.contract.steps import Step, StepState
from worker.understanding.predictions import Classifier, Prediction, predict, views_for
from worker.understanding.sets import read_ahead, still

# Pictures in a batch, which is a step, and a file of a checkpoint; fewer where they have many views. The
# pixels take 190 MB, and those of the next batch are there too.
BATCH = 32
BATCH_PIXELS = 320 * 224**2

JSON_LINES = "application/jsonl"

Record = dict[str, Any]
Views = dict[int, Tensor]


# The lines of a picture, from its item and the predictions of each classifier.
Describe = Callable[[Member, Sequence[Prediction]], list[Record]]


def items_of(inputs: Inputs, params: ClassifyingParams) -> list[Member]:
    """The pictures of a job: those of a set, or of the picture params, in order."""
    if "dataset" in inputs:
        return list(inputs.members("dataset"))
    return [
        Member(source, None, source.name or reference)
        for param, references in params.pictures().items()
        for source, reference in zip(inputs.sources(param), references, strict=True)
    ]


def predicted(
    items: Sequence[Member],
    params: ClassifyingParams,
    classifiers: Sequence[Classifier],
    describe: Describe,
    *,
    skip_broken: bool,
    resume: StepState | None = None,
) -> Generator[Step, None, list[Record]]:
    """The lines of all items, in order; a step is a batch.

    A picture that cannot be decoded raises InputError, or where it is to be skipped becomes a line with its
    name and the ``error``. The state has the lines so far, a file for each batch.
    """
    parts = dict(resume.parts) if resume is not None else {}
    done = int(resume.values["done"]) if resume is not None else 0
    records = [json.loads(line) for name in sorted(parts) for line in parts[name].splitlines()]
    pixels = params.views() * sum({classifier.side**2 for classifier in classifiers})
    size = max(1, min(BATCH, BATCH_PIXELS // pixels))
    with closing(read_ahead(items, partial(views_of_item, params, classifiers), size, done)) as read:
        for first, loaded in read:
            batch = items[first : first + len(loaded)]
            made = _describe(batch, loaded, classifiers, describe, skip_broken=skip_broken)
            records += made
            parts[f"{done:06d}"] = to_lines(made)
            done += len(batch)
            state = partial(StepState, {}, {"done": done}, dict(parts))
            yield Step(done, len(items), losses=dict, image=None, state=state)
    return records


def predictions_of(classifiers: Sequence[Classifier], views: Sequence[Views]) -> list[list[Prediction]]:
    """The predictions of every classifier for each picture, given as its views."""
    by_classifier = [predict(each, [one[each.side] for one in views]) for each in classifiers]
    return [list(each) for each in zip(*by_classifier, strict=True)]


def networks_of(classifiers: Sequence[Classifier]) -> Record:
    """Which network answers, at which temperature and threshold of the energy; of several, ``networks``."""
    described = [
        {
            "network": each.network.name,
            "temperature": each.temperature,
            "energy_threshold": each.threshold,
        }
        for each in classifiers
    ]
    return described[0] if len(described) == 1 else {"networks": described}


def to_lines(records: Sequence[Record]) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def views_of_item(params: ClassifyingParams, classifiers: Sequence[Classifier], item: Member) -> Views:
    """What the classifiers are shown of a picture. Raises InputError."""
    return views_for(params, classifiers, still(item, "dataset" if params.datasets() else "image"))


def _describe(
    batch: Sequence[Member],
    loaded: Sequence[Views | InputError],
    classifiers: Sequence[Classifier],
    describe: Describe,
    *,
    skip_broken: bool,
) -> list[Record]:
    for each in loaded:
        if isinstance(each, InputError) and not skip_broken:
            raise each
    made = iter(predictions_of(classifiers, [each for each in loaded if not isinstance(each, InputError)]))
    records: list[Record] = []
    for item, each in zip(batch, loaded, strict=True):
        if isinstance(each, InputError):
            records.append({"name": item.name, "error": each.detail})
        else:
            records += describe(item, next(made))
    return records
