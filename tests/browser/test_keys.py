"""Idempotency keys of the page: what they may be, and that an answer that is lost makes nothing twice."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.support import JOB_MS, ConsoleErrors, Service, give_a_label
from tests.support.network_files import network_file, small_network
from tests.support.zips import class_folders, zipped

pytestmark = pytest.mark.browser

NAME = "Čáp 馬"
SHOW_CLASSES = """async (name) => {
    const { makeClassTiles } = await load("class_tiles.js");
    const tiles = makeClassTiles();
    await tiles.show("nothing", [name]);
    return tiles.element.querySelector(".problem").textContent;
}"""
SHOW_LOOKS = """async (name) => {
    const { makeLooks } = await load("looks.js");
    const element = document.querySelector(".looks");
    await makeLooks(element).show({ name, reference: "nothing", network: "nothing" }, ["saliency"]);
    return element.querySelector(".looks-list").textContent;
}"""


@contextmanager
def first_answer_lost(page: Page, url: str) -> Iterator[list[int]]:
    """The first answer to a POST to a URL is lost on its way; its status."""
    lost: list[int] = []

    def lose_first(answer: dict[str, Any]) -> None:
        request = {"requestId": answer["requestId"]}
        if answer["request"]["method"] != "POST" or lost:
            session.send("Fetch.continueRequest", request)
            return
        lost.append(answer["responseStatusCode"])
        session.send("Fetch.failRequest", {**request, "errorReason": "Failed"})

    session = page.context.new_cdp_session(page)
    session.on("Fetch.requestPaused", lose_first)
    session.send("Fetch.enable", {"patterns": [{"urlPattern": url, "requestStage": "Response"}]})
    yield lost
    session.detach()


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
    (tmp_path / "once.safetensors").write_bytes(network_file(small_network("once")))
    page.goto("/")
    shelf = page.locator("section.shelf", has_text="Import a network")
    file = shelf.locator("input[type=file]")
    with first_answer_lost(page, "*/v1/networks") as lost:
        file.set_input_files(tmp_path / "once.safetensors")
        expect(shelf.locator("> .problem")).to_contain_text("does not answer")
    assert lost == [201]
    file.set_input_files(tmp_path / "once.safetensors")
    expect(shelf.locator("[data-name=once]")).to_be_visible()
    items = httpx.get(f"{service.url}/v1/networks", trust_env=False).json()["items"]
    assert [each["name"] for each in items if each["origin"] != "shipped"] == ["once"]


def test_a_set_is_made_once_though_the_answer_is_lost(
    page: Page, service: Service, console_errors: ConsoleErrors, tmp_path: Path
) -> None:
    console_errors.expect("ERR_FAILED")
    (tmp_path / "single.zip").write_bytes(zipped(class_folders(robin=2, wren=2)))
    page.goto("/")
    page.get_by_label("What to make").select_option("evaluate")
    field = page.locator("[data-field=dataset]")
    zip_input = field.locator("input[type=file]").last
    with first_answer_lost(page, "*/v1/datasets") as lost:
        zip_input.set_input_files(tmp_path / "single.zip")
        expect(field.locator(".problem")).to_contain_text("does not answer")
    assert lost == [202]
    zip_input.set_input_files(tmp_path / "single.zip")
    expect(field.locator("select")).to_have_value("single", timeout=JOB_MS)
    items = httpx.get(f"{service.url}/v1/datasets", trust_env=False).json()["items"]
    assert [each["name"] for each in items if each["source"] == "upload"] == ["single"]


def test_a_set_of_other_labels_is_made_once_though_the_answer_is_lost(
    page: Page, service: Service, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("ERR_FAILED")
    dialog = give_a_label(page, service, "birds")
    with first_answer_lost(page, "*/v1/datasets/*/relabel") as lost:
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.locator(".problem")).to_contain_text("does not answer")
    assert lost == [201]
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    items = httpx.get(f"{service.url}/v1/datasets", trust_env=False).json()["items"]
    assert sorted(each["name"] for each in items if "birds" in each["name"]) == ["birds", "birds-2"]


def test_why_a_set_was_not_made_is_said_though_it_cannot_be_deleted(
    page: Page, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("ERR_FAILED")
    page.goto("/")
    page.get_by_label("What to make").select_option("evaluate")
    field = page.locator("[data-field=dataset]")
    page.route(re.compile("/v1/datasets/[^/]+$"), lose_deletion)
    file = {"name": "bad.zip", "mimeType": "application/zip", "buffer": zipped({"a.png": b"no picture"})}
    field.locator("input[type=file]").last.set_input_files(file)  # type: ignore[arg-type]
    expect(field.locator(".problem")).to_contain_text("None of its pictures (1) can be read", timeout=JOB_MS)


def lose_deletion(route: Route) -> None:
    if route.request.method == "DELETE":
        route.abort()
    else:
        route.continue_()
