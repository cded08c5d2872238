"""What is predicted of the memory of a job, against what one takes."""

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from app.jobs.admission import memory_of
from app.kinds import KINDS
from app.networks.catalogue import SHIPPED, get_card

PHOTO, LARGE = (512, 384), (1280, 1280)
MANY = [*"abcdefgh"]
PLAIN: Mapping[str, Mapping[str, Any]] = {
    "style_transfer": {"content": "c", "style": ["s"], "size": 256, "steps": 5},
    "texture_synthesis": {"image": "c", "size": 256, "steps": 5},
}
# Beside what is plain: what takes more.
MORE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "large style": ("style_transfer", {"style_size": 1280}),
    "scaled style": ("style_transfer", {"style_scale": 4.0}),
    "fine texture": ("texture_synthesis", {"source_size": 1280}),
    "regions": ("style_transfer", {"style": MANY, "style_masks": MANY, "size": 512}),
}


@cache
def taken_and_predicted(kind: str, **params: Any) -> tuple[int, int]:
    """Bytes beyond the network, of a job with some params beside what is plain."""
    params = {name: json.loads(value) for name, value in params.items()}
    sides = dict.fromkeys(KINDS[kind].params.picture_fields(), PHOTO)
    sides |= {"style": LARGE if len(params.get("style", "s")) == 1 else PHOTO, "image": LARGE}
    case = json.dumps({"kind": kind, "params": {**PLAIN[kind], **params}, "sides": sides})
    command = [sys.executable, "-m", "tests.support.job_memory", case]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    taken, predicted = json.loads(ended.stdout)
    return taken, predicted


@pytest.mark.slow
@pytest.mark.parametrize("case", MORE)
def test_no_more_is_taken_than_is_predicted(case: str) -> None:
    kind, params = MORE[case]
    plain = {"size": params["size"]} if "size" in params else {}
    as_text = {name: json.dumps(value) for name, value in params.items()}
    taken, predicted = taken_and_predicted(kind, **as_text)
    usual, predicted_usual = taken_and_predicted(
        kind, **{name: json.dumps(value) for name, value in plain.items()}
    )

    # What every job takes besides, such as libraries that are loaded at the first step, cancels out.
    assert taken - usual < 1.15 * (predicted - predicted_usual)


@pytest.mark.slow
def test_what_a_process_takes_for_its_first_job_is_predicted() -> None:
    taken, predicted = taken_and_predicted("style_transfer")
    assert predicted < 1.3 * taken
    assert taken < 1.15 * predicted


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        *MORE.values(),
        ("style_transfer", {"style": MANY, "style_masks": MANY}),
        ("style_transfer", {"content_mask": "m"}),
        ("style_transfer", {"content_weight_map": "m"}),
    ],
)
def test_what_takes_more_is_predicted_to(kind: str, params: Mapping[str, Any]) -> None:
    plain, more = (
        memory_of(KINDS[kind].params.model_validate(given).resolve(SHIPPED), [get_card("palette")], 0.75)
        for given in (PLAIN[kind], {**PLAIN[kind], **params})
    )
    assert more > plain


def test_many_large_styles_are_counted_before_they_are_summed_up() -> None:
    def bytes_of(count: int) -> int:
        params = KINDS["style_transfer"].params.model_validate(
            {**PLAIN["style_transfer"], "style": MANY[:count], "size": 8192}
        )
        return memory_of(params.resolve(SHIPPED), [get_card("palette")], 1.0)

    assert bytes_of(8) > bytes_of(1)
