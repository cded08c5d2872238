"""Sets in batches: every picture once, in order, and none that is damaged."""

import threading
from collections.abc import Sequence

import pytest
import torch

from app.errors import InputError
from tests.support.sets import damaged_member, member_of
from tests.worker.conftest import drawn
from worker.contract.inputs import Member
from worker.understanding.sets import BATCH_PIXELS, batches, read_ahead, still
from worker.understanding.views import as_input

PICTURES = [drawn(20 + place, 24, place) for place in range(7)]
MEMBERS = [member_of(picture, f"{place}.png") for place, picture in enumerate(PICTURES)]


def places(members: Sequence[Member], size: int, start: int = 0) -> tuple[list[range], list[int]]:
    damaged: list[int] = []
    steps = batches(members, 8, size, start=start, on_damaged=lambda place, _: damaged.append(place))
    return [each for each, pictures in steps if len(each) == len(pictures)], damaged


def test_every_picture_comes_once_as_a_network_sees_it() -> None:
    found = list(batches(MEMBERS, 8, 3))
    assert [each for each, _ in found] == [range(0, 3), range(3, 6), range(6, 7)]
    assert torch.equal(torch.cat([each for _, each in found]), torch.cat([as_input(p, 8) for p in PICTURES]))


def test_a_damaged_picture_is_left_out_and_named() -> None:
    members = [*MEMBERS[:4], damaged_member("bad.png"), *MEMBERS[4:]]
    assert places(members, 3) == ([range(0, 3), range(3, 4), range(5, 6), range(6, 8)], [4])
    with pytest.raises(InputError, match=r"bad\.png"):
        list(batches(members, 8))
    assert places([damaged_member("bad.png")], 3) == ([], [0])


def test_a_later_start_goes_on_with_the_same_batches() -> None:
    assert places(MEMBERS, 3, start=3) == ([range(3, 6), range(6, 7)], [])
    assert places(MEMBERS, 3, start=7) == ([], [])


def test_large_pictures_come_in_smaller_batches() -> None:
    side = int((BATCH_PIXELS / 2) ** 0.5)
    assert [each for each, _ in batches(MEMBERS[:3], side)] == [range(0, 2), range(2, 3)]


def test_what_cannot_be_read_is_in_its_place_and_threads_end_with_their_reader() -> None:
    members = [*MEMBERS[:4], damaged_member("bad.png"), *MEMBERS[4:]]
    whole = [(first, [isinstance(each, InputError) for each in read]) for first, read in all_of(members)]
    assert whole == [(0, [False] * 3), (3, [False, True, False]), (6, [False, False])]
    assert [first for first, _ in all_of(members, start=4)] == [4, 6]
    assert [len(read) for _, read in all_of(members, start=7)] == [1]
    assert all_of(members, start=8) == [] == all_of([])
    reading = read_ahead(members, still, 3)
    next(reading)
    reading.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def all_of(members: Sequence[Member], start: int = 0) -> list[tuple[int, list[torch.Tensor | InputError]]]:
    return list(read_ahead(members, still, 3, start))
