"""The parts of a set: known ones, and what is true of all."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.split import MemberKey, Part, folder_parts, split_members


def members(**counts: int) -> list[MemberKey]:
    """Different pictures, so many of each class."""
    return [(f"{label}{n}", label, f"{label}/{n}") for label, count in counts.items() for n in range(count)]


def counts(given: list[MemberKey]) -> dict[str | None, tuple[int, int, int]]:
    """By label, how many members are in train, validation and test."""
    found = Counter(zip([label for _, label, _ in given], split_members(given), strict=True))
    return {
        label: (found[label, "train"], found[label, "validation"], found[label, "test"])
        for label in dict.fromkeys(label for _, label, _ in given)
    }


def parts_by_name(given: list[MemberKey]) -> dict[str, Part | None]:
    return dict(zip([name for _, _, name in given], split_members(given), strict=True))


@pytest.mark.parametrize(
    ("count", "parts"),
    [
        (1, (1, 0, 0)),
        (2, (1, 1, 0)),
        (3, (2, 1, 0)),
        (4, (2, 1, 1)),
        (9, (7, 1, 1)),
        (10, (6, 2, 2)),
        (20, (14, 3, 3)),
        (100, (70, 15, 15)),
        (1000, (700, 150, 150)),
    ],
)
def test_a_class_is_split_by_its_size(count: int, parts: tuple[int, int, int]) -> None:
    assert counts(members(a=count)) == {"a": parts}


def test_small_classes_give_to_validation_and_test_in_turn() -> None:
    assert counts(members(d=2, c=3, b=2, a=1)) == {
        "a": (1, 0, 0),
        "b": (1, 1, 0),
        "c": (2, 0, 1),
        "d": (1, 1, 0),
    }


def test_two_pictures_in_all_are_both_trained_on() -> None:
    assert split_members(members(a=1, b=1)) == ["train", "train"]


def test_members_without_label_have_no_part() -> None:
    assert split_members([("x", None, "1"), ("x", "a", "2"), ("y", None, "test/3")]) == [None, "train", None]
    assert split_members([]) == []


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train/cat/1.png", "train"),
        ("Training/1.png", "train"),
        ("val/cat/1.png", "validation"),
        ("valid/cat/1.png", "validation"),
        ("validation/cat/1.png", "validation"),
        ("test/cat/1.png", "test"),
        ("testing/1.png", "test"),
        ("cat/test/1.png", None),
        ("test", None),
        ("test.png", None),
    ],
)
def test_folders_that_are_parts(name: str, part: Part | None) -> None:
    assert folder_parts([name]) == [part]


def test_a_class_may_be_called_train() -> None:
    assert folder_parts(["bus/1.png", "train/2.png", "x.png"]) == [None, None, None]
    assert folder_parts(["val/1.png", "train/2.png", "x.png"]) == ["validation", "train", None]
    assert folder_parts(["more/1.png", "train/cat/2.png", "test/3.png"]) == [None, "train", None]
    vehicles = [*members(train=20, bus=20)]
    assert counts(vehicles) == {"train": (14, 3, 3), "bus": (14, 3, 3)}


def test_folders_are_honored() -> None:
    given = [
        ("1", "a", "train/a/1"),
        ("2", "a", "train/a/2"),
        ("3", "a", "val/a/3"),
        ("4", "b", "b/4"),
        ("5", "a", "test/a/5"),
        ("6", "b", "test/b/6"),
    ]
    assert split_members(given) == ["train", "train", "validation", "train", "test", "test"]


def test_a_part_without_folder_is_taken_from_training() -> None:
    train = [(f"r{n}", "a", f"train/a/{n}") for n in range(20)]
    test = [(f"t{n}", "a", f"test/a/{n}") for n in range(5)]
    assert counts([*train, *test]) == {"a": (17, 3, 5)}
    assert set(split_members([*train, *test])[20:]) == {"test"}
    validation = [(sha256, label, name.replace("test", "val")) for sha256, label, name in test]
    assert counts([*train, *validation]) == {"a": (17, 5, 3)}
    assert counts(train) == {"a": (14, 3, 3)}


def test_folders_without_training_say_nothing() -> None:
    given = [(f"{n}", "a", f"{'val' if n % 2 else 'test'}/a/{n}") for n in range(20)]
    assert counts(given) == {"a": (14, 3, 3)}


def test_a_picture_of_the_test_folder_is_not_trained_on() -> None:
    given = [
        ("leak", "a", "train/a/1"),
        ("2", "a", "train/a/2"),
        ("leak", "a", "val/a/3"),
        ("leak", "a", "test/a/4"),
        ("5", "a", "val/a/5"),
    ]
    assert split_members(given) == ["test", "train", "test", "test", "validation"]


def test_a_class_that_is_only_tested_gets_a_picture_in_training() -> None:
    given = [("1", "a", "train/a/1"), ("2", "b", "test/b/2"), ("3", "b", "test/b/3"), ("4", "b", "val/b/4")]
    assert split_members(given) == ["train", "test", "test", "train"]


def test_a_picture_with_two_labels_is_only_trained_on() -> None:
    given = [*members(a=20, b=20), *[(f"a{n}", "b", f"b/copy{n}") for n in range(20)]]
    found = parts_by_name(given)
    assert {found[f"a/{n}"] for n in range(20)} == {found[f"b/copy{n}"] for n in range(20)} == {"train"}
    assert counts(given)["b"] == (28, 6, 6)


def test_the_seed_chooses_the_pictures() -> None:
    given = members(a=100)
    assert split_members(given, seed=1) != split_members(given) == split_members(given, seed=0)


def test_a_thousand_classes() -> None:
    by_class = counts(members(**{f"c{n}": 1 + n % 5 for n in range(1000)}))
    assert all(train for train, _, _ in by_class.values())
    held = [sum(each[part] for each in by_class.values()) for part in (1, 2)]
    # 200 classes of 4 and 200 of 5 give one to each, 200 of 2 and 200 of 3 to one of both.
    assert held == [600, 600]


LABELS = st.sampled_from(["a", "b", "c", None])
NAMES = st.tuples(st.sampled_from(["", "train/", "val/", "test/"]), st.integers(0, 99)).map(
    lambda pair: f"{pair[0]}{pair[1]}"
)
SETS = st.lists(st.tuples(st.integers(0, 30).map(str), LABELS, NAMES), max_size=80)


@pytest.mark.medium
@given(SETS)
def test_what_is_true_of_every_set(given: list[MemberKey]) -> None:
    parts = split_members(given)
    assert [part is None for part in parts] == [label is None for _, label, _ in given]
    of_picture = defaultdict(set)
    of_label = defaultdict(set)
    for (sha256, label, _), part in zip(given, parts, strict=True):
        if label is not None:
            of_picture[sha256].add(part)
            of_label[label].add(part)
    assert all(len(found) == 1 for found in of_picture.values())
    assert all("train" in found for found in of_label.values())
    backwards = split_members(given[::-1])
    assert backwards[::-1] == parts


@pytest.mark.medium
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=60))
def test_classes_are_split_alike(pictures: list[tuple[str, int]]) -> None:
    given = [
        (f"{n}", label, f"{label}/{n}-{copy}")
        for n, (label, copies) in enumerate(pictures)
        for copy in range(copies)
    ]
    distinct = dict(zip([sha256 for sha256, _, _ in given], split_members(given), strict=True))
    for label in "abc":
        own = [distinct[str(n)] for n, (of, _) in enumerate(pictures) if of == label]
        for part in ("validation", "test"):
            assert abs(own.count(part) - 0.15 * len(own)) <= 1
    if any(count >= 2 for count in Counter(label for label, _ in pictures).values()):
        assert "validation" in distinct.values()
