"""Classification: the classes that networks take pictures for."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor

from app.errors import InputError, ServiceError
from app.kinds.classify import ClassifyParams
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member
from worker.contract.stacks import StackedJob, StackSteps
from worker.contract.steps import File, Outcome, Step, Steps, StepState
from worker.understanding.answers import answer_card, sheet_of
from worker.understanding.figures import percent
from worker.understanding.prediction_run import (
    JSON_LINES,
    Record,
    items_of,
    networks_of,
    predicted,
    predictions_of,
    to_lines,
    views_of_item,
)
from worker.understanding.predictions import Classifier, Prediction, average, classifiers
from worker.understanding.sets import still
from worker.understanding.verdicts import ranking

# Classes that a table names of each picture, and rows of that of a set.
SHOWN = 3
SHOWN_CLASSES = 100


def classify(
    params: ClassifyParams,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Classify a picture, several, or a set.

    Of a set, a picture that cannot be decoded is a line with its error. Raises InputError if another cannot,
    or if the size is too small for a network; ComputationError if scores are not finite.
    """
    voters = classifiers(params, inputs, network, compute)
    items = items_of(inputs, params)
    records = yield from predicted(
        items,
        params,
        voters,
        partial(_records, params, voters),
        skip_broken=params.dataset is not None,
        resume=resume,
    )
    return _outcome(params, voters, items, records)


def classify_jobs(
    jobs: Sequence[StackedJob[ClassifyParams]], network: Network | None, compute: Compute
) -> StackSteps:
    """Classify the pictures of several jobs as one batch: one network, shown the same crops of each.

    A picture that cannot be decoded fails its own job. Jobs have no set.
    """
    voters = classifiers(jobs[0].params, jobs[0].inputs, network, compute)
    waiting = [items_of(job.inputs, job.params) for job in jobs]
    loaded = [_views_of(job.params, voters, items) for job, items in zip(jobs, waiting, strict=True)]
    views = [view for each in loaded if not isinstance(each, ServiceError) for view in each]
    made = iter(predictions_of(voters, views) if views else [])
    for place, (job, items, each) in enumerate(zip(jobs, waiting, loaded, strict=True)):
        if isinstance(each, ServiceError):
            yield place, each
            continue
        records = [record for item in items for record in _records(job.params, voters, item, next(made))]
        if (yield place, Step(1, 1, losses=dict, image=None, state=lambda: StepState({}, {}))):
            yield place, _outcome(job.params, voters, items, records)


def _views_of(
    params: ClassifyParams, voters: Sequence[Classifier], items: Sequence[Member]
) -> list[dict[int, Tensor]] | ServiceError:
    """The views of the pictures of a job, or why there are none."""
    try:
        return [views_of_item(params, voters, item) for item in items]
    except InputError as error:
        return error


def _records(
    params: ClassifyParams, voters: Sequence[Classifier], item: Member, predictions: Sequence[Prediction]
) -> list[Record]:
    """What is said of a picture: one entry, or one for each network that is compared."""
    head: Record = {"name": item.name}
    if item.label is not None:
        head["label"] = item.label
    if len(voters) > 1 and params.ensemble == "average":
        top = _top(params, average(predictions), voters[0].network.classes)
        # Scores of networks have scales of their own, so that their energies have no mean.
        energies = [each.energy for each in predictions]
        return [{**head, "top": top, "energy": None, "energies": energies, "verdict": None}]
    records = []
    for voter, each in zip(voters, predictions, strict=True):
        own = {"network": voter.network.name} if len(voters) > 1 else {}
        top = _top(params, each.probabilities, voter.network.classes)
        verdict = each.verdict(voter.threshold)
        records.append({**head, **own, "top": top, "energy": each.energy, "verdict": verdict})
    return records


def _top(params: ClassifyParams, probabilities: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
    order = probabilities.argsort(descending=True, stable=True)[: params.top].tolist()
    return ranking(order, probabilities, classes)


def _outcome(
    params: ClassifyParams, voters: Sequence[Classifier], items: Sequence[Member], records: Sequence[Record]
) -> Outcome:
    result = networks_of(voters)
    if len(voters) > 1:
        result["ensemble"] = params.ensemble
    if params.dataset is not None:
        file = File(to_lines(records), JSON_LINES, ".jsonl")
        return Outcome(result=result | _summary(items, records), files={"predictions": file})
    asked = " + ".join(voter.network.name for voter in voters)
    table = [_row(record, asked) for record in records]
    images = _figures(params, items, records) if params.figure else {}
    if params.image is not None and len(records) == 1:
        return Outcome(images, {**result, **records[0], "table": table})
    return Outcome(images, {**result, "pictures": list(records), "table": table})


def _row(record: Record, network: str) -> dict[str, str]:
    """A row of the table that a command prints; ``network`` is the one that answered, or all of them."""
    row: dict[str, str] = {"name": record["name"], "network": record.get("network", network)}
    for place, each in enumerate(record["top"][:SHOWN], start=1):
        row[str(place)] = f"{each['class']} {percent(each['probability'])}"
    if record["verdict"] is not None:
        row["verdict"] = record["verdict"]
    return row


def _summary(items: Sequence[Member], records: Sequence[Record]) -> dict[str, Any]:
    """Counts of a set: what its pictures are taken for, each network by itself."""
    good = [record for record in records if "error" not in record]
    counts = Counter((record.get("network"), record["top"][0]["class"]) for record in good)
    sums: Counter[tuple[str | None, str]] = Counter()
    for record in good:
        sums[record.get("network"), record["top"][0]["class"]] += record["top"][0]["probability"]
    table = []
    for (name, title), count in counts.most_common(SHOWN_CLASSES):
        own = {} if name is None else {"network": name}
        mean = sums[name, title] / count
        table.append({**own, "class": title, "pictures": count, "mean probability": mean})
    return {
        "pictures_total": len(items),
        "pictures_broken": len(records) - len(good),
        "classes_found": len({title for _, title in counts}),
        "none_of_its_classes": sum(record["verdict"] == "none of its classes" for record in good),
        "table": table,
    }


def _figures(params: ClassifyParams, items: Sequence[Member], records: Sequence[Record]) -> dict[str, Tensor]:
    """The pictures beside bars of their classes."""
    per_picture = len(records) // len(items)
    cards = []
    for place, item in enumerate(items):
        mine = records[place * per_picture : (place + 1) * per_picture]
        cards.append(answer_card(still(item), mine, title=item.name if len(items) > 1 else ""))
    return {"image": sheet_of(cards)}
