"""Other labels for the members of a set."""

from typing import Any

import pytest

from app.datasets.dataset import StoredMember
from app.datasets.errors import InvalidDataset
from app.datasets.relabeling import Relabeling, relabeled


def members() -> list[StoredMember]:
    labels = {"cat/1.png": "cat", "cat/2.png": "cat", "dog/1.png": "dog", "7": None, "bird/9.png": "bird"}
    return [
        StoredMember(
            position=place,
            image_id=f"i{place}",
            sha256=f"s{place}",
            label=label,
            name=name,
            boxes=None,
            part="train",
        )
        for place, (name, label) in enumerate(labels.items())
    ]


def result(**changes: Any) -> dict[str, str | None]:
    found = relabeled(members(), Relabeling(**changes))
    assert [member.position for member in found] == list(range(len(found)))
    return {member.name: member.label for member in found}


BEFORE = {"cat/1.png": "cat", "cat/2.png": "cat", "dog/1.png": "dog", "7": None, "bird/9.png": "bird"}


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({}, {}),
        (
            {"labels": {"cat/1.png": "dog", "1": None, "7": "x"}},
            {"cat/1.png": "dog", "cat/2.png": None, "7": "x"},
        ),
        (
            {"rename": {"cat": "dog", "dog": "cat"}},
            {"cat/1.png": "dog", "cat/2.png": "dog", "dog/1.png": "cat"},
        ),
        ({"rename": {"bird": None}}, {"bird/9.png": None}),
        (
            {"rename": {"cat": "pet"}, "table": {"2": "t", "9.png": ""}, "labels": {"cat/2.png": "l"}},
            {"cat/1.png": "pet", "cat/2.png": "l", "bird/9.png": ""},
        ),
    ],
)
def test_labels_change(changes: dict[str, Any], after: dict[str, str | None]) -> None:
    assert result(**changes) == {**BEFORE, **after}


def test_labels_and_positions_are_dropped() -> None:
    assert list(result(drop=["cat", 3])) == ["dog/1.png", "bird/9.png"]
    # What is dropped is dropped, whatever else is said of it.
    assert list(result(drop=["cat"], labels={"0": "dog"}, rename={"dog": "cat"})) == [
        "dog/1.png",
        "7",
        "bird/9.png",
    ]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"labels": {"5": "x"}}, "labels.5", "No member has the name '5'"),
        ({"labels": {"1.png": "x"}}, "labels.1.png", "No member has the name"),
        ({"labels": {"-1": "x"}}, "labels.-1", "No member has the name"),
        ({"rename": {"Cat": "x"}}, "rename", "No member has the label 'Cat'. Labels: bird, cat, dog"),
        ({"drop": ["cow"]}, "drop", "No member has the label 'cow'"),
        ({"drop": [0, 5]}, "drop.1", "Positions are 0 to 4, and not 5"),
        ({"drop": [-1]}, "drop.0", "and not -1"),
        ({"drop": ["cat", "dog", "bird", 3]}, "drop", "No member is left"),
        (
            {"table": {"1.png": "x", "dog/1.png": "y"}},
            "labels",
            "1 rows name no member, or several, such as '1.png'",
        ),
    ],
)
def test_what_is_not_there_is_refused(changes: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidDataset, match=reason) as refused:
        relabeled(members(), Relabeling(**changes))
    assert refused.value.field == field


def test_two_members_of_one_name_are_told_apart_by_their_positions() -> None:
    first, *others = members()
    twins = [first, StoredMember(**{**vars(others[0]), "name": first.name}), *others[1:]]
    with pytest.raises(InvalidDataset, match="2 members have the name"):
        relabeled(twins, Relabeling(labels={first.name: "x"}))
    assert [m.label for m in relabeled(twins, Relabeling(labels={"1": "x"}))][:2] == ["cat", "x"]
