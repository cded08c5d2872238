"""Files that are not pictures, or not ones that the form takes, as a person may choose or drop them."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.support import ConsoleErrors, file_input, problem_of
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


@pytest.mark.parametrize("kind", ["classify", "adversarial"])
def test_a_form_that_is_not_filled_in_yet_is_not_called_wrong(
    page: Page, console_errors: ConsoleErrors, kind: str
) -> None:
    """The service says what is missing when it is asked what a job takes: a person is not told so early."""
    console_errors.expect("422", f"/v1/{kind}")
    page.goto("/")
    with page.expect_response(lambda answer: f'"kind":"{kind}"' in (answer.request.post_data or "")) as asked:
        page.get_by_label("What to make").select_option(kind)
    assert asked.value.json()["problems"]
    # Until the page has handled the answer.
    page.wait_for_timeout(500)
    expect(page.locator("#job-form .problem:visible")).to_have_count(0)
    expect(page.locator("#estimate")).to_be_hidden()
    page.locator("#submit").click()
    expect(page.locator("#job-form .problem:visible")).to_have_count(1)


def test_a_file_that_has_gone_since_it_was_opened(
    page: Page, console_errors: ConsoleErrors, tmp_path: Path
) -> None:
    """Or was changed, which is told alike where the browser notices it."""
    console_errors.expect("ERR_FILE_NOT_FOUND")
    line = '{"custom_id": "a", "kind": "architecture", "params": {}}\n'
    file = tmp_path / "jobs.jsonl"
    file.write_text(line)
    page.goto("/")
    expect(page.locator("#lines-file")).to_be_enabled()
    page.locator("#lines-file").set_input_files(file)
    dialog = page.get_by_role("dialog", name="jobs.jsonl")
    start = dialog.get_by_role("button", name="Start 1 job")
    expect(start).to_be_enabled()
    file.unlink()
    start.click()
    expect(dialog.get_by_role("alert")).to_have_text(re.compile("^It cannot be read.*changed"))
