"""A kind that the page's code does not know: its form and its result follow from GET /v1/kinds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.support import JOB_MS, Service
from tests.support.extra_kinds import with_kind

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def service(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one kind more."""
    service = Service.on_free_port(tmp_path_factory.mktemp("data"))
    service.start(with_kind("fading", tmp_path_factory.mktemp("modules")))
    yield service
    service.stop()


def test_its_form_and_its_result_are_shown(page: Page, pictures: Path) -> None:
    page.goto("/")
    page.get_by_label("What to make").select_option(label="Fading")
    (kind,) = [each for each in page.request.get("/v1/kinds").json()["items"] if each["kind"] == "fading"]
    expect(page.locator("#kind-summary")).to_have_text(kind["summary"])
    expect(page.locator("#submit")).to_have_text(kind["submit_label"])
    shown = page.locator("#job-form [data-field]").evaluate_all("all => all.map(e => e.dataset.field)")
    assert sorted(shown) == sorted(kind["schema"]["properties"])

    page.locator("[data-field=image] input[type=file]").set_input_files(pictures / "content.png")
    page.locator("#advanced").evaluate("details => { details.open = true; }")
    page.get_by_label("Strength", exact=True).fill("0.5")
    page.get_by_role("button", name=kind["submit_label"], exact=True).click()
    expect(page.locator("#result[data-state=succeeded]")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".job-title")).to_have_text("Content, Fading")
    expect(page.locator(".viewer-image")).to_have_js_property("naturalWidth", 160)
    expect(page.locator("#gallery-list img")).to_have_attribute("alt", "Content, Fading")
    page.get_by_text("Numbers", exact=True).click()
    brightness = page.locator(".tables tr", has=page.get_by_role("rowheader", name="brightness"))
    expect(brightness.locator("td")).to_contain_text("0.")

    page.get_by_label("Strength", exact=True).fill("1")
    page.get_by_role("button", name="Use these settings").click()
    expect(page.get_by_label("Strength", exact=True)).to_have_value("0.5")
