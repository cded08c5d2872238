"""From a matrix to the lines of a batch."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.batches.errors import BatchTooLarge, InvalidMatrix
from app.batches.matrix import MAX_CUSTOM_ID, expand, unique_slugs
from app.batches.schemas import Matrix
from app.database.engine import make_engine
from app.database.migrations import upgrade
from app.settings import Settings
from tests.support.databases import put_migrated

SIZES = [32, 64, 128]


@pytest.fixture
def engine(settings: Settings) -> Any:
    upgrade(settings.resolved_database_url)
    engine = make_engine(settings.resolved_database_url)
    yield engine
    engine.dispose()


def lines_of(engine: Engine, max_lines: int = 1000, **matrix: Any) -> list[tuple[str | None, dict[str, Any]]]:
    expanded = expand(engine, Matrix.model_validate(matrix), max_lines)
    found = list(expanded.lines)
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    return [(line.custom_id, line.line.params) for line in found if line.line is not None]


@pytest.mark.medium
def test_a_cross_is_in_the_order_of_nested_loops(engine: Engine) -> None:
    over = {"size": [32, 64], "network": ["palette", "vgg19-random"]}
    assert lines_of(engine, kind="deep_dream", params={"steps": 3}, over=over) == [
        ("32--palette", {"steps": 3, "size": 32, "network": "palette"}),
        ("32--vgg19-random", {"steps": 3, "size": 32, "network": "vgg19-random"}),
        ("64--palette", {"steps": 3, "size": 64, "network": "palette"}),
        ("64--vgg19-random", {"steps": 3, "size": 64, "network": "vgg19-random"}),
    ]


def test_a_zip_takes_one_of_each(engine: Engine) -> None:
    over = {"size": [32, 64], "steps": [1, 2]}
    assert lines_of(engine, kind="deep_dream", over=over, combine="zip") == [
        ("32--1", {"size": 32, "steps": 1}),
        ("64--2", {"size": 64, "steps": 2}),
    ]


def test_a_value_may_be_a_list(engine: Engine) -> None:
    over = {"layers": [["relu1_1"], ["relu2_1", "relu3_1"]]}
    found = lines_of(engine, kind="deep_dream", over=over)
    assert [params["layers"] for _, params in found] == over["layers"]


@pytest.mark.parametrize(
    ("matrix", "field", "detail"),
    [
        ({"kind": "sculpture", "over": {"size": [1]}}, "kind", "There is no kind 'sculpture'"),
        ({"kind": "deep_dream", "over": {}}, "over", "Name a param"),
        ({"kind": "deep_dream", "over": {"size": []}}, "over.size", "no values"),
        ({"kind": "deep_dream", "over": {"sise": [1]}}, "over.sise", "There is no param 'sise'"),
        (
            {"kind": "deep_dream", "params": {"sise": 1}, "over": {"size": [1]}},
            "params.sise",
            "There is no param",
        ),
        ({"kind": "deep_dream", "params": {"size": 1}, "over": {"size": [1]}}, "over.size", "in params too"),
        ({"kind": "deep_dream", "over": {"size": "digits"}}, "over.size", "takes no pictures"),
        ({"kind": "deep_dream", "over": {"image": "nowhere"}}, "over.image", "no set 'nowhere'"),
        (
            {"kind": "deep_dream", "over": {"size": [1, 2], "steps": [1]}, "combine": "zip"},
            "over",
            "2 of size, 1 of steps",
        ),
        ({"kind": "deep_dream", "over": {"network": ["a\0"]}}, "body", "U+0000"),
    ],
)
def test_a_wrong_matrix_names_the_field(
    engine: Engine, matrix: dict[str, Any], field: str, detail: str
) -> None:
    with pytest.raises(InvalidMatrix) as caught:
        expand(engine, Matrix.model_validate(matrix), 1000)
    assert caught.value.field == field
    assert detail in caught.value.detail


def test_too_many_combinations_are_refused_before_one_is_made(engine: Engine) -> None:
    values = list(range(1000))
    over = {"size": values, "steps": values, "seed": values}
    with pytest.raises(BatchTooLarge, match=r"IMPASTO_MAX_BATCH_LINES.*1,000,000,000"):
        expand(engine, Matrix(kind="deep_dream", over=over), 50_000)  # type: ignore[arg-type]


@pytest.mark.medium
@given(st.lists(st.lists(st.text(max_size=300), min_size=1, max_size=6), min_size=1, max_size=4))
def test_custom_ids_are_unique_short_and_stable(axes: list[list[str]]) -> None:
    slugs = [unique_slugs(labels, len(axes)) for labels in axes]
    made = ["--".join(chosen) for chosen in product(*slugs)]
    assert len(set(made)) == len(made)
    assert all(0 < len(each) <= MAX_CUSTOM_ID for each in made)
    assert slugs == [unique_slugs(labels, len(axes)) for labels in axes]


@pytest.mark.parametrize(
    ("labels", "slugs"),
    [
        (["Bridge", "Starry Night"], ["bridge", "starry-night"]),
        (["a b", "a-b", "a  b"], ["a-b", "a-b-2", "a-b-3"]),
        (["a", "a", "a-2"], ["a", "a-2", "a-2-2"]),
        (["Brücke", "橋", "../../etc"], ["brücke", "橋", "etc"]),
        (["!?", "0.5", "-0.5"], ["1", "0.5", "0.5-2"]),
    ],
)
def test_names_are_made_of_labels(labels: list[str], slugs: list[str]) -> None:
    assert unique_slugs(labels, 2) == slugs


def test_many_values_of_one_name_are_numbered() -> None:
    # As many as a batch may have lines: each must find its number without trying those that are taken.
    made = unique_slugs(["frame", "frame-3", *["frame"] * 49_998], 2)
    assert made[:5] == ["frame", "frame-3", "frame-2", "frame-4", "frame-5"]
    assert made[-1] == "frame-50000" and len(set(made)) == 50_000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("matrix") / "empty.db"
    put_migrated(path)
    engine = make_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.mark.medium
@pytest.mark.parametrize("param", ["content", "style", "size"])
@given(values=st.lists(_JSON, min_size=1, max_size=4))
def test_values_of_any_type_become_lines_to_be_checked(empty: Engine, param: str, values: list[Any]) -> None:
    try:
        found = lines_of(empty, kind="style_transfer", over={param: values})
    except InvalidMatrix as error:
        assert error.field == "body", "a text that cannot be stored"
    else:
        assert [params[param] for _, params in found] == values
