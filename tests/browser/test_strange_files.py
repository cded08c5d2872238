"""Files that are no picture, or not one that the form takes, as a person may choose or drop them."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_page import file_input, problem_of
from tests.support.clips import gif

pytestmark = pytest.mark.browser

COUNT_TILES = """() => {
    globalThis.told = [];
    document.getElementById("job-form").addEventListener("input", () =>
        told.push(document.querySelectorAll("[data-field=content] .tile").length));
}"""


def test_the_form_is_told_when_a_picture_that_moves_is_refused(page: Page, tmp_path: Path) -> None:
    """What is saved and estimated is of the pictures that are there."""
    (tmp_path / "walk.gif").write_bytes(gif())
    page.goto("/")
    page.evaluate(COUNT_TILES)
    file_input(page, "content").set_input_files(tmp_path / "walk.gif")
    expect(problem_of(page, "content")).to_contain_text("walk.gif moves")
    assert page.evaluate("told")[-1] == 0
