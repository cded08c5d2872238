"""From one recipe over many values to the entries of a batch."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from sqlalchemy import Engine

from app.batches.errors import BatchTooLarge, InvalidMatrix
from app.batches.lines import ParsedLine
from app.batches.schemas import Line, Matrix
from app.database.texts import problem_of_text
from app.datasets.repository import all_members, find_dataset
from app.images.repository import find_images
from app.jobs.job import Json
from app.jobs.preparing import problem_of_set
from app.kinds import KINDS

# Of what a value is called.
MAX_LABEL = 100
# Characters of a custom id.
MAX_CUSTOM_ID = 200
SEPARATOR = "--"
# Room for the number of a value that is called as another one.
_NUMBER = 6


@dataclass(frozen=True)
class Axis:
    """A param and its values, what they are called, and their pictures if they are such."""

    param: str
    values: Sequence[Any]
    labels: Sequence[str]
    images: Sequence[str] | None

    @property
    def described(self) -> Json:
        """What a batch keeps of it."""
        images = None if self.images is None else list(self.images)
        return {"param": self.param, "labels": list(self.labels), "images": images}


@dataclass(frozen=True)
class Expanded:
    """The lines of a matrix, and what its batch keeps of it: see app/batches/batch.py."""

    lines: Iterable[ParsedLine]
    described: Json


def expand(engine: Engine, matrix: Matrix, max_lines: int) -> Expanded:
    """The lines of a matrix, whose params are yet to be checked. Raises InvalidMatrix, BatchTooLarge."""
    _check(matrix)
    lengths = {param: _length(engine, matrix.kind, param, over) for param, over in matrix.over.items()}
    _check_lengths(matrix, lengths, max_lines)
    axes = [_axis(engine, matrix.kind, param, over) for param, over in matrix.over.items()]
    described = {
        "kind": matrix.kind,
        "combine": matrix.combine,
        "axes": [axis.described for axis in axes],
    }
    return Expanded(_lines(matrix, axes), described)


def _check(matrix: Matrix) -> None:
    detail = problem_of_text(matrix.model_dump())
    if detail is not None:
        raise InvalidMatrix("body", detail)
    if matrix.kind not in KINDS:
        raise InvalidMatrix("kind", f"There is no kind {matrix.kind!r}. Kinds: {', '.join(sorted(KINDS))}.")
    known = KINDS[matrix.kind].params.model_fields
    for place, names in (("params", matrix.params), ("over", matrix.over)):
        for name in names:
            if name not in known:
                detail = f"There is no param {name[:100]!r}. Params: {', '.join(known)}."
                raise InvalidMatrix(f"{place}.{name[:100]}", detail)
    if not matrix.over:
        raise InvalidMatrix("over", 'Name a param and its values, such as {"style": ["<image id>"]}.')
    for name in matrix.over:
        if name in matrix.params:
            raise InvalidMatrix(f"over.{name}", f"{name!r} is in params too: leave it out of one of them.")


def _length(engine: Engine, kind: str, param: str, over: list[Any] | str) -> int:
    """How many values a param takes."""
    field = f"over.{param}"
    if isinstance(over, list):
        if not over:
            raise InvalidMatrix(field, "It has no values: give one at least, or leave the param out.")
        return len(over)
    if param not in KINDS[kind].params.picture_fields():
        raise InvalidMatrix(field, f"{param!r} takes no pictures of a set: give a list of values.")
    dataset = find_dataset(engine, over)
    detail = problem_of_set(over, dataset, is_open=False)
    if dataset is None or detail is not None:
        raise InvalidMatrix(field, detail or "")
    if dataset.state == "open":
        raise InvalidMatrix(field, f"Set {dataset.name!r} has not been made yet: POST /v1/datasets makes it.")
    return dataset.members


def _check_lengths(matrix: Matrix, lengths: Mapping[str, int], max_lines: int) -> None:
    if matrix.combine == "zip" and len(set(lengths.values())) > 1:
        counts = ", ".join(f"{length:,} of {param}" for param, length in lengths.items())
        raise InvalidMatrix("over", f"zip needs as many values of each param; there are {counts}.")
    count = next(iter(lengths.values())) if matrix.combine == "zip" else prod(lengths.values())
    if count > max_lines:
        raise BatchTooLarge.for_lines(max_lines, count)


def _axis(engine: Engine, kind: str, param: str, over: list[Any] | str) -> Axis:
    if isinstance(over, str):
        dataset = find_dataset(engine, over)
        members = [] if dataset is None else list(all_members(engine, dataset.id))
        ids = [member.image_id for member in members]
        return Axis(param, ids, [_stem(member.name) for member in members], ids)
    if param not in KINDS[kind].params.picture_fields():
        return Axis(param, over, [label_of(value) for value in over], None)
    names = _picture_names(engine, over)
    labels = [_label_of_pictures(value, names) for value in over]
    single = all(isinstance(value, str) for value in over)
    return Axis(param, over, labels, over if single else None)


def _picture_names(engine: Engine, values: Sequence[Any]) -> dict[str, str]:
    """What pictures are called that values name, alone or in lists; those without a name are left out."""
    several = [each for value in values for each in (value if isinstance(value, list) else [value])]
    named = {each for each in several if isinstance(each, str)}
    found = find_images(engine, {each for each in named if "/" not in each})
    return {image_id: _stem(image.name) for image_id, image in found.items() if image.name}


def _stem(name: str) -> str:
    """The name of a file without folders and ending."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return (last.rpartition(".")[0] or last)[:MAX_LABEL]


def _label_of_pictures(value: Any, names: Mapping[str, str]) -> str:
    """What a value is called that should be a picture, or a list of some."""
    several = value if isinstance(value, list) else [value]
    labels = (names.get(each, each) if isinstance(each, str) else label_of(each) for each in several)
    return "+".join(labels)[:MAX_LABEL]


def label_of(value: Any) -> str:
    """What a value is called that is not a picture."""
    match value:
        case str():
            label = value
        case [str(), *_] if all(isinstance(each, str) for each in value):
            label = ", ".join(value)
        case dict():
            label = ", ".join(f"{name}={label_of(each)}" for name, each in value.items())
        case _:
            label = json.dumps(value, ensure_ascii=False)
    return label[:MAX_LABEL]


def _lines(matrix: Matrix, axes: Sequence[Axis]) -> Iterator[ParsedLine]:
    slugs = [unique_slugs(axis.labels, len(axes)) for axis in axes]
    combine: Callable[..., Iterable[tuple[int, ...]]] = product if matrix.combine == "cross" else zip
    places = combine(*(range(len(axis.values)) for axis in axes))
    for number, chosen in enumerate(places, 1):
        values = {axis.param: axis.values[place] for axis, place in zip(axes, chosen, strict=True)}
        custom_id = SEPARATOR.join(names[place] for names, place in zip(slugs, chosen, strict=True))
        line = Line.model_construct(
            custom_id=custom_id, kind=matrix.kind, params={**matrix.params, **values}, reproducible=False
        )
        yield ParsedLine(number, custom_id, line)


def unique_slugs(labels: Sequence[str], axes: int) -> list[str]:
    """A short name for each label, all different, of which one for each of some axes make a custom id.

    None has two hyphens in a row, so that joined by these they stay different.
    """
    most = (MAX_CUSTOM_ID - (axes - 1) * len(SEPARATOR)) // axes - _NUMBER
    taken: set[str] = set()
    # By base the number to go on from: a set may have thousands of pictures of one name.
    numbers: dict[str, int] = {}
    found = []
    for place, label in enumerate(labels, 1):
        base = name = _slug(label)[: max(most, 1)].rstrip("-") or str(place)
        again = numbers.get(base, 1)
        while name in taken:
            again += 1
            name = f"{base}-{again}"
        numbers[base] = again
        taken.add(name)
        found.append(name)
    return found


def _slug(label: str) -> str:
    """Letters, digits, points and underscores of a label in lower case, and hyphens for the rest."""
    return re.sub(r"[^\w.]+", "-", unicodedata.normalize("NFC", label).lower()).strip("-.")
