"""Idempotency keys of the page: what they may be, and that an answer that is lost makes nothing twice."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.support import ConsoleErrors, Service
from tests.support.network_files import network_file, small_network

pytestmark = pytest.mark.browser

NAME = "Čáp 馬"
SHOW_CLASSES = """async (name) => {
    const { src } = document.querySelector("script[type=module]");
    const { makeClassTiles } = await import(new URL("class_tiles.js", src));
    const tiles = makeClassTiles();
    await tiles.show("nothing", [name]);
    return tiles.element.querySelector(".problem").textContent;
}"""
SHOW_LOOKS = """async (name) => {
    const { src } = document.querySelector("script[type=module]");
    const { makeLooks } = await import(new URL("looks.js", src));
    const element = document.querySelector(".looks");
    await makeLooks(element).show({ name, reference: "nothing", network: "nothing" }, ["saliency"]);
    return element.querySelector(".looks-list").textContent;
}"""


@pytest.mark.parametrize("show", [SHOW_CLASSES, SHOW_LOOKS], ids=["classes", "looks"])
def test_a_class_may_have_any_name(page: Page, console_errors: ConsoleErrors, show: str) -> None:
    console_errors.expect("422")
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    assert "no network" in page.evaluate(show, NAME)


def test_a_network_is_imported_once_though_the_answer_is_lost(
    page: Page, service: Service, console_errors: ConsoleErrors, tmp_path: Path
) -> None:
    console_errors.expect("ERR_FAILED")
    lost: list[int] = []

    def lose_first(answer: dict[str, Any]) -> None:
        request = {"requestId": answer["requestId"]}
        if answer["request"]["method"] != "POST" or lost:
            session.send("Fetch.continueRequest", request)
            return
        lost.append(answer["responseStatusCode"])
        session.send("Fetch.failRequest", {**request, "errorReason": "Failed"})

    (tmp_path / "once.safetensors").write_bytes(network_file(small_network("once")))
    page.goto("/")
    shelf = page.locator("section.shelf", has_text="Import a network")
    session = page.context.new_cdp_session(page)
    session.on("Fetch.requestPaused", lose_first)
    session.send("Fetch.enable", {"patterns": [{"urlPattern": "*/v1/networks", "requestStage": "Response"}]})
    file = shelf.locator("input[type=file]")
    file.set_input_files(tmp_path / "once.safetensors")
    expect(shelf.locator("> .problem")).to_contain_text("does not answer")
    assert lost == [201]
    file.set_input_files(tmp_path / "once.safetensors")
    expect(shelf.locator("[data-name=once]")).to_be_visible()
    items = httpx.get(f"{service.url}/v1/networks", trust_env=False).json()["items"]
    assert [each["name"] for each in items if each["origin"] != "shipped"] == ["once"]
