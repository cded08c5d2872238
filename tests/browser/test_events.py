"""The page's stream of events: one a page, none of a hidden one, few of a browser, and nothing is missed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.support import JOB_MS, LOAD, ConsoleErrors, Service, paint, result
from tests.support.proxy import proxied
from tests.support.service import wait_for

pytestmark = pytest.mark.browser

STEPS = re.compile(r"^\d+ of 20000 steps")
# The page shows whatever its own document says of itself.
HIDE = """(hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
LISTEN = """async (id) => {
    const { listenToJob } = await load("events.js");
    globalThis.heard = [];
    listenToJob(id, 0, ({ type, data }) => heard.push([data.seq, type]));
}"""
# Each begins a stream anew, while that of the one before is about to be opened.
LISTEN_AGAIN_AND_AGAIN = """async (ids) => {
    const { listenToJob } = await load("events.js");
    globalThis.heard = new Set();
    for (let time = 0; time < 20; time += 1) {
        listenToJob(ids[time % 2], 0, ({ data }) => heard.add(data.job_id));
        await new Promise((resolve) => setTimeout(resolve, time % 5));
    }
}"""
LISTEN_WRONGLY = """async ([id, name]) => {
    const { listenToJob } = await load("events.js");
    globalThis.called = 0;
    listenToJob(id, 0, () => {
        called += 1;
        throw new globalThis[name]("of a listener");
    });
}"""


def open_streams(service: Service) -> int:
    found = re.search(r"^impasto_event_streams (\S+)", httpx.get(f"{service.url}/metrics").text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


@contextmanager
def going_on(service: Service, pictures: Path) -> Iterator[str]:
    """A painting that is cancelled in the end; its id."""
    job_id = paint(service, pictures, steps=20_000)
    try:
        yield job_id
    finally:
        httpx.post(f"{service.url}/v1/jobs/{job_id}/cancel", trust_env=False)


@pytest.fixture
def painting(service: Service, pictures: Path) -> Iterator[str]:
    """A painting that is cancelled after the test."""
    with going_on(service, pictures) as job_id:
        yield job_id


@pytest.fixture
def other(service: Service, pictures: Path, painting: str) -> Iterator[str]:
    """Another, which waits for the first."""
    del painting
    with going_on(service, pictures) as job_id:
        yield job_id


def test_all_that_is_shown_shares_one_stream_that_ends_while_the_page_is_hidden(
    page: Page, service: Service, painting: str, other: str
) -> None:
    page.goto(f"/#job={painting}")
    expect(result(page, "running")).to_be_visible(timeout=JOB_MS)
    page.evaluate(LISTEN, painting)
    page.evaluate(LISTEN, other)
    wait_for(lambda: page.evaluate("heard.length") > 0 and open_streams(service) == 1)
    page.evaluate(HIDE, True)
    wait_for(lambda: open_streams(service) == 0)
    page.evaluate(HIDE, False)
    wait_for(lambda: open_streams(service) == 1)
    page.goto("about:blank")
    wait_for(lambda: open_streams(service) == 0)


def test_one_stream_is_left_of_those_that_began_at_once(
    page: Page, service: Service, painting: str, other: str
) -> None:
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    page.evaluate(LISTEN_AGAIN_AND_AGAIN, [painting, other])
    wait_for(lambda: page.evaluate("heard.size") == 2)
    wait_for(lambda: open_streams(service) == 1)


@pytest.mark.parametrize("error", ["TypeError", "RangeError"])
def test_an_error_of_a_listener_is_no_broken_connection(
    page: Page, service: Service, painting: str, console_errors: ConsoleErrors, error: str
) -> None:
    console_errors.expect("script: of a listener")
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if "/v1/events" in sent.url else None)
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    page.evaluate(LISTEN_WRONGLY, [painting, error])
    wait_for(lambda: page.evaluate("called") and console_errors.found and open_streams(service) == 0)
    # Longer than the pause before the next attempt.
    page.wait_for_timeout(1500)
    assert (len(asked), page.evaluate("called")) == (1, 1)


@pytest.mark.slow
def test_ten_tabs_load_and_cancel(context: BrowserContext, service: Service, painting: str) -> None:
    tabs = [context.new_page() for _ in range(10)]
    for tab in tabs:
        tab.goto(f"/#job={painting}")
    for tab in tabs:
        expect(tab.locator(".progress-numbers")).to_have_text(STEPS, timeout=JOB_MS)
        expect(tab.locator("#gallery-list li").first).to_be_attached()
    assert 1 <= open_streams(service) <= 3
    tabs[-1].get_by_role("button", name="Cancel").click()
    for tab in tabs:
        expect(result(tab, "cancelled")).to_be_visible(timeout=JOB_MS)


@pytest.mark.slow
def test_each_of_many_tabs_gets_every_event(
    context: BrowserContext, service: Service, pictures: Path
) -> None:
    tabs = [context.new_page() for _ in range(5)]
    for tab in tabs:
        tab.goto("/")
        expect(tab.locator("#submit")).to_be_enabled()
    job_id = paint(service, pictures, steps=40)
    for tab in tabs:
        tab.evaluate(LISTEN, job_id)
    for tab in tabs:
        wait_for(lambda tab=tab: tab.evaluate("heard.at(-1)?.[1] === 'done'"))  # type: ignore[misc]
        check_heard(tab.evaluate("heard"), service, job_id)


def check_heard(heard: list[list[Any]], service: Service, job_id: str) -> None:
    """Check that all events that are kept of a job were heard, each once, and in order."""
    text = httpx.get(f"{service.url}/v1/jobs/{job_id}/events", trust_env=False).text
    kept = re.findall(r"^id: (\d+)\nevent: (\w+)", text, re.MULTILINE)
    assert [int(seq) for seq, _ in kept][-1] == heard[-1][0]
    assert {(int(seq), kind) for seq, kind in kept} <= {(seq, kind) for seq, kind in heard}
    assert [seq for seq, _ in heard] == sorted({seq for seq, _ in heard})


def test_nothing_is_missed_while_a_proxy_is_away(
    browser: Browser, service: Service, pictures: Path, console_errors: ConsoleErrors
) -> None:
    with proxied(service.url) as proxy:
        context = browser.new_context(base_url=proxy.url)
        context.add_init_script(LOAD)
        page = context.new_page()
        asked: list[tuple[str, str | None]] = []
        page.on(
            "response",
            lambda answer: (
                asked.append((str(answer.status), answer.request.headers.get("last-event-id")))
                if "/v1/events" in answer.url
                else None
            ),
        )
        page.goto("/")
        expect(page.locator("#submit")).to_be_enabled()
        job_id = paint(service, pictures, steps=80)
        page.evaluate(LISTEN, job_id)
        wait_for(lambda: page.evaluate("heard.length") > 3)
        proxy.is_away = True
        proxy.break_off()
        # What the page was answered is noted while it is asked for something.
        wait_for(lambda: page.evaluate("true") and [status for status, _ in asked].count("502") >= 2)
        proxy.is_away = False
        wait_for(lambda: page.evaluate("heard.at(-1)?.[1] === 'done'"))
        check_heard(page.evaluate("heard"), service, job_id)
        # It went on where it was.
        assert int(asked[-1][1] or 0) > 0
        context.close()
