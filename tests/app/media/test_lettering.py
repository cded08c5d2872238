"""Text on a line of a picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from app.media import lettering
from app.media.lettering import font, shorten, width_of, wrap

# What a client may call its entry, and what the layout of a line refuses.
SEPARATORS = [*map(chr, (*range(32), 0x7F, 0x85, 0x2028, 0x2029))]


@pytest.mark.medium
@given(st.text(st.sampled_from(SEPARATORS) | st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_can_be_drawn(text: str) -> None:
    pen = ImageDraw.Draw(Image.new("RGB", (100, 60)))
    for line in (shorten(text, 15, 100), *wrap(text, 15, 100, 2)):
        assert width_of(line, 15) <= 100
        pen.text((0, 0), line, "white", font(15))
    assert width_of(text, 15) >= 0


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_separator_is_a_space(separator: str) -> None:
    assert shorten(f"a{separator}b", 15, 100) == "a b"


@pytest.mark.parametrize("text", ["a few words", "W" * 300, "i" * 300, "Ünïcödé " * 40, ""])
def test_as_much_of_a_text_is_kept_as_fits(text: str) -> None:
    for width in (20, 61, 200):
        found = shorten(text, 12, width)
        if found == text:
            continue
        kept = found.removesuffix("…")
        assert width_of(found, 12) <= width or not kept
        one_more = text[: len(kept) + 1].rstrip()
        assert text[len(kept)] == " " or width_of(one_more + "…", 12) > width


def test_a_long_text_is_measured_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = list[int]()

    def counting(text: str, size: int) -> int:
        measured.append(len(text))
        return width_of(text, size)

    monkeypatch.setattr(lettering, "width_of", counting)
    assert len(lettering.shorten("w" * 50_000, 12, 100)) < 20
    assert len(measured) < 25
