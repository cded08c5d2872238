"""Buttons that are pressed again before the answer to the first press: nothing happens twice."""

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route, expect

from tests.browser.support import ConsoleErrors, Service, held, urls_sent
from tests.support.network_files import network_file, small_network
from tests.support.service import wait_for
from tests.support.zips import picture

pytestmark = pytest.mark.browser

TWICE = "button => { button.click(); button.click(); }"
REMOVE = """async (id) => {
    await (await load("uploads.js")).removeUpload(id);
}"""
OPEN_CLASSES = """async () => {
    const { makeClassTiles } = await load("class_tiles.js");
    const tiles = makeClassTiles();
    document.getElementById("stage").append(tiles.element);
    globalThis.press = () => { tiles.show("palette", ["eye"]); };
}"""
OPEN_LOOKS = """async () => {
    const { makeLooks } = await load("looks.js");
    const looks = makeLooks(document.querySelector(".looks"));
    const chosen = { name: "eye", index: 1, reference: "nothing", network: "palette" };
    globalThis.press = () => { looks.show(chosen, ["saliency"]); };
}"""


def upload(service: Service, number: int) -> str:
    """An upload that nothing uses; its id."""
    files = {"image": (f"{number}.png", picture(number))}
    sent = httpx.post(f"{service.url}/v1/images", files=files, trust_env=False)
    return str(sent.raise_for_status().json()["id"])


def test_all_uploads_are_deleted_once(page: Page, service: Service) -> None:
    for number in range(3):
        upload(service, number)
    deleted = urls_sent(page, "DELETE")
    page.goto("/")
    shelf = page.locator(".shelf", has_text="Unused uploads")
    expect(shelf.locator(".entry")).to_have_count(3)
    shelf.get_by_role("button", name="Delete all of them").click()
    shelf.get_by_role("group", name="Delete").get_by_role("button", name="Delete").evaluate(TWICE)
    expect(shelf.locator(".entry")).to_have_count(0)
    expect(shelf.get_by_role("group", name="Delete")).to_be_hidden()
    expect(shelf.locator("> .problem").first).to_be_hidden()
    assert len(deleted) == len(set(deleted)) == 3


def test_an_upload_that_is_gone_already_is_deleted(
    page: Page, context: BrowserContext, service: Service, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("404", "/v1/images/")
    gone = upload(service, 4)
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    assert context.request.delete(f"/v1/images/{gone}").ok
    page.evaluate(REMOVE, gone)


def test_a_network_is_deleted_once(page: Page, service: Service) -> None:
    files = {"file": ("twice.safetensors", network_file(small_network("twice")))}
    httpx.post(f"{service.url}/v1/networks", files=files, trust_env=False).raise_for_status()
    deleted = urls_sent(page, "DELETE")
    page.goto("/")
    entry = page.locator(".entry[data-name=twice]")
    entry.get_by_role("button", name="Delete").click()
    with held(page, "**/v1/networks/*", "DELETE"):
        entry.locator(".question").get_by_role("button", name="Delete").evaluate(TWICE)
    expect(entry).to_have_count(0)
    assert len(deleted) == 1


@pytest.mark.parametrize(
    ("open_part", "path"),
    [(OPEN_CLASSES, "**/v1/class-visualization"), (OPEN_LOOKS, "**/v1/saliency")],
    ids=["classes", "looks"],
)
def test_a_class_is_asked_for_once(
    page: Page, console_errors: ConsoleErrors, open_part: str, path: str
) -> None:
    console_errors.expect("ERR_FAILED")
    asked: list[Route] = []
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    page.evaluate(open_part)
    page.route(path, lambda route: asked.append(route))
    page.evaluate("press()")
    page.evaluate("press()")
    wait_for(lambda: page.evaluate("1") and asked)
    page.wait_for_timeout(300)
    assert len(asked) == 1

    # After an answer that was lost it is the same request again.
    asked[0].abort()
    expect(page.get_by_text("does not answer").first).to_be_visible()
    with page.expect_request(path):
        page.evaluate("press()")
    wait_for(lambda: page.evaluate("1") and len(asked) == 2)
    assert key_of(asked[0].request) == key_of(asked[1].request)
    asked[1].abort()


def key_of(request: Request) -> str:
    return request.headers["idempotency-key"]
