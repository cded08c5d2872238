"""Answers that come when the page shows something else, or not at all: what is shown stays, and goes on."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.support import ConsoleErrors, Service, held, paint, result
from tests.support.service import wait_for

pytestmark = pytest.mark.browser

GO_TO = "(hash) => { location.hash = hash; }"
KEEP_TITLES = """() => {
    const title = document.querySelector(".batch-title");
    globalThis.titles = [];
    new MutationObserver(() => titles.push(title.textContent)).observe(title, { childList: true });
}"""
OPEN_ENTRIES = """async (id) => {
    const { src } = document.querySelector("script[type=module]");
    const { openEntries } = await import(new URL("batch_entries.js", src));
    globalThis.said = [];
    await new Promise((resolve) => {
        const heard = {
            onbatch: resolve,
            onentries() {},
            onconnection: (connected) => said.push(connected),
            onproblem() {},
        };
        globalThis.entries = openEntries(id, heard);
        entries.watch();
    });
}"""


def batches(service: Service, *names: str) -> Iterator[str]:
    """Batches of one job each that are paused; their ids."""
    for name in names:
        line = {"custom_id": name, "kind": "architecture", "params": {}}
        sent = httpx.post(
            f"{service.url}/v1/batches?paused=true&name={name}",
            content=json.dumps(line),
            headers={"Content-Type": "application/x-ndjson"},
            trust_env=False,
        )
        yield str(sent.raise_for_status().json()["id"])


def cancel(service: Service, path: str) -> None:
    httpx.post(f"{service.url}/v1/{path}/cancel", trust_env=False).raise_for_status()


def test_a_job_that_is_cancelled_does_not_come_back(page: Page, service: Service, pictures: Path) -> None:
    first, second = (paint(service, pictures, steps=20_000) for _ in range(2))
    cancel(service, f"jobs/{second}")
    page.goto(f"/#job={first}")
    button = page.locator('[data-action="cancel"]')
    expect(button).to_be_enabled()
    shown = page.locator(f'[data-action="json"][href$="{second}"]')
    with held(page, "**/cancel") as release:
        button.click()
        page.evaluate(GO_TO, f"job={second}")
        expect(shown).to_have_count(1)
        with page.expect_response("**/cancel"):
            release()
    page.wait_for_timeout(500)
    expect(shown).to_have_count(1)
    expect(result(page, "cancelled")).to_be_visible()


def test_a_batch_that_is_changed_does_not_come_back(page: Page, service: Service) -> None:
    first, second = batches(service, "First", "Second")
    page.goto(f"/#batch={first}")
    title = page.locator(".batch-title")
    expect(title).to_have_text("First")
    with held(page, "**/resume") as release:
        page.locator("#batch").get_by_role("button", name="Go on").click()
        page.evaluate(GO_TO, f"batch={second}")
        expect(title).to_have_text("Second")
        page.evaluate(KEEP_TITLES)
        with page.expect_response("**/resume"):
            release()
    page.wait_for_timeout(500)
    assert "First" not in page.evaluate("titles")


def test_a_batch_that_is_deleted_leaves_another_one_open(page: Page, service: Service) -> None:
    first, second = batches(service, "Gone", "Here")
    cancel(service, f"batches/{first}")
    page.goto(f"/#batch={first}")
    tile = page.locator("#gallery-list li", has_text="Gone")
    expect(tile).to_have_count(1)
    with held(page, f"**/v1/batches/{first}", "DELETE") as release:
        page.locator("#batch").get_by_role("button", name="Delete").click()
        page.get_by_role("group", name="Delete").get_by_role("button", name="Delete").click()
        page.evaluate(GO_TO, f"batch={second}")
        expect(page.locator(".batch-title")).to_have_text("Here")
        with page.expect_response(f"**/v1/batches/{first}"):
            release()
    expect(tile).to_have_count(0)
    assert page.evaluate("location.hash") == f"#batch={second}"


def test_a_batch_that_has_ended_says_when_the_service_answers_again(
    page: Page, service: Service, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("ERR_FAILED")
    (made,) = batches(service, "Ended")
    cancel(service, f"batches/{made}")
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    page.evaluate(OPEN_ENTRIES, made)
    page.route("**/entries?*", lambda route: route.abort())
    page.evaluate("entries.fetch(1)")
    assert page.evaluate("said") == [False]
    page.unroute("**/entries?*")
    wait_for(lambda: page.evaluate("said.at(-1)"))

    # One that is closed says nothing of what goes wrong later.
    page.route("**/entries?*", lambda route: route.abort())
    page.evaluate("() => { said = []; const left = entries.fetch(1); entries.close(); return left; }")
    assert page.evaluate("said") == []


def test_sets_are_listed_once_the_service_answers(page: Page, console_errors: ConsoleErrors) -> None:
    console_errors.expect("ERR_FAILED")
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort()

    page.route("**/v1/datasets?*", lose_first)
    with page.expect_response("**/v1/datasets?*"):
        page.goto("/")
    assert len(lost) == 1
