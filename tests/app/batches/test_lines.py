"""The lines of a batch, read from bytes as they arrive."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.batches.lines import MAX_LINE_BYTES, ParsedLine, read_entries, split_lines

GOOD = '{"custom_id": "a", "kind": "classify"}'
# Bytes of lines, but for their ends.
LINES = st.lists(
    st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b"")), max_size=8
)


def split(data: bytes, size: int = 7) -> list[bytes | None]:
    return list(split_lines(data[at : at + size] for at in range(0, len(data), size)))


def read_one(text: str | bytes) -> ParsedLine:
    (line,) = read_entries([text if isinstance(text, bytes) else text.encode()])
    return line


@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.integers(1, 50))
def test_lines_are_the_same_however_they_arrive(
    lines: list[bytes], end: bytes, ended: bool, size: int
) -> None:
    lines = [line.removeprefix(b"\xef\xbb\xbf") for line in lines]
    data = end.join(lines) + (end if ended and lines else b"")
    expected = lines if ended else lines[:-1] + ([lines[-1]] if lines and lines[-1] else [])
    assert split(data, size) == expected


def test_the_mark_of_utf8_is_dropped_at_the_start_alone() -> None:
    assert split(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n") == [b"a", b"\xef\xbb\xbfb"]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1000, 10_000_000])
def test_a_line_may_have_a_million_bytes_and_no_more(end: bytes, size: int) -> None:
    longest = b"x" * MAX_LINE_BYTES
    assert split(b"a\n" + longest + end, size) == [b"a", longest]
    assert split(b"a\n" + longest + b"x" + end + (b"b" if end else b""), size) == (
        [b"a", None, b"b"] if end else [b"a", None]
    )


def test_a_line_that_never_ends_is_not_kept_in_memory() -> None:
    tracemalloc.start()
    try:
        chunks = (b"x" * 100_000 if n < 500 else b"\nb" for n in range(501))
        assert list(split_lines(chunks)) == [None, b"b"]
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "field", "detail"),
    [
        ("", "line", "empty"),
        ("   ", "line", "empty"),
        ("{", "line", "no JSON"),
        ("[1]", "line", "A JSON object is needed"),
        ('"text"', "line", "A JSON object is needed"),
        ('{"custom_id": "a", "kind": "k", "params": {"x": NaN}}', "line", "NaN is no number of JSON"),
        ('{"custom_id": "a", "kind": "k"} {}', "line", "no JSON"),
        ('{"kind": "k"}', "custom_id", "missing"),
        ('{"custom_id": "", "kind": "k"}', "custom_id", "at least 1 character"),
        ('{"custom_id": 7, "kind": "k"}', "custom_id", "valid string"),
        ('{"custom_id": "' + "x" * 201 + '", "kind": "k"}', "custom_id", "at most 200"),
        ('{"custom_id": "a"}', "kind", "missing"),
        ('{"custom_id": "a", "kind": "k", "params": []}', "params", "valid dictionary"),
        ('{"custom_id": "a", "kind": "k", "priority": 1}', "priority", "custom_id, kind, params"),
        ('{"custom_id": "a\\ud800", "kind": "k"}', "line", "surrogate"),
        ('{"custom_id": "a", "kind": "k\\u0000"}', "line", "U+0000"),
        ("[" * 100_000, "line", "nested too deep"),
        ('{"a":' * 100_000, "line", "nested too deep"),
        ('{"custom_id": "a", "kind": "k", "params": {"n": ' + "9" * 5000 + "}}", "line", "no JSON"),
        (b'{"custom_id": "\xff"}', "line", "byte 16 is 0xff"),
        (GOOD.encode("utf-16"), "line", "not UTF-8"),
        (b'{"custom_id": "a\x00"}', "line", "no JSON"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(text: str | bytes, field: str, detail: str) -> None:
    line = read_one(text)
    assert line.line is None and line.problem is not None
    assert line.problem.field == field
    assert detail in line.problem.detail
    assert len(line.problem.detail) < 600


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert read_one('{"custom_id": "a\\\\u0000", "kind": "k"}').custom_id == "a\\u0000"


def test_a_name_may_be_there_once() -> None:
    other = GOOD.replace('"a"', '"b"')
    found = list(read_entries(text.encode() for text in (GOOD, other, GOOD)))
    assert [line.line is not None for line in found] == [True, True, False]
    assert found[2].problem is not None
    assert (found[2].number, found[2].custom_id, found[2].problem.field) == (3, "a", "custom_id")
    assert "Line 1 has this name too" in found[2].problem.detail


@pytest.mark.medium
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_json_is_a_line_or_a_problem(value: object) -> None:
    line = read_one(json.dumps({"custom_id": "a", "kind": "k", "params": {"value": value}}))
    assert (line.line is None) != (line.problem is None)
    if line.line is not None:
        assert line.line.params == {"value": value}
