"""A start of the page that does not succeed at once: it is said, and the page starts as soon as it can."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.support import ConsoleErrors

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            500,
            '{"title": "Internal error", "detail": "A broken database."}',
            "A broken database. Trying again",
        ),
        (200, "<html>Log in to this network first.</html>", "does not answer"),
    ],
    ids=["an error", "a page of a proxy"],
)
def test_the_page_starts_when_the_answer_is_right(
    page: Page, console_errors: ConsoleErrors, status: int, body: str, words: str
) -> None:
    console_errors.expect("500", "/v1/kinds")
    page.route("**/v1/kinds", lambda route: route.fulfill(status=status, body=body))
    page.goto("/")
    expect(page.locator("#connection")).to_contain_text(words)
    expect(page.locator("#submit")).to_be_disabled()
    page.unroute("**/v1/kinds")
    expect(page.locator("#submit")).to_be_enabled()
    expect(page.locator("#connection")).to_be_hidden()


def test_a_page_of_which_a_part_is_missing_says_so(page: Page, console_errors: ConsoleErrors) -> None:
    console_errors.expect("ERR_FAILED")
    page.route("**/form.js", lambda route: route.abort())
    page.goto("/")
    expect(page.get_by_text("The page did not start")).to_be_visible()
    page.unroute("**/form.js")
    page.reload()
    expect(page.locator("#submit")).to_be_enabled()
    expect(page.locator("#unstarted")).to_have_count(0)
