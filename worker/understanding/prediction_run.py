"""Predictions for many pictures: decoded ahead in threads, a batch at a time, resumable between batches."""

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from app.errors import InputError
from app.kinds.classifying import ClassifyingParams
from worker.contract.inputs import Inputs, Source
from worker.contract.steps import Step, StepState
from worker.media.pictures import Picture
from worker.understanding.predictions import Classifier, Prediction, predict, views_for

# Pictures in a batch: a step, and a file of a checkpoint. Fewer where their crops have more pixels: the next
# batch is decoded meanwhile, so that twice as many are in the memory, of 12 bytes each.
BATCH, MAX_PIXELS = 32, 1 << 25
# Threads that decode.
DECODERS = 2

JSON_LINES = "application/jsonl"

Record = dict[str, Any]
Views = dict[int, Tensor]


@dataclass(frozen=True)
class Item:
    """A picture to be classified: its file, its name, and the label that it has in its set."""

    source: Source
    name: str
    label: str | None = None


# The lines of a picture, from its item and the predictions of each classifier.
Describe = Callable[[Item, Sequence[Prediction]], list[Record]]


def items_of(inputs: Inputs, params: ClassifyingParams) -> list[Item]:
    """The pictures of a job: those of a set, or of the picture params, in order."""
    if "dataset" in inputs:
        return [Item(each.source, each.name, each.label) for each in inputs.members("dataset")]
    return [
        Item(source, source.name or reference)
        for param, references in params.pictures().items()
        for source, reference in zip(inputs.sources(param), references, strict=True)
    ]


def load(item: Item) -> Tensor:
    """The picture of an item, (1, 3, H, W). Raises InputError."""
    loaded = item.source.load()
    if not isinstance(loaded, Picture):
        raise InputError(item.name, "This is a clip: take a still picture, such as one frame of it.")
    return loaded.rgb


def predicted(
    items: Sequence[Item],
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
    views = partial(_views, params, classifiers, skip_broken=skip_broken)
    with ExitStack() as stack:
        for batch, loaded in _ahead(stack, items[done:], views, batch_size(params, classifiers)):
            made = _describe(batch, loaded, classifiers, describe)
            records += made
            parts[f"{done:06d}"] = to_lines(made)
            done += len(batch)
            state = partial(StepState, {}, {"done": done}, dict(parts))
            yield Step(done, len(items), losses=dict, image=None, state=state)
    return records


def batch_size(params: ClassifyingParams, classifiers: Sequence[Classifier]) -> int:
    """Pictures whose views are computed at once."""
    pixels = params.views() * sum(side**2 for side in {each.side for each in classifiers})
    return max(1, min(BATCH, MAX_PIXELS // pixels))


def predictions_of(classifiers: Sequence[Classifier], views: Sequence[Views]) -> list[list[Prediction]]:
    """The predictions of every classifier for each picture, given as its views."""
    by_classifier = [predict(each, [one[each.side] for one in views]) for each in classifiers]
    return [list(each) for each in zip(*by_classifier, strict=True)]


def networks_of(classifiers: Sequence[Classifier]) -> Record:
    """Which networks answer, and how: ``network``, or ``networks``."""
    described = [
        {
            "name": each.network.name,
            "sha256": each.network.sha256,
            "temperature": each.temperature,
            "energy_threshold": each.threshold,
        }
        for each in classifiers
    ]
    return {"network": described[0]} if len(described) == 1 else {"networks": described}


def to_lines(records: Sequence[Record]) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def _views(
    params: ClassifyingParams, classifiers: Sequence[Classifier], item: Item, *, skip_broken: bool
) -> Views | str:
    """The views of a picture, or why it cannot be decoded."""
    try:
        return views_for(params, classifiers, load(item))
    except InputError as error:
        if not skip_broken:
            raise
        return error.detail


def _ahead(
    stack: ExitStack, items: Sequence[Item], views: Callable[[Item], Views | str], size: int
) -> Iterator[tuple[Sequence[Item], list[Views | str]]]:
    """Batches with their views, the next of which is decoded while one is computed."""
    batches = [items[start : start + size] for start in range(0, len(items), size)]
    if len(items) == 1:
        # A thread would only cost time.
        yield batches[0], [views(items[0])]
        return
    pool = ThreadPoolExecutor(DECODERS, thread_name_prefix="decode")
    stack.callback(pool.shutdown, wait=True, cancel_futures=True)

    def begin(batch: Sequence[Item]) -> list[Future[Views | str]]:
        return [pool.submit(views, item) for item in batch]

    coming = begin(batches[0]) if batches else []
    for place, batch in enumerate(batches):
        waiting, coming = coming, begin(batches[place + 1]) if place + 1 < len(batches) else []
        yield batch, [each.result() for each in waiting]


def _describe(
    batch: Sequence[Item],
    loaded: Sequence[Views | str],
    classifiers: Sequence[Classifier],
    describe: Describe,
) -> list[Record]:
    made = iter(predictions_of(classifiers, [each for each in loaded if not isinstance(each, str)]))
    records: list[Record] = []
    for item, each in zip(batch, loaded, strict=True):
        if isinstance(each, str):
            records.append({"name": item.name, "error": each})
        else:
            records += describe(item, next(made))
    return records
