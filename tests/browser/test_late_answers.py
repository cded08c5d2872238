"""Answers that come when the page shows something else, or not at all: what is shown stays, and goes on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.support import (
    ConsoleErrors,
    Service,
    choose,
    file_input,
    first_lost,
    give_a_label,
    held,
    paint,
    problem_of,
    result,
    submit,
)
from tests.support.service import wait_for

pytestmark = pytest.mark.browser

GO_TO = "(hash) => { location.hash = hash; }"
KEEP_TITLES = """() => {
    const title = document.querySelector(".batch-title");
    globalThis.titles = [];
    new MutationObserver(() => titles.push(title.textContent)).observe(title, { childList: true });
}"""
OPEN_ENTRIES = """async (id) => {
    const { openEntries } = await load("batch_entries.js");
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


SLOW_CAMERA = """globalThis.opening = [];
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await open(wanted);
        await new Promise((release) => opening.push({ stream, release }));
        return stream;
    };"""
LIVE = "opening.map(({ stream }) => stream.getTracks().some((track) => track.readyState === 'live'))"
OPEN_TRY_IT = """async () => {
    const { makeTryIt } = await load("try_it.js");
    const tryIt = makeTryIt();
    document.getElementById("stage").prepend(tryIt.element);
    tryIt.show("palette", () => {});
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


def test_what_is_wrong_with_a_form_is_said_with_its_name_under_another_one(
    page: Page, pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("422", "/v1/style-transfer")
    choose(page, pictures)
    page.get_by_label("Style layers").fill("relu9_9")
    page.get_by_text("Advanced", exact=True).click()
    kind = page.get_by_label("What to make")
    with held(page, "**/v1/style-transfer") as release:
        with page.expect_request("**/v1/style-transfer"):
            submit(page)
        kind.select_option("deep_dream")
        release()
        expect(page.locator("#form-problem")).to_contain_text(re.compile("^Style transfer: .*relu9_9"))
    expect(page.locator("#advanced")).not_to_have_attribute("open", "")
    kind.select_option("style_transfer")
    expect(page.locator("#form-problem")).to_be_hidden()
    expect(problem_of(page, "style_layers")).to_contain_text("relu9_9")


def test_a_picture_that_was_deleted_elsewhere_is_sent_again(
    page: Page, service: Service, pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("404", "/v1/images/")
    page.goto("/")
    tile = page.locator("[data-field=content] .tile")
    references = []
    for _ in range(2):
        with page.expect_response("**/v1/images", timeout=30_000) as sent:
            file_input(page, "content").set_input_files(pictures / "content.png")
        references.append(sent.value.json()["id"])
        expect(tile.locator("progress")).to_have_count(0)
        page.get_by_role("button", name="Remove Content").click()
        if len(references) == 1:
            httpx.delete(f"{service.url}/v1/images/{references[0]}", trust_env=False).raise_for_status()
    assert references[0] != references[1]


def test_cameras_that_open_in_another_order_leave_the_last_one(page: Page) -> None:
    page.add_init_script(SLOW_CAMERA)
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    page.evaluate(OPEN_TRY_IT)
    page.get_by_role("button", name="Use the camera").click()
    wait_for(lambda: page.evaluate("opening.length === 1"))
    page.get_by_role("button", name="Close the camera").click()
    page.get_by_role("button", name="Use the camera").click()
    wait_for(lambda: page.evaluate("opening.length === 2"))
    page.evaluate("opening[1].release()")
    expect(page.get_by_role("button", name="Take a picture")).to_be_enabled()
    page.evaluate("opening[0].release()")
    page.wait_for_timeout(300)
    assert page.evaluate(LIVE) == [False, True]
    assert page.evaluate("document.querySelector('.finder video').srcObject === opening[1].stream")
    page.get_by_role("button", name="Close the camera").click()
    assert page.evaluate(LIVE) == [False, False]


def test_labels_that_are_being_saved_stay_as_they_are(page: Page, service: Service) -> None:
    dialog = give_a_label(page, service, "labels")
    with held(page, "**/relabel") as release:
        with page.expect_request("**/relabel"):
            dialog.get_by_role("button", name="Save").click()
        for part in (".sheet", ".sheet-side", ".relabel"):
            expect(dialog.locator(part).last).to_have_js_property("inert", True)
        dialog.get_by_role("button", name="Close").click()
        expect(dialog.get_by_role("alert")).to_have_text("The changes are being saved.")
        release()
    expect(dialog).to_be_hidden()
    expect(page.locator(".entry[data-name=labels-2]")).to_be_visible()


def test_sets_are_listed_once_the_service_answers(page: Page, console_errors: ConsoleErrors) -> None:
    console_errors.expect("ERR_FAILED")
    lost = first_lost(page, "**/v1/datasets?*")
    with page.expect_response("**/v1/datasets?*"):
        page.goto("/")
    assert len(lost) == 1
