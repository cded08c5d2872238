"""The page behind a reverse proxy that shows it under a path, and under a name of its own."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.support import JOB_MS, Service, choose, file_input, result, submit
from tests.support.proxy import Proxy, proxied

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PREFIX = "/art/impasto"


@pytest.fixture(
    scope="module",
    params=[pytest.param(True, marks=[pytest.mark.slow, pytest.mark.long]), False],
    ids=["strips", "keeps"],
)
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy, which rewrites Host, before a service that knows of it."""
    service = Service.on_free_port(tmp_path_factory.mktemp("data"))
    host = service.url.removeprefix("http://")
    with proxied(service.url, PREFIX, strips=request.param, host=host) as proxy:
        service.start({"IMPASTO_ROOT_PATH": PREFIX, "IMPASTO_ALLOWED_ORIGINS": proxy.origin})
        yield proxy
        service.stop()


@pytest.fixture
def service(proxy: Proxy) -> Proxy:
    """What pages are relative to."""
    return proxy


@pytest.fixture
def context(browser: Browser, proxy: Proxy) -> Iterator[BrowserContext]:
    """A fresh profile whose addresses are relative to the proxy."""
    context = browser.new_context(base_url=f"{proxy.url}/", accept_downloads=True)
    yield context
    context.close()


def test_a_picture_is_uploaded_painted_watched_and_downloaded(
    page: Page, proxy: Proxy, pictures: Path
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    choose(page, pictures, size=96, steps=60, address=f"{proxy.url}/")
    submit(page)
    expect(page.locator(".progress-numbers")).to_have_text(re.compile(r"^[1-9]\d* of 60 steps"))
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".viewer-image")).to_have_js_property("naturalWidth", 96)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    page.locator("#gallery-list img").scroll_into_view_if_needed()
    expect(page.locator("#gallery-list img")).to_have_js_property("naturalWidth", 96)
    page.reload()
    expect(result(page, "succeeded")).to_be_visible()
    expect(page.locator("[data-field=content] .tile img")).to_have_js_property("complete", True)
    outside = [url for url in asked if not url.startswith((f"{proxy.url}/", "blob:"))]
    assert outside == []
    assert any("/events?" in url for url in asked)


def test_without_the_last_slash_the_page_is_there_too(page: Page, proxy: Proxy, pictures: Path) -> None:
    page.goto(proxy.url)
    file_input(page, "content").set_input_files(pictures / "content.png")
    expect(page.locator("[data-field=content] .tile")).to_have_count(1)
    expect(page.locator(".tile progress")).to_have_count(0)
    expect(page.locator("[data-field=content] .problem")).to_be_hidden()
