"""Names of networks."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.networks.names import as_name, is_name, numbered


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My cats, cnn", "my-cats-cnn"),
        ("Äpfel & Pilze (2)", "apfel-pilze-2"),
        ("日本", "network"),
        ("--a", "a"),
    ],
)
def test_a_text_becomes_the_name_most_like_it(text: str, name: str) -> None:
    assert as_name(text) == name


@given(st.text())
def test_every_text_becomes_a_name(text: str) -> None:
    assert is_name(as_name(text))
    assert all(is_name(name) for name in islice(numbered(as_name(text)), 12))
