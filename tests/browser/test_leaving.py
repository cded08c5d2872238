"""The question before the page is left while files are on their way, and none at other times."""

from pathlib import Path
from shutil import copy

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.support import ConsoleErrors, Service, held
from tests.support.network_files import network_file, small_network
from tests.support.service import wait_for
from tests.support.zips import class_folders, zipped

pytestmark = pytest.mark.browser

JOB_MS = 120_000
RELOAD = "setTimeout(() => location.reload())"


def check_asked(page: Page) -> None:
    """Leave the page, be asked, and stay."""
    # A page that was never used may be left.
    page.locator("h1").click()
    with page.expect_event("dialog") as asked:
        page.evaluate(RELOAD)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()


def check_not_asked(page: Page) -> None:
    """Leave the page, for itself, without being asked."""
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator("h1").click()
    with page.expect_navigation():
        page.evaluate(RELOAD)
    assert asked == []


def test_a_picture_on_its_way(page: Page, pictures: Path, tmp_path: Path) -> None:
    picture = copy(pictures / "content.png", tmp_path / "leaving.png")
    page.goto("/")
    field = page.locator("[data-field=content]")
    with held(page, "**/v1/images") as release:
        field.locator("input[type=file]").set_input_files(picture)
        expect(field.locator(".tile progress")).to_have_count(1)
        check_asked(page)
        release()
        expect(field.locator(".tile progress")).to_have_count(0)
    check_not_asked(page)
    # It is kept.
    expect(field.locator(".tile img")).to_have_count(1)


def test_pictures_that_wait_for_their_turn(page: Page, pictures: Path, tmp_path: Path) -> None:
    files = [copy(pictures / "content.png", tmp_path / f"{place}.png") for place in range(6)]
    for place, file in enumerate(files):
        # Each is another one: the same is sent once.
        file.write_bytes(file.read_bytes() + bytes([place]))
    page.goto("/")
    page.get_by_text("Many pictures", exact=True).click()
    field = page.locator("[data-field=content]")
    with held(page, "**/v1/images") as release:
        field.locator("input[type=file]").first.set_input_files(files)
        expect(field).to_contain_text("0 of 6 sent")
        check_asked(page)
        # None waits any more when the last is sent.
        release()
        expect(field).to_contain_text("6 pictures")
    check_not_asked(page)


def test_a_set_on_its_way(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    page.get_by_label("What to make").select_option("evaluate")
    field = page.locator("[data-field=dataset]")
    data = zipped(class_folders(robin=2, wren=2))
    with held(page, "**/v1/datasets") as release:
        file = {"name": "leaving.zip", "mimeType": "application/zip", "buffer": data}
        with page.expect_request(lambda request: request.method == "POST"):
            field.locator("input[type=file]").last.set_input_files(file)
        check_asked(page)
        release()
        expect(field.locator("select")).to_have_value("leaving", timeout=JOB_MS)
    check_not_asked(page)


def test_a_picture_that_could_not_be_sent(page: Page, pictures: Path, console_errors: ConsoleErrors) -> None:
    # It says so; who leaves then knows what is lost.
    console_errors.expect("ERR_FAILED")
    page.goto("/")
    page.route("**/v1/images", lambda route: route.abort())
    field = page.locator("[data-field=content]")
    field.locator("input[type=file]").set_input_files(pictures / "other.png")
    expect(field.locator(".tile progress")).to_have_count(0)
    check_not_asked(page)


def test_a_network_on_its_way(page: Page) -> None:
    page.goto("/")
    file = {"name": "leaving.safetensors", "mimeType": "", "buffer": network_file(small_network("leaving"))}
    shelf = page.locator("section.shelf", has_text="Import a network")
    with held(page, "**/v1/networks") as release:
        with page.expect_request(lambda request: request.method == "POST"):
            shelf.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
        check_asked(page)
        release()
        expect(shelf.locator("[data-name=leaving]")).to_be_visible()
    check_not_asked(page)


def test_labels_that_are_not_saved(page: Page, service: Service) -> None:
    file = {"file": ("a.zip", zipped(class_folders(robin=2, wren=2)))}
    data = {"params": '{"name": "unsaved"}'}
    httpx.post(f"{service.url}/v1/datasets", files=file, data=data, trust_env=False).raise_for_status()
    path = f"{service.url}/v1/datasets/unsaved"
    wait_for(lambda: httpx.get(path, trust_env=False).json()["state"] == "closed")
    page.goto("/")
    page.locator(".entry[data-name=unsaved]").get_by_role("button", name="Look at it").click()
    dialog = page.get_by_role("dialog", name="unsaved")
    dialog.locator(".sheet button").first.click()
    dialog.get_by_role("button", name="Leave out").click()
    with page.expect_event("dialog") as asked:
        page.evaluate(RELOAD)
    asked.value.dismiss()
    dialog.get_by_role("button", name="Close").click()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    check_not_asked(page)
