"""Names of files in archives: safe on any system, and each once, whatever clients call their entries."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.batches.file_names import MAX_BYTES, FileNames, safe_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cat", "cat"),
        ("Große Welle, 2", "Große Welle, 2"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", ""),
        ("/", "_"),
        ("C:\\autoexec.bat", "C__autoexec.bat"),
        ("a\r\nb\0", "a__b_"),
        ("photo\u202egnp.exe", "photo_gnp.exe"),
        ("CON", "_CON"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("Com1 .txt", "_Com1 .txt"),
        ("comb", "comb"),
        (" . spaced . ", "spaced"),
        ("ö" * 200, "ö" * 60),
        ("e\u0301", "é"),
    ],
)
def test_a_name_resembles_its_text(text: str, name: str) -> None:
    assert safe_name(text) == name


HOSTILE = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="aA./\\ :\0-1\u0130ıßẞſsé\u0301", max_size=6),
    st.sampled_from(["..", "con", "CON.png", "results.jsonl", "Results.JSONL", "errors.jsonl", "a", "a.png"]),
)


@pytest.mark.medium
@given(texts=st.lists(HOSTILE, max_size=30))
def test_any_names_are_safe_and_differ(texts: list[str]) -> None:
    names = FileNames("results.jsonl", "errors.jsonl")
    given = [names.take(text, line, ".png") for line, text in enumerate(texts, 1)]
    paths = [each for name in given for each in (name, f"{name}.png")] + ["results.jsonl", "errors.jsonl"]
    assert len({unicodedata.normalize("NFC", path.casefold()) for path in paths}) == len(paths)
    for name in given:
        assert name.isprintable() and name.encode() and len(name.encode()) <= MAX_BYTES + 40
        assert not set(name) & set('/\\:*?"<>|') and name.strip(" .") == name
