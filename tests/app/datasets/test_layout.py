"""Names and labels of members, from folders and tables."""

import pytest

from app.datasets.errors import UnusableLabels
from app.datasets.layout import arrange, read_labels


def members(*paths: str, table: str | None = None) -> dict[str, str | None]:
    labels = None if table is None else read_labels(table.encode())
    return dict(arrange(paths, labels).members.values())


def test_folders_at_the_top_are_classes() -> None:
    found = members("dog/2.png", "cat/indoors/1.JPG", "cat/2.webp", "top.jpeg")
    assert list(found.items()) == [
        ("cat/2.webp", "cat"),
        ("cat/indoors/1.JPG", "cat"),
        ("dog/2.png", "dog"),
        ("top.jpeg", None),
    ]


def test_long_folders_that_begin_alike_are_classes_of_their_own() -> None:
    first, second = members("x" * 150 + "a/1.png", "x" * 150 + "b/1.png").values()
    assert first is not None and second is not None
    assert first != second
    assert len(first) == len(second) == 100
    assert first.startswith("x" * 91 + "~")


def test_a_folder_around_everything_is_none() -> None:
    assert members("pets/cat/1.png", "pets/dog/1.png") == {"cat/1.png": "cat", "dog/1.png": "dog"}
    assert members("pets/1.png", "pets/2.png") == {"1.png": None, "2.png": None}
    assert members("a/b/cat/1.png", "a/b/dog/1.png", "a/readme.txt") == {
        "cat/1.png": "cat",
        "dog/1.png": "dog",
    }


def test_parts_for_training_are_no_classes() -> None:
    found = members("train/cat/1.png", "val/dog/1.png", "Test/cat/2.png", "test/3.png")
    assert found == {
        "train/cat/1.png": "cat",
        "val/dog/1.png": "dog",
        "Test/cat/2.png": "cat",
        "test/3.png": None,
    }


def test_a_class_may_be_called_train() -> None:
    assert members("train/1.png", "bus/2.png", "3.png") == {
        "train/1.png": "train",
        "bus/2.png": "bus",
        "3.png": None,
    }
    assert members("train/1.png", "test/2.png") == {"train/1.png": None, "test/2.png": None}


def test_other_files_are_counted() -> None:
    assert arrange(["a.png", "b.txt", "labels.csv", "c.tiff", "png"]).ignored == 2


@pytest.mark.parametrize(
    "table",
    [
        "file,label\n1.png,cat\ncat/2.png,\n",
        "\ufefflabel;filename\r\ncat;1.png\r\n;cat/2.png\r\n",
        "id\tClass\tmore\n1\tcat\tx\n2\t\ty\n",
        'path,label\n"./1.png","cat"\n\ncat\\2.png,""\n',
    ],
)
def test_a_table_gives_labels_and_takes_them(table: str) -> None:
    assert members("1.png", "cat/2.png", "cat/3.png", table=table) == {
        "1.png": "cat",
        "cat/2.png": None,
        "cat/3.png": "cat",
    }


def test_rows_without_one_picture_are_told() -> None:
    labels = read_labels(b"file,label\n1.png,a\nx.png,b\n2.png,c\n")
    layout = arrange(["a/1.png", "b/1.png", "c/2.png"], labels)
    assert layout.unmatched == ["1.png", "x.png"]
    assert layout.members["c/2.png"] == ("c/2.png", "c")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (b"", "no column 'file', but nothing"),
        (b"1.png,cat\n", "no column 'file', but 1.png, cat"),
        (b"file,kind\n1.png,cat\n", "no column 'label'"),
        (b"file,label\n1.png\n", "Line 2 has 1 columns of 2"),
        (b"file,label\n1.png,a\n1.png,b\n", "two labels"),
        (b"file,label\n1.png," + b"x" * 101, "at most 100 characters"),
        (b"file,label\n1.png,a\0b", "control"),
        (b'file,label\n1.png,"a\n', "cannot be read as CSV"),
        (b"\xff\xfef\0i\0", "not UTF-8"),
    ],
)
def test_what_is_no_table_says_why(table: bytes, reason: str) -> None:
    with pytest.raises(UnusableLabels, match=reason) as refused:
        read_labels(table)
    assert refused.value.field == "labels"
