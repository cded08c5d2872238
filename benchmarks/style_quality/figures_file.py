"""The file of a run's figures, which later runs can be compared with."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from app.errors import InputError
from benchmarks.style_quality.report import Result

FILE = "figures.json"


class Run(BaseModel):
    """A run: its command line, the size of its results, and the results of all settings, in their order."""

    command: list[str]
    size: Annotated[int, Field(gt=0)]
    results: list[Result]


def write_run(run: Run, folder: Path) -> None:
    """Write the figures; paths of pictures are relative to their folder."""
    results = [replace(each, picture=os.path.relpath(each.picture, folder)) for each in run.results]
    text = json.dumps({**run.model_dump(), "results": list(map(asdict, results))}, indent=2)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def first_setting(path: Path, size: int, inputs: dict[str, tuple[str, ...]]) -> list[Result]:
    """The results of the first setting of an earlier run, of the pairs whose pictures are the same.

    ``inputs`` has the hashes of the pictures by pair. Raises InputError on ``against``.
    """
    try:
        run = Run.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError("against", f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError:
        raise InputError("against", f"{path} is no {FILE} of an earlier run.") from None
    if run.size != size:
        raise InputError("against", f"{path} has results of {run.size} px: give --size {run.size}.")
    same = [
        replace(each, picture=str(path.parent / each.picture))
        for each in run.results
        if each.setting == run.results[0].setting and inputs.get(each.pair) == each.inputs
    ]
    if not same:
        raise InputError("against", f"{path} has none of these pairs, or other pictures of their names.")
    return same


def common_pairs(results: Sequence[Result]) -> list[Result]:
    """The results of the pairs that every setting has: means over others would not compare."""
    pairs: dict[str, set[str]] = {}
    for each in results:
        pairs.setdefault(each.setting, set()).add(each.pair)
    common = set.intersection(*pairs.values())
    return [each for each in results if each.pair in common]
