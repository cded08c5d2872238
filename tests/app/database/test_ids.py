import time
import uuid

import pytest

from app.database import ids
from app.database.ids import is_id, new_id


def test_ids_sort_by_when_they_were_made_however_fast() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_an_id_is_a_uuid_of_version_7_with_its_time() -> None:
    before = time.time_ns() // 1_000_000
    value = uuid.UUID(new_id())
    after = time.time_ns() // 1_000_000
    assert (value.version, value.variant) == (7, uuid.RFC_4122)
    # Earlier tests may have run ahead of the clock by a few thousand ticks of 1/4096 ms.
    assert before <= value.int >> 80 <= after + 10


def test_a_clock_that_goes_back_makes_no_older_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 10**18)
    assert new_id() > first


@pytest.mark.parametrize("text", ["", "nope", "{01a1fa2d-b375-7b13-b155-bad3b886bf4f}", "01A1FA2D" * 4])
def test_what_is_no_id(text: str) -> None:
    assert is_id(new_id())
    assert not is_id(text)
